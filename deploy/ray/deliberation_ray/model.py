"""One call of a model over the OpenAI protocol."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
from pydantic import SecretStr

from deliberation_ray.addresses import AddressRefused, check_url, has_key
from deliberation_ray.dialect import Dialect, DialectMemory
from deliberation_ray.failures import Failure, Overloaded, failure_of
from deliberation_ray.model_url import base_urls, chat_url, origin
from deliberation_ray.progress import Progress
from deliberation_ray.reply import ANSWER_BYTES, Answer, Reply
from deliberation_ray.server_error import ServerError, error_in_body, error_in_data
from deliberation_ray.sse import Done, Events, Lines, TooLarge, check_parts
from deliberation_ray.transport import Patience, Transport

__all__ = ["Answer", "Model", "ModelCall", "Patiences", "Progress"]

# The longest answer permitted, with all of its characters escaped, and what is around it.
EVENT_BYTES = 3 * ANSWER_BYTES + 64 * 1024
# A token costs some 300 bytes and 3 lines of framing; the rest is for what keeps connections open.
RAW_BYTES = 8 * 1024 * 1024
_RAW_BYTES_PER_TOKEN = 1024
_LINES = 20_000
_LINES_PER_TOKEN = 16
_MOST_TOKENS = 32_768
# So many lines are read at a stretch; then other turns have the loop.
_LINES_AT_A_STRETCH = 32
# The usage comes right after the finish reason, or never.
USAGE_SECONDS = 2.0
# So long a server may take to end a stream after [DONE], so that its connection can be kept.
_END_SECONDS = 0.25
# Callers give a turn more time than they wait themselves: a safety net of this length.
_CALLER_MARGIN_SECONDS = 60.0
_LISTED_BYTES = 4 * 1024 * 1024
_TRACEPARENT = re.compile(r"[0-9a-f-]{1,100}")


@dataclass(frozen=True)
class ModelCall:
    """`seconds` is the time that its turn has left."""

    submission_id: str
    vllm_url: str
    model: str
    messages: list[dict[str, str]]
    parameters: dict[str, Any]
    traceparent: str = ""
    seconds: float = 3600.0


@dataclass(frozen=True)
class Patiences:
    """How long a server may be silent."""

    silence_seconds: float = 60.0  # after the first token
    first_token_share: float = 0.5  # before it: of the time that is left, since a busy server queues without a word

    def before_first_token(self, seconds_left: float) -> float:
        callers = max(seconds_left - _CALLER_MARGIN_SECONDS, seconds_left / 2)
        return callers * self.first_token_share

    def after_first_token(self, seconds_left: float) -> float:
        return min(self.silence_seconds, self.before_first_token(seconds_left))


class Model:
    """Calls any endpoint; holds what all calls of a runner share."""

    def __init__(
        self,
        allow: tuple[str, ...],
        keys: Mapping[str, SecretStr],
        patiences: Patiences | None = None,
        transport: Transport | None = None,
    ) -> None:
        self._allow = allow
        self._keys = keys
        self._patiences = patiences or Patiences()
        self._transport = transport or Transport()
        self._dialects = DialectMemory()

    async def close(self) -> None:
        await self._transport.close()

    async def answer(self, call: ModelCall, progress: Progress) -> Answer:
        """Raises Failure. Cancelling it closes the connection, which aborts the generation in vLLM."""
        self._check(call.vllm_url)
        endpoint = (call.vllm_url, call.model)
        dialect = self._dialects.of(endpoint)
        first_refusal: Failure | None = None
        while True:
            url = chat_url(base_urls(call.vllm_url)[dialect.other_base])
            tokens_before = progress.tokens
            progress.calls += 1
            try:
                answer = await self._ask(url, call, dialect, progress)
            except Exception as error:
                failure = failure_of(error, url)
                untouched = progress.tokens == tokens_before
                plainer = _plainer(error, failure, dialect, call) if untouched else None
                if plainer is None:
                    raise _final(failure, first_refusal, dialect, untouched, progress) from error
                first_refusal = first_refusal or failure
                dialect = plainer
            else:
                self._dialects.worked(endpoint, dialect)
                return answer

    async def listed(self, vllm_url: str) -> list[str]:
        """The names of the server's models."""
        self._check(vllm_url)
        for base in base_urls(vllm_url):
            try:
                async with self._transport.request("GET", f"{base}/models", self._headers(vllm_url)) as response:
                    body = await response.content.read(_LISTED_BYTES)
            except ServerError as error:
                if error.status != 404:
                    raise
            else:
                return [str(card["id"]) for card in json.loads(body)["data"]]
        return []

    def _check(self, vllm_url: str) -> None:
        try:
            check_url(vllm_url, self._allow)
        except AddressRefused as error:
            raise Failure("UrlNotAllowed", str(error)) from error

    def _headers(self, vllm_url: str) -> dict[str, str]:
        key = next((key for pattern, key in self._keys.items() if has_key(pattern, *origin(vllm_url))), None)
        return {"Authorization": f"Bearer {key.get_secret_value() if key else 'EMPTY'}"}

    async def _ask(self, url: str, call: ModelCall, dialect: Dialect, progress: Progress) -> Answer:
        headers = {
            **self._headers(call.vllm_url),
            "Content-Type": "application/json",
            "Accept": "text/event-stream, application/json",
            "X-Request-Id": call.submission_id,
        }
        if _TRACEPARENT.fullmatch(call.traceparent):
            headers["traceparent"] = call.traceparent
        body = json.dumps(dialect.body(call.model, call.messages, call.parameters), ensure_ascii=False)
        limit = call.parameters.get("max_tokens")
        reply = Reply(call.model, dialect.format_of(call.parameters), progress, limit)
        patience = Patience(self._patiences.before_first_token(call.seconds))
        later = self._patiences.after_first_token(call.seconds)
        try:
            async with (
                patience,
                self._transport.request("POST", url, headers, body.encode(errors="replace")) as response,
            ):
                reading = _Reading(response, reply, patience, later, url, progress.on_first_token)
                await reading.read(limit or _MOST_TOKENS)
        except (Exception, asyncio.CancelledError):
            # After the finish reason the answer is whole and paid for: only its usage can still get lost.
            if not (reply.finished_once and reply.begun):
                if patience.over:
                    raise Failure("ModelTimeout", _silence(url, reply.begun, patience.seconds)) from None
                raise
        return reply.answer()


