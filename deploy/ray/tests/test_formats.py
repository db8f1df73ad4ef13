import openai
import pytest
from httpx2 import Request, Response

from deliberation_ray.formats import FormatMemory, refuses_format, with_format

ENDPOINT = ("http://vllm", "m")


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def refusal(status: int, message: str) -> openai.APIError:
    response = Response(status, request=Request("POST", "http://vllm"))
    return openai.APIStatusError(message, response=response, body={"message": message})


@pytest.mark.parametrize(
    ("status", "message", "expected"),
    [
        (400, "response_format json_schema is not supported", True),
        (500, "guided decoding failed", True),
        (400, "Unsupported `structured_outputs`", True),
        (500, "failed to parse grammar", True),
        (500, "engine is dead", False),
        (400, "This model's maximum context length is 4096 tokens", False),
    ],
)
def test_only_the_words_tell(status: int, message: str, expected: bool) -> None:
    assert refuses_format(refusal(status, message)) is expected


def test_the_ladder_begins_where_it_is_known_to_hold_for_a_while() -> None:
    clock = Clock()
    memory = FormatMemory(clock)
    assert memory.steps(ENDPOINT, "json_schema") == ["json_schema", "json_object", "text"]
    memory.refused(ENDPOINT, "json_schema")
    assert memory.steps(ENDPOINT, "json_schema") == ["json_object", "text"]
    assert memory.steps(("http://vllm", "other"), "json_schema")[0] == "json_schema"
    memory.refused(ENDPOINT, "json_object")
    assert memory.steps(ENDPOINT, "json_schema") == ["text"]
    assert memory.steps(ENDPOINT, "text") == ["text"]
    clock.now += 601
    assert memory.steps(ENDPOINT, "json_schema")[0] == "json_schema"


def test_each_step_changes_the_format_alone() -> None:
    schema = {"type": "json_schema", "json_schema": {"name": "n"}}
    parameters = {"seed": 1, "response_format": schema}
    assert with_format(parameters, "json_schema") == parameters
    assert with_format(parameters, "json_object") == {"seed": 1, "response_format": {"type": "json_object"}}
    assert with_format(parameters, "text") == {"seed": 1}
    assert with_format({"seed": 1}, "text") == {"seed": 1}
