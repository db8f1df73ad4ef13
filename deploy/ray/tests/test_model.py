"""The model call against the stand-in, over real sockets."""

import asyncio
import json
import time
import tracemalloc
from collections.abc import Callable
from email.utils import formatdate

import process
import pytest
from pydantic import SecretStr
from stand_in import StandIn
from submission import SCHEMA, new_id, submit, turn

from deliberation_ray import reading
from deliberation_ray.endpoints import Endpoints
from deliberation_ray.failures import Failure, Overloaded
from deliberation_ray.model import Answer, Model, ModelCall, Progress
from deliberation_ray.turns import Turns
from deliberation_ray.wire import Submit


class Calling:
    """One model of the stand-in, called as a turn would."""

    def __init__(self, stand_in: StandIn, name: str, model: Model) -> None:
        self.progress = Progress()
        self.model = model
        self._url = stand_in.url
        self._name = name

    async def answer(self, url: str = "", submission_id: str = "", **parameters: object) -> Answer:
        call = ModelCall(
            submission_id or new_id(), url or self._url, self._name, [{"role": "user", "content": "?"}], parameters
        )
        return await self.model.answer(call, self.progress)

    async def failure(self, url: str = "", **parameters: object) -> Failure:
        with pytest.raises(Failure) as failure:
            await self.answer(url, **parameters)
        return failure.value


Open = Callable[..., Model]


@pytest.fixture
def calling(stand_in: StandIn, name: str, open_model: Open) -> Calling:
    return Calling(stand_in, name, open_model())


async def test_an_answer_with_its_cost(calling: Calling) -> None:
    answer = await calling.answer(response_format=SCHEMA)
    assert "CANNED" in answer.text
    assert (answer.finish_reason, answer.response_format) == ("stop", "json_schema")
    assert calling.progress.calls == 1
    assert calling.progress.usage()["prompt_tokens"] > 0
    assert calling.progress.first_token_ms > 0
    assert calling.progress.characters == len(answer.text)


async def test_each_request_has_a_canned_answer_of_its_own(calling: Calling) -> None:
    answers = {key: (await calling.answer(submission_id=key, response_format=SCHEMA)).text for key in "abcdef"}
    assert len({json.loads(text)["score"] for text in answers.values()}) > 3
    assert len({json.loads(text)["proposal"] for text in answers.values()}) > 1
    assert (await calling.answer(submission_id="a", response_format=SCHEMA)).text == answers["a"]


@pytest.mark.parametrize(
    ("step", "kind", "retryable"),
    [
        ({"status": 500, "error": "engine is dead"}, "ModelUnavailable", True),
        ({"status": 504}, "ModelUnavailable", True),
        ({"status": 408}, "ModelUnavailable", True),
        ({"finish_reason": "abort"}, "ModelUnavailable", True),
        ({"reset_after_chunks": 0}, "ModelUnavailable", True),
        ({"reset_after_chunks": 3}, "ModelUnavailable", True),
        ({"status": 400, "error": "bad"}, "ModelRejected", False),
        ({"status": 401}, "ModelRejected", False),
        ({"status": 403}, "ModelRejected", False),
        ({"status": 404, "error": "no such model"}, "ModelRejected", False),
        ({"status": 422}, "ModelRejected", False),
        ({"redirect": "http://169.254.169.254/"}, "ModelRejected", False),
        ({"status": 400, "error": "This model's maximum context length is 4096 tokens."}, "ContextTooLong", False),
        ({"repeat_bytes": 2 * 1024 * 1024}, "AnswerTooLarge", False),
    ],
)
async def test_each_class_of_failure(
    stand_in: StandIn, calling: Calling, name: str, step: dict[str, object], kind: str, retryable: bool
) -> None:
    stand_in.script(name, step)
    failure = await calling.failure()
    assert (failure.kind, failure.retryable) == (kind, retryable)
    assert calling.progress.calls == (0 if kind in ("ModelRejected", "ContextTooLong") else 1), "a refusal is no call"
    assert len(stand_in.calls(name)) == 1


async def test_an_answer_that_was_cut_keeps_its_text(stand_in: StandIn, calling: Calling, name: str) -> None:
    stand_in.script(name, {"finish_reason": "length", "text": "half an ans"})
    answer = await calling.answer()
    assert (answer.text, answer.finish_reason) == ("half an ans", "length")
    assert calling.progress.usage()["completion_tokens"] > 0


async def test_nobody_listens(calling: Calling) -> None:
    (port,) = process.free_ports(1)
    failure = await calling.failure(f"http://127.0.0.1:{port}")
    assert failure.kind == "ModelUnavailable"


async def test_an_endless_response_is_cut(
    stand_in: StandIn, calling: Calling, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "RAW_BYTES", 10_000)
    monkeypatch.setattr(reading, "_RAW_BYTES_PER_TOKEN", 0)
    stand_in.script(name, {"repeat_bytes": 500_000})
    assert (await calling.failure()).kind == "AnswerTooLarge"


@pytest.mark.parametrize("step", [{"repeat_bytes": 50_000_000, "chunk_delay_seconds": 0}, {"line_bytes": 50_000_000}])
async def test_50_megabytes_cost_little_memory_and_only_their_own_turn(
    stand_in: StandIn, calling: Calling, name: str, step: dict[str, object]
) -> None:
    stand_in.script(name, step)
    stand_in.script(other := new_id(), {"text": "done"})
    tracemalloc.start()
    try:
        failure, answer = await asyncio.gather(calling.failure(), Calling(stand_in, other, calling.model).answer())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (failure.kind, answer.text) == ("AnswerTooLarge", "done")
    assert peak < 40_000_000
    stand_in.until_outcome(name, "disconnected", seconds=10)


