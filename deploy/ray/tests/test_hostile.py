"""What a strange or hostile model server gets to see, and which of its answers count as calls."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from model_cases.server import Server
from pydantic import SecretStr, ValidationError
from raw_model import RawModel, piece
from submission import SCHEMA, submit, turn

from deliberation_ray.failures import Failure, Overloaded
from deliberation_ray.model import Model, ModelCall, Progress
from deliberation_ray.wire import Submit

Open = Callable[..., Model]


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
