"""What a strange or hostile model server costs the other turns of its runner, and what it gets to see."""

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from flood import PATTERNS, Flood
from model_cases.server import Server
from pydantic import SecretStr, ValidationError
from raw_model import RawModel, finish, piece
from submission import SCHEMA, submit, turn

from deliberation_ray.endpoints import Endpoints
from deliberation_ray.failures import Failure, Overloaded
from deliberation_ray.model import Model, ModelCall, Progress
from deliberation_ray.refusal import Refusal
from deliberation_ray.transport import Transport
from deliberation_ray.turns import Turns
from deliberation_ray.wire import PROMPT_BYTES, Submit

Open = Callable[..., Model]


@pytest.fixture(scope="module")
def flood(logs: Path) -> Iterator[Flood]:
    flood = Flood(logs / "flood.log")
    yield flood
    flood.end()


@pytest.fixture(scope="module")
def cases() -> Iterator[Server]:
    server = Server().start()
    yield server
    server.end()


@asynccontextmanager
async def lags() -> AsyncIterator[list[float]]:
    """How long other tasks keep the loop, in CPU time, so that a busy machine decides nothing."""
    measured: list[float] = []

    async def watch() -> None:
        while True:
            began = time.thread_time()
            await asyncio.sleep(0)
            measured.append(time.thread_time() - began)

    watching = asyncio.create_task(watch())
    try:
        yield measured
    finally:
        watching.cancel()


@pytest.mark.parametrize("pattern", PATTERNS)
async def test_a_flood_costs_its_own_turn_only(flood: Flood, cases: Server, open_model: Open, pattern: str) -> None:
    turns = Turns(open_model().answer, 20, Endpoints(20, 20))
    stalled = turn(url=cases.url, model="case-stall")
    floods = [turn(url=flood.url, model=pattern, run_seconds=120) for _ in range(4)]
    async with lags() as measured:
        turns.submit(Submit.model_validate(submit(stalled, *floods)))
        ids = [each["submission_id"] for each in floods]
        await turns.wait(ids, 0.5)
        began = time.thread_time()
        (stopped,) = await turns.stop({stalled["submission_id"]: 1}, "", "stop")
        took = time.thread_time() - began
        ended = [(await turns.wait([key], 120))[0] for key in ids]
    assert stopped["state"] == "cancelled"
    assert took < 0.5
    assert max(measured) < 0.25
    assert {view["state"] for view in ended} == {"failed"}
    assert {view["error"]["type"] for view in ended} <= {"AnswerTooLarge", "ModelUnavailable"}
    assert turns.held_bytes < 2 * 1024 * 1024


async def test_many_answers_that_arrive_together_do_not_hold_up_a_stop(open_model: Open) -> None:
    events = [piece("token ") for _ in range(2000)]
    async with RawModel(*events, finish()) as server:
        turns = Turns(open_model().answer, 20, Endpoints(20, 20))
        answers = [turn(url=server.url) for _ in range(8)]
        async with RawModel(piece("half"), end="silence") as silent:
            stalled = turn(url=silent.url)
            async with lags() as measured:
                turns.submit(Submit.model_validate(submit(stalled, *answers)))
                await turns.stop({stalled["submission_id"]: 1}, "", "stop")
                for each in answers:
                    (view,) = await turns.wait([each["submission_id"]], 30)
                    assert view["result"]["text"] == "token " * 2000
    assert max(measured) < 0.25


