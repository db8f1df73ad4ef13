"""One chat completion: streamed or whole, as its script says. It ends when the client leaves."""

import asyncio
import json
import time
from dataclasses import dataclass
from typing import Any

import canned
from calls import Call
from script import Step
from starlette.types import Message, Receive, Send

_CHUNKS = 20
_REPEAT_CHUNK = 64 * 1024


@dataclass(frozen=True)
class Asked:
    """What the stand-in reads of a request."""

    model: str
    messages: Any
    stream: bool
    include_usage: bool
    response_format: str | None
    schema: dict[str, Any] | None

    @classmethod
    def of(cls, body: dict[str, Any]) -> "Asked":
        return cls(
            model=str(body.get("model", "")),
            messages=body.get("messages"),
            stream=bool(body.get("stream")),
            include_usage=bool((body.get("stream_options") or {}).get("include_usage")),
            response_format=(body.get("response_format") or {}).get("type"),
            schema=((body.get("response_format") or {}).get("json_schema") or {}).get("schema"),
        )


class Completion:
    def __init__(self, asked: Asked, step: Step, gate: asyncio.Event, call: Call, delay: float, send: Send) -> None:
        self._asked = asked
        self._step = step
        self._gate = gate
        self._call = call
        self._delay = delay
        self._send = send

    async def run(self, receive: Receive) -> None:
        """Answers until it is done or the client closes the connection."""
        reply = asyncio.create_task(self._reply())
        leaving = asyncio.create_task(_disconnected(receive))
        try:
            await asyncio.wait([reply, leaving], return_when=asyncio.FIRST_COMPLETED)
            if not reply.done():
                self._call.end("disconnected")
            else:
                reply.result()
        finally:
            for task in (reply, leaving):
                task.cancel()
            await asyncio.gather(reply, leaving, return_exceptions=True)

    async def _reply(self) -> None:
        step = self._step
        if step.hang:
            await asyncio.Event().wait()
        if step.hold:
            await self._gate.wait()
        refusal = step.refusal(self._asked.response_format)
        if refusal or step.redirect or not self._asked.stream:
            await asyncio.sleep(step.delay_seconds or 0)
        if step.redirect:
            await self._whole(step.status or 307, {}, {"location": step.redirect, **step.headers})
        elif refusal:
            await self._whole(refusal[0], _error(*refusal), step.headers)
        elif self._asked.stream:
            await self._stream()
        else:
            await asyncio.sleep(self._delay if step.delay_seconds is None else 0)
            await self._whole(200, self._completion(), step.headers)

    async def _whole(self, status: int, body: dict[str, Any], headers: dict[str, str]) -> None:
        await self._start(status, {"content-type": "application/json", **headers})
        self._call.end("completed" if status < 300 else "error")
        await self._send({"type": "http.response.body", "body": json.dumps(body).encode()})

    async def _start(self, status: int, headers: dict[str, str]) -> None:
        self._call.status = status
        raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        await self._send({"type": "http.response.start", "status": status, "headers": raw})

    async def _stream(self) -> None:
        step = self._step
        await self._start(200, {"content-type": "text/event-stream", **step.headers})
        if step.line_bytes is not None:
            await self._endless_line(step.line_bytes)
            return
        await self._event({"role": "assistant", "content": ""}, None)
        await asyncio.sleep(step.delay_seconds or 0)
        for number, piece in enumerate(self._pieces()):
            if number == step.reset_after_chunks:
                self._call.end("error")
                return  # the server closes the connection, since the response is incomplete
            await asyncio.sleep(self._chunk_delay())
            await self._event({"content": piece}, None)
        if step.finish_reason:
            await self._event({}, step.finish_reason)
        if step.reset_after_finish:
            self._call.end("error")
            return
        if self._asked.include_usage:
            await self._data({**self._frame("chat.completion.chunk"), "choices": [], "usage": self._usage()})
        self._call.end("completed")
        await self._send({"type": "http.response.body", "body": b"data: [DONE]\n\n"})

    async def _endless_line(self, length: int) -> None:
        """Sends an event that never ends."""
        await self._write(b"data: ")
        for start in range(0, length, _REPEAT_CHUNK):
            await self._write(b"x" * min(_REPEAT_CHUNK, length - start))
        await asyncio.Event().wait()

    def _chunk_delay(self) -> float:
        if self._step.chunk_delay_seconds is not None:
            return self._step.chunk_delay_seconds
        return self._delay / _CHUNKS if self._step.delay_seconds is None else 0.0

    def _text(self) -> str:
        if self._step.repeat_bytes is not None:
            return "x" * self._step.repeat_bytes
        if self._step.text is not None:
            return self._step.text
        asked = self._asked
        return canned.answer(asked.messages, asked.response_format, self._call.request_id, asked.schema, asked.model)

    def _pieces(self) -> list[str]:
        text = self._text()
        return canned.pieces(text, max(_CHUNKS, len(text) // _REPEAT_CHUNK))

    async def _event(self, delta: dict[str, str], finish_reason: str | None) -> None:
        choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
        await self._data({**self._frame("chat.completion.chunk"), "choices": [choice]})

    async def _data(self, payload: dict[str, Any]) -> None:
        body = f"data: {json.dumps(payload)}\n\n".encode()
        if self._step.drip_seconds is None:
            await self._write(body)
            return
        for byte in body:
            await asyncio.sleep(self._step.drip_seconds)
            await self._write(bytes([byte]))

    async def _write(self, body: bytes) -> None:
        await self._send({"type": "http.response.body", "body": body, "more_body": True})

    def _completion(self) -> dict[str, Any]:
        message = {"role": "assistant", "content": self._text()}
        choice = {"index": 0, "message": message, "finish_reason": self._step.finish_reason}
        return {**self._frame("chat.completion"), "choices": [choice], "usage": self._usage()}

    def _frame(self, kind: str) -> dict[str, Any]:
        name = self._call.request_id or "canned"
        return {"id": f"chatcmpl-{name}", "object": kind, "created": int(time.time()), "model": self._asked.model}

    def _usage(self) -> dict[str, int]:
        prompt, completion = canned.tokens(json.dumps(self._asked.messages)), canned.tokens(self._text())
        return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def _error(status: int, message: str) -> dict[str, Any]:
    return {"error": {"message": message, "type": "StandInError", "param": None, "code": status}}


async def _disconnected(receive: Receive) -> None:
    message: Message = {"type": ""}
    while message["type"] != "http.disconnect":
        message = await receive()
