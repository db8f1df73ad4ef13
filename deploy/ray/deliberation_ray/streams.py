"""The text of turns while it comes, on NATS. Nothing waits for it, and what can't be sent is dropped."""

import asyncio
import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Protocol

from deliberation_ray.wire import Submit, TurnSpec

# A person sees no steps below 100 ms, and a message for each token would cost more than the token.
BATCH_SECONDS = 0.075
# What one turn may have waiting. A message stays below NATS's default limit of 1 MiB, even with each character escaped.
WAITING_CHARACTERS = 64 * 1024

_SOURCE = "/deliberations"
_TYPE = "io.deliberation.tokens.v1"
_VISIBLE_ASCII = range(0x21, 0x7F)

_log = logging.getLogger("deliberation_ray.streams")


class Publisher(Protocol):
    """Takes a message within milliseconds, or raises."""

    async def publish(self, subject: str, payload: bytes) -> None: ...


def token(name: str) -> str:
    """One token of a subject, encoded as the worker encodes the subjects of its events."""
    kept = (
        chr(byte) if byte in _VISIBLE_ASCII and chr(byte) not in ".*>%" else f"%{byte:02X}"
        for byte in name.encode(errors="replace")
    )
    return "".join(kept) or "%"


class TurnStream:
    """The messages of one turn. Each has a number, so that a watcher sees what is missing."""

    def __init__(self, spec: TurnSpec, submit: Submit, wake: Callable[["TurnStream"], None]) -> None:
        self.agent = (submit.deliberation, spec.agent_id)
        self._about = {
            "deliberation_id": submit.deliberation,
            "agent_id": spec.agent_id,
            "submission_id": spec.submission_id,
            "phase": spec.phase,
            "round": spec.round,
            "attempt": spec.attempt,
        }
        self._wake = wake
        self._sequence = 0
        self._tokens = 0
        self._texts: list[str] = []
        self._characters = 0
        self._begins = self._lost = False
        self._state = ""

    def begin(self) -> None:
        """The turn calls its model."""
        self._begins = True
        self._wake(self)

    def add(self, text: str) -> None:
        """A token has come; the text is empty if it is a thought."""
        kept = text[: WAITING_CHARACTERS - self._characters]
        self._lost |= len(kept) < len(text)
        self._tokens += 1
        self._texts.append(kept)
        self._characters += len(kept)
        self._wake(self)

    def end(self, state: str) -> None:
        self._state = state
        self._wake(self)

    def take(self) -> tuple[list[dict[str, Any]], bool]:
        """The messages since the last time, and whether text was dropped between them."""
        messages = []
        if self._begins:
            messages.append(self._message("start"))
        if self._texts:
            messages.append(self._message("text", text="".join(self._texts)))
        lost = self._lost
        if lost:  # the gap in the numbers shows it
            self._sequence += 1
        if self._state:
            messages.append(self._message("complete", state=self._state))
        self._begins, self._lost, self._texts, self._characters = False, False, [], 0
        return messages, lost

    def _message(self, kind: str, **more: str) -> dict[str, Any]:
        self._sequence += 1
        return {**self._about, "kind": kind, "sequence": self._sequence, "tokens": self._tokens, "text": "", **more}


class Streams:
    """All streams of a runner. One task sends what they have, so that a thousand turns need one timer."""

    def __init__(self, publisher: Publisher, prefix: str, count: Callable[[str, int], None]) -> None:
        self._publisher = publisher
        self._prefix = prefix
        self._count = count
        self._waiting: dict[TurnStream, None] = {}
        self._woken = asyncio.Event()

    def open(self, spec: TurnSpec, submit: Submit) -> TurnStream:
        return TurnStream(spec, submit, self._wake)

    def _wake(self, stream: TurnStream) -> None:
        self._waiting[stream] = None
        self._woken.set()

    async def keep(self) -> None:
        """Sends batches for ever."""
        while True:
            await self._woken.wait()
            await asyncio.sleep(BATCH_SECONDS)
            self._woken.clear()
            streams, self._waiting = self._waiting, {}
            for stream in streams:
                await self._send(stream)

    async def _send(self, stream: TurnStream) -> None:
        messages, lost = stream.take()
        sent = 0
        for message in messages:
            try:
                await self._publisher.publish(self._subject(stream), _encoded(message))
                sent += 1
            except Exception as error:
                _log.debug("dropped a message: %s", type(error).__name__)
            await asyncio.sleep(0)
        self._count("sent", sent)
        self._count("dropped", len(messages) - sent + lost)

    def _subject(self, stream: TurnStream) -> str:
        return ".".join([self._prefix, "tokens", *map(token, stream.agent)])


def _encoded(message: dict[str, Any]) -> bytes:
    event = {
        "specversion": "1.0",
        "id": f"{message['submission_id']}/{message['sequence']}",
        "source": _SOURCE,
        "type": _TYPE,
        "subject": message["deliberation_id"],
        "datacontenttype": "application/json",
        "time": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
        "data": message,
    }
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")
