"""The call log: who called which model when, and how each call ended, without any text of it."""

from collections import deque
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Literal

Outcome = Literal["open", "completed", "disconnected", "error"]
_LIMIT = 200_000


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass
class Call:
    request_id: str
    model: str
    response_format: str | None
    started_at: str
    ended_at: str | None = None
    outcome: Outcome = "open"
    status: int | None = None
    traceparent: str = ""

    def end(self, outcome: Outcome) -> None:
        self.outcome = outcome
        self.ended_at = _now()


class Calls:
    def __init__(self) -> None:
        self._calls: deque[Call] = deque(maxlen=_LIMIT)

    def open(self, request_id: str, model: str, response_format: str | None, traceparent: str = "") -> Call:
        call = Call(request_id, model, response_format, _now(), traceparent=traceparent)
        self._calls.append(call)
        return call

    def listing(self, model: str | None) -> list[dict[str, Any]]:
        return [asdict(call) for call in self._calls if model in (None, call.model)]

    def clear(self) -> None:
        self._calls.clear()
