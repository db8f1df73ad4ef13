"""Reads a model server's response to its end, within bounds, and lets other turns use the event loop meanwhile."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp

from deliberation_ray.failures import Failure
from deliberation_ray.reply import ANSWER_BYTES, Reply
from deliberation_ray.server_error import error_in_body, error_in_data, is_bare_error
from deliberation_ray.sse import Done, Events, Lines, TooLarge, check_parts
from deliberation_ray.transport import Patience

# The longest permitted answer with each character escaped, and the JSON around it.
EVENT_BYTES = 3 * ANSWER_BYTES + 64 * 1024
# A token takes about 300 bytes and 3 lines. The rest is for comments and events that keep connections open.
RAW_BYTES = 8 * 1024 * 1024
_RAW_BYTES_PER_TOKEN = 1024
_LINES = 20_000
_LINES_PER_TOKEN = 16
_MOST_TOKENS = 32_768
_GZIP = b"\x1f\x8b"
# White space and the byte order mark. Some servers keep a connection open with blank lines before they answer.
_BLANK = b" \t\r\n\xef\xbb\xbf"
_BLANK_BYTES = 64 * 1024
# After this many lines, other turns get the event loop.
_LINES_AT_A_STRETCH = 32
# How long to wait for the usage, which comes right after the finish reason, or never.
USAGE_SECONDS = 2.0
# How long to wait for the end of the stream after [DONE]. Only then can the connection be kept.
_END_SECONDS = 0.25


class Reading:
    """Reads one response to its end: a stream, or one JSON object."""

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

    async def read(self, max_tokens: int | None) -> None:
        most_tokens = max_tokens or _MOST_TOKENS
        lines = Lines(RAW_BYTES + most_tokens * _RAW_BYTES_PER_TOKEN, EVENT_BYTES)
        left = _LINES + most_tokens * _LINES_PER_TOKEN
        blocks = self._blocks()
        first = await _first_text(blocks)
        if first.startswith(_GZIP):
            raise Failure("ModelRejected", f"{self._url} answers compressed, though it was asked not to")
        if first.lstrip(_BLANK)[:1] in (b"{", b"[", b"<"):
            await self._read_whole(first, blocks)
            return
        async for block in _prepended(first, blocks):
            for line in [b"", *lines.of(block)]:  # a block costs as much as a line, so it counts as one
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
            self._patience.byte_came()
            yield block

    def _take(self, event: dict[str, Any] | Done | None) -> None:
        if event is None or self._done:
            return
        if isinstance(event, Done):
            self._done = True
            self._patience.end_within(_END_SECONDS)
            return
        if event.get("error") or event.get("object") == "error" or is_bare_error(event):
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
        elif self._finished and not finished:  # text came after the finish reason
            self._patience.allow(self._later)
        self._finished = finished

    def _end(self) -> None:
        """Raises if the stream ended without [DONE], without a finish reason, and without an answer.

        Some servers just close the stream. The reader of the answer checks whether it is complete.
        """
        if self._done or self._reply.finish_reason:
            return
        self._events.end()
        if self._reply.has_text and not self._events.words:
            return
        said = f": {self._events.words}" if self._events.words else ""
        raise Failure("ModelUnavailable", f"the stream ended early, without a finish_reason{said}")

    async def _read_whole(self, first: bytes, blocks: AsyncIterator[bytes]) -> None:
        """Reads a body without events: a completion, its pieces on lines, an error with status 200, or a page."""
        body = bytearray(first)
        async for block in blocks:
            body += block
            if len(body) > EVENT_BYTES:
                raise TooLarge(f"the response is larger than {EVENT_BYTES} bytes")
        check_parts(body)
        events = _events_in(bytes(body))
        for event in events:
            self._take(event)
        if events:
            return
        error = error_in_body(None, bytes(body), {})
        if not error.words or (error.status is None and error.data is None):
            kind = self._response.content_type
            raise Failure("ModelRejected", f"{self._url} answered {kind}, not the OpenAI protocol: {error.words}")
        raise error


def _events_in(body: bytes) -> list[dict[str, Any]]:
    """Returns the completion, or its pieces if each is on a line of its own; empty if the body has none."""
    lines = body.splitlines() if body.count(b"\n") <= _LINES else []
    for texts in ([body], lines):
        try:
            found = [json.loads(text) for text in texts if text.strip()]
        except (ValueError, RecursionError):
            continue
        if all(map(_is_completion, found)) and any(each["choices"] for each in found):
            return found
    return []


def _is_completion(data: Any) -> bool:
    return isinstance(data, dict) and isinstance(data.get("choices"), list) and not data.get("error")


async def _first_text(blocks: AsyncIterator[bytes]) -> bytes:
    """Reads the body up to the first block that has more than white space."""
    first = b""
    async for block in blocks:
        first += block
        if first.strip(_BLANK) or len(first) > _BLANK_BYTES:
            break
    return first


async def _prepended(first: bytes, blocks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for block in blocks:
        yield block