async def test_a_model_that_drips_costs_its_own_turn_only(stand_in: StandIn, name: str, open_model: Open) -> None:
    stand_in.script(name, {"drip_seconds": 0.05})
    stand_in.script(other := new_id(), {"text": "done"})
    turns = Turns(open_model().answer, 2, Endpoints(2, 2))
    dripped, done = turn(url=stand_in.url, model=name, run_seconds=1), turn(url=stand_in.url, model=other)
    turns.submit(Submit.model_validate(submit(dripped, done)))
    (view,) = await turns.wait([done["submission_id"]], 30)
    assert view["result"]["text"] == "done"
    (view,) = await turns.wait([dripped["submission_id"]], 30)
    assert (view["state"], view["error"]["type"]) == ("failed", "ModelTimeout")
    stand_in.until_outcome(name, "disconnected", seconds=10)


@pytest.mark.parametrize(("status", "kind"), [(400, "ContextTooLong"), (502, "ModelUnavailable")])
async def test_of_an_error_no_more_is_read_than_its_words(
    stand_in: StandIn, calling: Calling, name: str, status: int, kind: str
) -> None:
    stand_in.script(name, {"status": status, "error": "beyond the context length " + "x" * 50_000_000})
    tracemalloc.start()
    try:
        assert (await calling.failure()).kind == kind
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


async def test_what_comes_packed_is_not_unpacked(stand_in: StandIn, calling: Calling, name: str) -> None:
    stand_in.script(name, {"text": "plain after all", "headers": {"content-encoding": "gzip"}})
    assert (await calling.answer()).text == "plain after all"


@pytest.mark.parametrize(
    ("status", "named", "seconds"),
    [
        (429, "7", (7, 7)),
        (503, "0.5", (0.5, 0.5)),
        (429, formatdate(time.time() + 40, usegmt=True), (0, 40)),
        (429, formatdate(time.time() - 40, usegmt=True), (0, 0)),
        (429, "-3", (0, 0)),
        (429, "soon", None),
        (429, "nan", None),
    ],
)
async def test_the_time_that_a_server_names_when_it_puts_a_call_off(
    stand_in: StandIn, calling: Calling, name: str, status: int, named: str, seconds: tuple[float, float] | None
) -> None:
    stand_in.script(name, {"status": status, "headers": {"retry-after": named}})
    with pytest.raises(Overloaded) as overloaded:
        await calling.answer()
    assert (overloaded.value.seconds is None) == (seconds is None)
    if seconds and overloaded.value.seconds is not None:
        assert seconds[0] <= overloaded.value.seconds <= seconds[1]


@pytest.mark.parametrize("status", [400, 500])
async def test_a_refused_format_falls_back_and_is_remembered(
    stand_in: StandIn, calling: Calling, name: str, status: int
) -> None:
    stand_in.script(name, {"refuse_formats": ["json_schema"], "status": status})
    answer = await calling.answer(response_format=SCHEMA)
    assert answer.response_format == "json_object"
    assert calling.progress.calls == 1, "the refused request is no call"
    assert (await calling.answer(response_format=SCHEMA)).response_format == "json_object"
    assert [call["response_format"] for call in stand_in.calls(name)] == ["json_schema", "json_object", "json_object"]


async def test_without_any_format_at_last(stand_in: StandIn, calling: Calling, name: str) -> None:
    stand_in.script(name, {"refuse_formats": ["json_schema", "json_object"]})
    assert (await calling.answer(response_format=SCHEMA)).response_format == "text"
    assert (calling.progress.calls, len(stand_in.calls(name))) == (1, 3)


async def test_a_lost_usage_is_no_lost_answer(stand_in: StandIn, calling: Calling, name: str) -> None:
    stand_in.script(name, {"text": "whole", "reset_after_finish": True})
    assert (await calling.answer()).text == "whole"
    assert calling.progress.usage()["completion_tokens"] > 0


async def test_cancelling_closes_the_connection(stand_in: StandIn, calling: Calling, name: str) -> None:
    stand_in.script(name, {"delay_seconds": 60})
    task = asyncio.create_task(calling.answer())
    await asyncio.to_thread(stand_in.until_called, name)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.to_thread(stand_in.until_outcome, name, "disconnected")


@pytest.mark.parametrize(
    ("url", "key"),
    [
        ("http://vllm:8000/v1", "one"),
        ("https://vllm:8000/v1", "EMPTY"),
        ("http://vllm:9000", "EMPTY"),
        ("https://a.example", "two"),
        ("https://a.example:443/v1", "two"),
        ("http://a.example", "EMPTY"),
        ("https://a.example:9999", "EMPTY"),
        ("https://[::1]:8443/v1", "three"),
        ("https://other", "EMPTY"),
    ],
)
def test_a_key_goes_to_its_own_scheme_host_and_port_only(url: str, key: str) -> None:
    model = Model(
        (),
        {
            "http://vllm:8000": SecretStr("one"),
            "*.example": SecretStr("two"),
            "https://[::1]:8443": SecretStr("three"),
        },
    )
    assert model._headers(url)["Authorization"] == f"Bearer {key}"