def _plainer(error: Exception, failure: Failure, dialect: Dialect, call: ModelCall) -> Dialect | None:
    if not isinstance(error, ServerError) or isinstance(failure, Overloaded) or failure.kind == "ContextTooLong":
        return None
    return dialect.without(error, call.parameters)


def _final(
    failure: Failure, first_refusal: Failure | None, dialect: Dialect, untouched: bool, progress: Progress
) -> Failure:
    if isinstance(failure, Overloaded):
        if not untouched:  # the call had begun: it is a failed attempt
            return Failure("ModelUnavailable", failure.message)
        progress.calls -= 1
        return failure
    # Both forms of the base failed: the one that was meant is the one to compare with the server's documentation.
    if first_refusal and dialect.other_base and failure.kind == "ModelRejected" and failure.message.startswith("404"):
        return first_refusal
    return failure


def _silence(url: str, begun: bool, seconds: float) -> str:
    what = "fell silent" if begun else "has not begun to answer"
    return f"the server {what}: nothing came from {url} for {seconds:.0f} s"


class _Reading:
    """Reads one response to its end, in whatever way the server sends it."""

    def __init__(
        self,
        response: aiohttp.ClientResponse,
        reply: Reply,
        patience: Patience,
        later: float,
        url: str,
        on_first_token: Callable[[], None],
    ) -> None:
        self._response = response
        self._reply = reply
        self._patience = patience
        self._later = later
        self._url = url
        self._on_first_token = on_first_token
        self._events = Events()
        self._begun = False
        self._finished = False
        self._done = False

    async def read(self, most_tokens: int) -> None:
        lines = Lines(RAW_BYTES + most_tokens * _RAW_BYTES_PER_TOKEN, EVENT_BYTES)
        left = _LINES + most_tokens * _LINES_PER_TOKEN
        blocks = self._blocks()
        first = await _first_text(blocks)
        if first.lstrip()[:1] in (b"{", b"[", b"<"):
            await self._read_whole(first, blocks)
            return
        async for block in _prepended(first, blocks):
            for line in [b"", *lines.of(block)]:  # a block counts as a line: it costs as much
                left -= 1
                if not left % _LINES_AT_A_STRETCH:
                    await asyncio.sleep(0)
                self._take(self._events.of(line))
            if left < 0:
                raise TooLarge(f"the stream has more lines than an answer of {most_tokens} tokens needs")
        for line in lines.rest():
            self._take(self._events.of(line))
        self._end()

    async def _blocks(self) -> AsyncIterator[bytes]:
        async for block in self._response.content.iter_any():
            self._patience.heard()
            yield block

    def _take(self, event: dict[str, Any] | Done | None) -> None:
        if event is None or self._done:
            return
        if isinstance(event, Done):
            self._done = True
            self._patience.end_within(_END_SECONDS)
            return
        if event.get("error") or event.get("object") == "error" or _is_bare_error(event):
            if not self._reply.finished_once:
                raise error_in_data(None, event)
            return
        self._reply.take(event)
        self._adjust_patience()

    def _adjust_patience(self) -> None:
        reply = self._reply
        if reply.begun and not self._begun:
            self._begun = True
            self._patience.allow(self._later)
            self._on_first_token()
        finished = reply.finished_once and reply.begun
        if finished and not self._finished:
            self._patience.end_within(USAGE_SECONDS)
        elif self._finished and not finished:  # it was not the end after all
            self._patience.allow(self._later)
        self._finished = finished

    def _end(self) -> None:
        """Raises unless the stream had an end of its own."""
        if self._done or self._reply.finish_reason:
            return
        self._events.end()
        said = f": {self._events.words}" if self._events.words else ""
        raise Failure("ModelUnavailable", f"the stream ended early, without a finish_reason{said}")

    async def _read_whole(self, first: bytes, blocks: AsyncIterator[bytes]) -> None:
        """The server didn't stream, or this is a page or an error with status 200."""
        body = bytearray(first)
        async for block in blocks:
            body += block
            if len(body) > EVENT_BYTES:
                raise TooLarge(f"the response is larger than {EVENT_BYTES} bytes")
        check_parts(body)
        data = _completion_in(bytes(body))
        if data is not None:
            self._reply.take(data)
            return
        error = error_in_body(None, bytes(body), {})
        if not error.words or (error.status is None and error.data is None):
            kind = self._response.content_type
            raise Failure("ModelRejected", f"{self._url} answered {kind}, not the OpenAI protocol: {error.words}")
        raise error


def _is_bare_error(event: dict[str, Any]) -> bool:
    """Errors without an `error` around them, as some servers send them."""
    if "choices" in event or "usage" in event:
        return False
    return any(isinstance(event.get(key), str) and event[key] for key in ("message", "detail")) and bool(
        event.keys() & {"code", "detail", "status", "status_code"}
    )


def _completion_in(body: bytes) -> dict[str, Any] | None:
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if isinstance(data, dict) and isinstance(data.get("choices"), list) and data["choices"] and not data.get("error"):
        return data
    return None


async def _first_text(blocks: AsyncIterator[bytes]) -> bytes:
    """The beginning of the body, up to the first character that isn't white space."""
    first = b""
    async for block in blocks:
        first += block
        if first.strip(b" \t\r\n\xef\xbb\xbf") or len(first) > 4096:
            break
    return first


async def _prepended(first: bytes, blocks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for block in blocks:
        yield block
