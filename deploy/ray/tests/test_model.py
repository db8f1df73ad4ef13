"""The model call against the stand-in, over real sockets."""

import asyncio
import json
import socket
import time
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from email.utils import formatdate

import httpx2
import process
import pytest
from pydantic import SecretStr
from stand_in import StandIn
from submission import SCHEMA, new_id, submit, turn

from deliberation_ray import transport
from deliberation_ray.endpoints import Endpoints
from deliberation_ray.failures import Failure
from deliberation_ray.model import Answer, Model, ModelCall, Progress, base_url
from deliberation_ray.turns import Turns
from deliberation_ray.wire import Submit


class Calling:
    """One model of the stand-in, called as a turn would."""

    def __init__(self, stand_in: StandIn, name: str) -> None:
        self.progress = Progress()
        self.model = Model((), {})
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


@pytest.fixture
def calling(stand_in: StandIn, name: str) -> Calling:
    return Calling(stand_in, name)


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


@pytest.mark.parametrize("suffix", ["", "/", "/v1", "/v1/"])
def test_the_base_url_with_and_without_v1(suffix: str) -> None:
    assert base_url("http://vllm:8000" + suffix) == "http://vllm:8000/v1"


@pytest.mark.parametrize(
    ("step", "kind", "retryable"),
    [
        ({"status": 500, "error": "engine is dead"}, "ModelUnavailable", True),
        ({"status": 503}, "ModelUnavailable", True),
        ({"status": 429}, "ModelUnavailable", True),
        ({"finish_reason": None}, "ModelUnavailable", True),
        ({"finish_reason": "abort"}, "ModelUnavailable", True),
        ({"reset_after_chunks": 0}, "ModelUnavailable", True),
        ({"reset_after_chunks": 3}, "ModelUnavailable", True),
        ({"status": 400, "error": "bad"}, "ModelRejected", False),
        ({"status": 401}, "ModelRejected", False),
        ({"status": 403}, "ModelRejected", False),
        ({"status": 404}, "ModelRejected", False),
        ({"status": 422}, "ModelRejected", False),
        ({"redirect": "http://169.254.169.254/"}, "ModelRejected", False),
        ({"status": 400, "error": "This model's maximum context length is 4096 tokens."}, "ContextTooLong", False),
        ({"finish_reason": "length", "text": "half"}, "Truncated", True),
        ({"repeat_bytes": 2 * 1024 * 1024}, "AnswerTooLarge", False),
    ],
)
async def test_each_class_of_failure(
    stand_in: StandIn, calling: Calling, name: str, step: dict[str, object], kind: str, retryable: bool
) -> None:
    stand_in.script(name, step)
    failure = await calling.failure()
    assert (failure.kind, failure.retryable) == (kind, retryable)
    assert calling.progress.calls == 1
    assert len(stand_in.calls(name)) == 1


async def test_a_truncated_answer_hints_and_keeps_its_text(stand_in: StandIn, calling: Calling, name: str) -> None:
    stand_in.script(name, {"finish_reason": "length", "text": "half an ans"})
    failure = await calling.failure()
    assert "max_tokens" in failure.message
    assert failure.text == "half an ans"
    assert calling.progress.usage()["completion_tokens"] > 0


async def test_nobody_listens(calling: Calling) -> None:
    (port,) = process.free_ports(1)
    failure = await calling.failure(f"http://127.0.0.1:{port}")
    assert failure.kind == "ModelUnavailable"


async def test_a_name_that_resolves_to_metadata(calling: Calling, monkeypatch: pytest.MonkeyPatch) -> None:
    async def resolve(*_: object, **__: object) -> list[object]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("169.254.169.254", 80))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolve)
    failure = await calling.failure("http://innocent.example")
    assert (failure.kind, failure.retryable) == ("UrlNotAllowed", False)


async def test_a_name_that_nobody_resolves_is_looked_up_once(calling: Calling, monkeypatch: pytest.MonkeyPatch) -> None:
    lookups = 0

    async def resolve(*_: object, **__: object) -> list[object]:
        nonlocal lookups
        lookups += 1
        await asyncio.Event().wait()
        return []

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolve)
    monkeypatch.setattr(transport, "CONNECT_SECONDS", 0.2)
    failures = await asyncio.gather(*(calling.failure("http://silent.example") for _ in range(5)))
    assert {(failure.kind, failure.retryable) for failure in failures} == {("ModelUnavailable", True)}
    assert lookups == 1


