"""Tombstones: the ids of turns that were stopped or forgotten, so that a late submit of one starts nothing."""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

GRACE_SECONDS = 600.0
_LIMIT = 100_000
# Looking at all of them is paid for by at least an eighth as many burials.
_BURIALS_PER_SWEEP = 1 / 8


@dataclass(frozen=True)
class Tombstone:
    deliberation: str
    until: float


class Tombstones:
    """Bounded: beyond the limit the oldest goes, long after its submit was answered."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, limit: int = _LIMIT) -> None:
        self._clock = clock
        self._limit = limit
        # A plain dict finds its first key by stepping over all that were deleted before it.
        self._stones: OrderedDict[str, Tombstone] = OrderedDict()
        self._burials = 0

    def bury(self, submission_id: str, deliberation: str, seconds: float) -> None:
        """Repeated, the later of both ends holds."""
        known = self._stones.get(submission_id, Tombstone("", 0.0))
        until = max(self._clock() + seconds, known.until)
        self._stones[submission_id] = Tombstone(deliberation or known.deliberation, until)
        self._stones.move_to_end(submission_id)
        self._burials += 1
        if len(self._stones) > self._limit and self._burials > self._limit * _BURIALS_PER_SWEEP:
            self._sweep()
        while len(self._stones) > self._limit:
            self._stones.popitem(last=False)

    def __contains__(self, submission_id: str) -> bool:
        stone = self._stones.get(submission_id)
        return stone is not None and stone.until > self._clock()

    def plain(self) -> list[dict[str, Any]]:
        """As plain data, for the runners that take over from this one."""
        self._sweep()
        now = self._clock()
        return [
            {"submission_id": key, "deliberation": stone.deliberation, "seconds": stone.until - now}
            for key, stone in self._stones.items()
        ]

    def _sweep(self) -> None:
        now = self._clock()
        self._burials = 0
        self._stones = OrderedDict((key, stone) for key, stone in self._stones.items() if stone.until > now)
