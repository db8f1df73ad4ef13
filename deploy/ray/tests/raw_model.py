"""A model server that streams the given events, however odd, and then ends as given. Bytes are sent as they are."""

import asyncio
import json
from types import TracebackType
from typing import Any, Literal

# A stream ends with [DONE], without it, in the middle of the body, or not at all.
End = Literal["done", "ended", "cut", "silence"]

HEADERS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def piece(content: Any, **choice: Any) -> dict[str, Any]:
    return {"model": "m", "choices": [{"index": 0, "delta": {"content": content}, "finish_reason": None, **choice}]}


def finish(reason: Any = "stop", **event: Any) -> dict[str, Any]:
    return {"model": "m", "choices": [{"index": 0, "delta": {}, "finish_reason": reason}], **event}


def usage(prompt: Any, completion: Any) -> dict[str, Any]:
    return {"model": "m", "choices": [], "usage": {"prompt_tokens": prompt, "completion_tokens": completion}}


class RawModel:
    """`sent` is set when all events are sent, `left` when the client has closed the connection."""

    def __init__(self, *events: Any, end: End = "done") -> None:
        self._events = events
        self._end = end
        self.sent = asyncio.Event()
        self.left = asyncio.Event()

    async def __aenter__(self) -> "RawModel":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        (length,) = (line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        await reader.readexactly(int(length.split(b":")[1]))
        writer.write(HEADERS)
        for event in self._events:
            writer.write(_raw(event) if isinstance(event, bytes) else _chunk(event))
        if self._end == "done":
            writer.write(_chunk("[DONE]"))
        if self._end in ("done", "ended"):
            writer.write(b"0\r\n\r\n")
        await writer.drain()
        self.sent.set()
        if self._end == "silence":
            await reader.read()
            self.left.set()
        writer.close()


def _chunk(event: Any) -> bytes:
    data = event if isinstance(event, str) else json.dumps(event)
    return _raw(f"data: {data}\n\n".encode())


def _raw(sent: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(sent), sent)