async def test_an_endless_response_is_cut(
    stand_in: StandIn, calling: Calling, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "RAW_RESPONSE_BYTES", 10_000)
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
        failure, answer = await asyncio.gather(calling.failure(), Calling(stand_in, other).answer())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (failure.kind, answer.text) == ("AnswerTooLarge", "done")
    assert peak < 40_000_000
    stand_in.until_outcome(name, "disconnected", seconds=10)


async def test_a_model_that_drips_costs_its_own_turn_only(stand_in: StandIn, name: str) -> None:
    stand_in.script(name, {"drip_seconds": 0.05})
    stand_in.script(other := new_id(), {"text": "done"})
    turns = Turns(Model((), {}).answer, 2, Endpoints(2, 2))
    dripped, done = turn(url=stand_in.url, model=name, run_seconds=3), turn(url=stand_in.url, model=other)
    turns.submit(Submit.model_validate(submit(dripped, done)))
    (view,) = await turns.wait([done["submission_id"]], {}, 30)
    assert view["result"]["text"] == "done"
    (view,) = await turns.wait([dripped["submission_id"]], {}, 30)
    assert (view["state"], view["error"]["type"]) == ("failed", "ModelTimeout")
    stand_in.until_outcome(name, "disconnected", seconds=10)


@pytest.mark.parametrize(("status", "kind"), [(400, "ContextTooLong"), (500, "ModelUnavailable")])
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


@pytest.mark.parametrize("end", ["\n\n", "\r\n\r\n", "\r\r"])
async def test_events_that_end_are_not_one_large_event(end: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "EVENT_BYTES", 20)
    text = ("data: 12345" + end) * 10

    async def read(size: int, sent: str) -> int:
        blocks = iter([sent[start : start + size].encode() for start in range(0, len(sent), size)])
        return sum([len(block) async for block in transport._Events(Blocks(blocks))])

    for size in (1, 2, 3, 7, 1000):
        assert await read(size, text) == len(text)
        with pytest.raises(transport.ResponseTooLarge):
            await read(size, text + "x" * 30)


class Blocks(httpx2.AsyncByteStream):
    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = blocks

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for block in self._blocks:
            yield block


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
        (500, "7", None),
    ],
)
async def test_the_time_that_a_server_names_when_it_refuses(
    stand_in: StandIn, calling: Calling, name: str, status: int, named: str, seconds: tuple[float, float] | None
) -> None:
    stand_in.script(name, {"status": status, "headers": {"retry-after": named}})
    failure = await calling.failure()
    assert failure.kind == "ModelUnavailable"
    assert (failure.retry_after is None) == (seconds is None)
    if seconds and failure.retry_after is not None:
        assert seconds[0] <= failure.retry_after <= seconds[1]


@pytest.mark.parametrize("status", [400, 500])
async def test_a_refused_format_falls_back_and_is_remembered(
    stand_in: StandIn, calling: Calling, name: str, status: int
) -> None:
    stand_in.script(name, {"refuse_formats": ["json_schema"], "status": status})
    answer = await calling.answer(response_format=SCHEMA)
    assert answer.response_format == "json_object"
    assert calling.progress.calls == 2
    assert (await calling.answer(response_format=SCHEMA)).response_format == "json_object"
    assert [call["response_format"] for call in stand_in.calls(name)] == ["json_schema", "json_object", "json_object"]


async def test_without_any_format_at_last(stand_in: StandIn, calling: Calling, name: str) -> None:
    stand_in.script(name, {"refuse_formats": ["json_schema", "json_object"]})
    assert (await calling.answer(response_format=SCHEMA)).response_format == "text"
    assert calling.progress.calls == 3


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


def test_a_key_goes_to_its_own_host_only() -> None:
    model = Model((), {"vllm:8000": SecretStr("one"), "*.example": SecretStr("two")})
    assert model._key("http://vllm:8000/v1") == "one"
    assert model._key("https://a.example") == "two"
    assert model._key("http://vllm:9000") == "EMPTY"
