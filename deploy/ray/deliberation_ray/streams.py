"""The text of turns while they run, for watchers. No turn waits for it, and text that can't be sent is dropped.

A runner with NATS publishes it. Otherwise the answers to waits carry it to a worker, which publishes it.
"""

import asyncio
import json
import logging
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, Protocol

from deliberation_ray import untrusted
from deliberation_ray.pieces import Pieces
from deliberation_ray.progress import Progress
from deliberation_ray.wire import Submit, TurnSpec

# A person sees no steps below 100 ms, and a message for each token would cost more than the token.
BATCH_SECONDS = 0.075
# The text of one message, which stays below NATS's default limit of 1 MiB, even with each character escaped.
MESSAGE_CHARACTERS = 64 * 1024
# The bytes of text in the answer to a wait, which one more message may exceed. As JSON, a byte takes up to 6.
ANSWER_BYTES = 512 * 1024

# If a subject exceeds the control line of 4 KiB, NATS closes the connection, which all turns share.
MOST_SUBJECT_CHARACTERS = 3900

_SOURCE = "/deliberations"
_TYPE = "io.deliberation.tokens.v1"
_VISIBLE_ASCII = range(0x21, 0x7F)

_log = logging.getLogger("deliberation_ray.streams")

Message = dict[str, Any]


class Publisher(Protocol):
    """Takes a message within milliseconds, or raises."""

    async def publish(self, subject: str, payload: bytes) -> None: ...


def token(name: str) -> str:
    """Returns one token of a subject, encoded as in the subjects of the worker's events."""
    kept = (
        chr(byte) if byte in _VISIBLE_ASCII and chr(byte) not in ".*>%" else f"%{byte:02X}"
        for byte in name.encode(errors="replace")
    )
    return "".join(kept) or "%"


class TurnStream:
    """The messages of one turn. Each has a number, so that a watcher sees what is missing.

    While the turn runs, the stream holds no text. It only remembers how much of the reply's text it has passed on.
    If `wake` is given, it is called whenever there are messages. Otherwise a wait takes them.
    """

    def __init__(self, spec: TurnSpec, submit: Submit, wake: Callable[["TurnStream"], None] | None = None) -> None:
        self.agent = (submit.deliberation, spec.agent_id)
        self.ended = False
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
        self._progress = Progress()
        self._texts = Pieces()
        self._passed_on = 0
        self._tokens = 0
        self._begins = self._lost = False
        self._rest = self._state = ""

    @property
    def waiting(self) -> bool:
        """Whether `take` would return messages."""
        return self._begins or bool(self._state) or self._progress.tokens > self._tokens

    def begin(self, progress: Progress) -> None:
        """Called when the turn calls its model."""
        self._begins = True
        self._progress = progress
        if self._wake is not None:
            progress.on_token = self._call_wake
        self._call_wake()

    def end(self, state: str) -> None:
        self._state, self.ended = state, True
        rest = self._read()
        # If no wait has asked yet, none may ever ask. The answer that reports the end has the whole text anyway.
        if self._wake is not None or self._sequence:
            self._rest = rest[: MESSAGE_CHARACTERS + 1]
        else:
            self._lost = bool(rest)
        self._texts, self._passed_on = Pieces(), 0  # the turn may be kept for long
        self._call_wake()

    def _call_wake(self) -> None:
        if self._wake is not None:
            self._wake(self)

    def take(self) -> tuple[list[Message], bool]:
        """Returns the messages since the last time, and whether text was dropped between them."""
        messages = []
        if self._begins:
            messages.append(self._message("start"))
        text = self._rest + self._read()
        if self._progress.tokens > self._tokens:
            self._tokens = self._progress.tokens
            messages.append(self._message("text", text=untrusted.text(text, MESSAGE_CHARACTERS)))
        lost = self._lost or len(text) > MESSAGE_CHARACTERS
        if lost:  # watchers see the gap in the numbers
            self._sequence += 1
        if self._state:
            messages.append(self._message("complete", state=self._state))
        self._begins = self._lost = False
        self._rest = self._state = ""
        return messages, lost

    def _read(self) -> str:
        """Returns the text of the reply that hasn't been passed on."""
        if self._texts is not self._progress.texts:  # the reply to another call
            self._texts, self._passed_on = self._progress.texts, 0
        text = self._texts.text(self._passed_on)
        self._passed_on = self._texts.characters
        return text

    def _message(self, kind: str, **more: str) -> Message:
        self._sequence += 1
        return {**self._about, "kind": kind, "sequence": self._sequence, "tokens": self._tokens, "text": "", **more}


def gathered(streams: Iterable[TurnStream], limit: int = ANSWER_BYTES) -> tuple[list[Message], int]:
    """Returns the messages for one answer, and how many were dropped. Those of running turns may wait for the next."""
    kept: list[Message] = []
    size = dropped = 0
    for stream in sorted(streams, key=lambda stream: not stream.ended):
        if size >= limit and not stream.ended:
            break
        messages, lost = stream.take()
        if size >= limit:  # no wait asks for an ended turn again
            dropped += len(messages)
            continue
        dropped += lost
        kept += messages
        size += sum(len(message["text"].encode()) for message in messages)
    return kept, dropped


class Streams:
    """All streams of a runner. One task sends their messages, so that a thousand turns need one timer."""

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
        subject = self._subject(stream)
        for message in messages if len(subject) <= MOST_SUBJECT_CHARACTERS else ():
            try:
                await self._publisher.publish(subject, _encoded(message))
                sent += 1
            except Exception as error:
                _log.debug("dropped a message: %s", type(error).__name__)
            await asyncio.sleep(0)
        self._count("sent", sent)
        self._count("dropped", len(messages) - sent + lost)

    def _subject(self, stream: TurnStream) -> str:
        return ".".join([self._prefix, "tokens", *map(token, stream.agent)])


def _encoded(message: Message) -> bytes:
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
