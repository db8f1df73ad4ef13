"""What a caller adds to the body of its call."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from model_cases.server import Server
from pydantic import ValidationError
from submission import submit, turn

from deliberation_ray.model import Model, ModelCall, Progress
from deliberation_ray.wire import Submit

Open = Callable[..., Model]
KEYS = json.loads((Path(__file__).parent / "extra_body_keys.json").read_text())


async def test_what_a_caller_adds_to_the_body_is_sent_as_it_is(cases: Server, open_model: Open) -> None:
    extra = {"chat_template_kwargs": {"enable_thinking": False}, "reasoning_effort": "low", "top_k": 20}
    await open_model().answer(ModelCall("t1", cases.url, "ok", [], {"max_tokens": 9, "extra_body": extra}), Progress())
    _, _, body = cases.requests[-1]
    assert {key: body[key] for key in extra} == extra
    assert (body["max_tokens"], "extra_body" in body) == (9, False)


def test_what_a_caller_adds_may_be_what_else_a_server_takes() -> None:
    Submit.model_validate(submit(turn(parameters={"extra_body": dict.fromkeys(KEYS["accepted"], 1)})))


@pytest.mark.parametrize("key", KEYS["refused"])
def test_what_a_caller_adds_cannot_change_the_call(key: str) -> None:
    with pytest.raises(ValidationError, match="must not have the key"):
        Submit.model_validate(submit(turn(parameters={"extra_body": {key: 1}})))


def test_what_a_caller_adds_is_bounded() -> None:
    with pytest.raises(ValidationError, match="at most 16384 bytes"):
        Submit.model_validate(submit(turn(parameters={"extra_body": {"a": "x" * 16_384}})))
    Submit.model_validate(submit(turn(parameters={"extra_body": {"a": "x" * 16_000}})))
    # The worker measures without blanks.
    Submit.model_validate(submit(turn(parameters={"extra_body": {"a": [1] * 8_188}})))