async def test_nothing_of_the_environment_reaches_a_host_that_a_caller_names(
    cases: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = "sk-of-the-operator"
    for name in ("API_KEY", "ORG_ID", "PROJECT_ID", "CUSTOM_HEADERS", "BASE_URL", "ADMIN_KEY", "WEBHOOK_SECRET"):
        monkeypatch.setenv(f"OPENAI_{name}", f"X-Key: {secret}" if name == "CUSTOM_HEADERS" else secret)
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    model = Model((), {"https://api.example": SecretStr(secret)})
    await model.answer(ModelCall("t1", cases.url, "ok", [], {}), Progress())
    await model.close()
    _, headers, body = cases.requests[-1]
    assert secret not in json.dumps([headers, body])
    assert headers["authorization"] == "Bearer EMPTY"
    assert headers.keys() == {
        *("host", "accept", "accept-encoding", "authorization", "content-length", "content-type"),
        *("user-agent", "x-request-id"),
    }


class Names(AbstractResolver):
    """Resolves names as given."""

    def __init__(self, **addresses: str) -> None:
        self._addresses = addresses
        self.asked: list[str] = []

    async def resolve(self, host: str, port: int = 0, family: Any = socket.AF_UNSPEC) -> list[ResolveResult]:
        self.asked.append(host)
        if host not in self._addresses:
            raise OSError(None, "no such name")
        address = self._addresses[host]
        kind = socket.AF_INET6 if ":" in address else socket.AF_INET
        return [{"hostname": host, "host": address, "port": port, "family": kind, "proto": 6, "flags": 0}]

    async def close(self) -> None:
        pass


@pytest.mark.parametrize("address", ["169.254.169.254", "fd00:ec2::254", "::ffff:169.254.169.254", "168.63.129.16"])
async def test_a_name_that_resolves_to_metadata_is_not_called(open_model: Open, address: str) -> None:
    model = open_model(transport=Transport(Names(innocent=address)))
    with pytest.raises(Failure) as failure:
        await model.answer(ModelCall("t1", "http://innocent", "m", [], {}), Progress())
    assert (failure.value.kind, failure.value.retryable) == ("UrlNotAllowed", False)


@pytest.mark.parametrize("url", ["http://innocent:9", "http://127.0.0.1:9", "http://[::1]:9"])
async def test_a_runner_can_refuse_to_call_its_own_node(open_model: Open, url: str) -> None:
    model = open_model(transport=Transport(Names(innocent="127.0.0.1"), refuse_own=True))
    with pytest.raises(Failure, match="DELIBERATION_VLLM_REFUSE_OWN") as failure:
        await model.answer(ModelCall("t1", url, "m", [], {}), Progress())
    assert (failure.value.kind, failure.value.retryable) == ("UrlNotAllowed", False)


async def test_the_address_that_was_checked_is_the_one_that_is_called(cases: Server, open_model: Open) -> None:
    names = Names(model="127.0.0.1")
    model = open_model(transport=Transport(names))
    url = cases.url.replace("127.0.0.1", "model")
    for _ in range(3):
        assert (await model.answer(ModelCall("t1", url, "ok", [], {}), Progress())).finish_reason == "stop"
    assert names.asked == ["model"], "once for all connections within a while"


async def test_a_name_that_does_not_resolve_is_a_failed_attempt(open_model: Open) -> None:
    model = open_model(transport=Transport(Names()))
    with pytest.raises(Failure, match="cannot reach http://nowhere") as failure:
        await model.answer(ModelCall("t1", "http://nowhere", "m", [], {}), Progress())
    assert (failure.value.kind, failure.value.retryable) == ("ModelUnavailable", True)


async def test_names_that_hang_delay_their_own_turns_only(cases: Server, open_model: Open) -> None:
    """The name server answers nothing; `localhost` needs none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        servers = [f"127.0.0.1:{silent.getsockname()[1]}"]
        model = open_model(transport=Transport(aiohttp.AsyncResolver(nameservers=servers, timeout=30, tries=1)))
        hung = [
            asyncio.create_task(model.answer(ModelCall("t1", f"http://hung{number}.example", "m", [], {}), Progress()))
            for number in range(50)
        ]
        await asyncio.sleep(0.1)
        url = cases.url.replace("127.0.0.1", "localhost")
        answer = await asyncio.wait_for(model.answer(ModelCall("t1", url, "ok", [], {}), Progress()), 2)
        assert answer.finish_reason == "stop"
        assert not any(each.done() for each in hung)
        for each in hung:
            each.cancel()
        await asyncio.gather(*hung, return_exceptions=True)


async def test_an_error_after_tokens_is_one_call(open_model: Open) -> None:
    progress = Progress()
    async with RawModel(piece("a"), piece("b"), {"error": {"message": "xgrammar: FSM compile failed"}}) as server:
        with pytest.raises(Failure, match="FSM compile failed"):
            await open_model().answer(ModelCall("t1", server.url, "m", [], {"response_format": SCHEMA}), progress)
    assert (progress.calls, progress.tokens) == (1, 2)


async def test_a_rate_limit_that_names_a_format_is_one_call(stand_in: Any, name: str, open_model: Open) -> None:
    headers = {"retry-after": "30"}
    stand_in.script(name, {"status": 429, "error": "rate limit for structured_outputs", "headers": headers})
    call = ModelCall("t1", stand_in.url, name, [], {"response_format": SCHEMA})
    with pytest.raises(Overloaded) as overloaded:
        await open_model().answer(call, Progress())
    assert overloaded.value.seconds == 30
    assert len(stand_in.calls(name)) == 1


def test_a_short_body_that_renders_to_gigabytes_is_refused() -> None:
    parts = [{"ref": "task"}] * 256
    messages = [{"role": "user", "parts": parts}] * 64
    body = submit(turn(messages=messages), common={"task": "x" * 1_000_000})
    with pytest.raises(ValidationError, match=rf"turns\[0\]\.messages: render to more than {PROMPT_BYTES} bytes"):
        Submit.model_validate(body)
    large = [turn(messages=[{"role": "user", "parts": [{"ref": "task"}] * 4}]) for _ in range(100)]
    with pytest.raises(ValidationError, match="together"):
        Submit.model_validate(submit(*large, common={"task": "é" * 500_000}))


async def test_a_runner_holds_a_bounded_number_of_bytes(open_model: Open) -> None:
    async with RawModel(piece("y" * 30_000), finish()) as server:
        turns = Turns(open_model().answer, 99, Endpoints(9, 9), memory_bytes=130_000)

        def submitted(key: str) -> str:
            body = submit(turn(key, url=server.url), common={"task": "é" * 30_000}, deliberation=key)
            return turns.submit(Submit.model_validate(body))[0]["status"]

        assert submitted("t1") == "accepted"
        assert 60_000 < turns.held_bytes < 61_000, "the prompt"
        with pytest.raises(Refusal, match="bytes") as refusal:
            submitted("t2")
        assert (refusal.value.status, refusal.value.kind, refusal.value.cause) == (429, "full", "memory")
        assert submitted("t1") == "attached"
        await turns.wait(["t1"], 30)
        assert turns.held_bytes == 30_000, "the answer"
        assert submitted("t2") == "accepted"
        await turns.forget({"t1": 1, "t2": 1}, "", "")
        assert turns.held_bytes == 0


async def test_an_empty_runner_takes_whatever_is_legal(open_model: Open) -> None:
    turns = Turns(open_model().answer, 99, Endpoints(9, 9), memory_bytes=10)
    assert turns.submit(Submit.model_validate(submit(turn("t1"))))[0]["status"] == "accepted"
    await turns.forget({"t1": 1}, "", "")


async def test_what_a_caller_adds_to_the_body_is_sent_as_it_is(cases: Server, open_model: Open) -> None:
    extra = {"chat_template_kwargs": {"enable_thinking": False}, "reasoning_effort": "low", "top_k": 20}
    await open_model().answer(ModelCall("t1", cases.url, "ok", [], {"max_tokens": 9, "extra_body": extra}), Progress())
    _, _, body = cases.requests[-1]
    assert {key: body[key] for key in extra} == extra
    assert (body["max_tokens"], "extra_body" in body) == (9, False)


KEYS = json.loads((Path(__file__).parent / "extra_body_keys.json").read_text())


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


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_numbers_that_json_does_not_have_are_refused(number: float) -> None:
    with pytest.raises(ValidationError, match="finite number"):
        Submit.model_validate(submit(turn(parameters={"temperature": number})))


class ClosesAfterOne:
    """A server that answers one call of each connection, then takes another and closes the connection after a while."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.calls = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for call in range(2):
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
            await reader.readexactly(length)
            self.calls += 1
            if call:
                await asyncio.sleep(self._seconds)
                break
            body = json.dumps({"choices": [{"message": {"content": "yes"}, "finish_reason": "stop"}]}).encode()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        writer.close()


@pytest.mark.parametrize(("seconds", "calls"), [(0.0, 3), (1.5, 2)])
async def test_a_kept_connection_that_is_being_closed_is_no_failed_call(
    open_model: Open, seconds: float, calls: int
) -> None:
    closing = ClosesAfterOne(seconds)
    server = await asyncio.start_server(closing.serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    model = open_model()
    assert (await model.answer(ModelCall("t1", url, "m", [], {}), Progress())).text == "yes"
    if seconds:  # the server may have worked on it: that is for the caller to repeat
        with pytest.raises(Failure, match="without an answer"):
            await model.answer(ModelCall("t1", url, "m", [], {}), Progress())
    else:
        assert (await model.answer(ModelCall("t1", url, "m", [], {}), Progress())).text == "yes"
    assert closing.calls == calls
    server.close()
