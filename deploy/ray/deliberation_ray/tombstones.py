"""Tombstones: the ids of turns that were stopped or forgotten, so that a late submit of one starts nothing."""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

GRACE_SECONDS = 600.0
_LIMIT = 100_000
# A sweep looks at all tombstones, so there is at most one for this many burials, as a share of the limit.
_BURIALS_PER_SWEEP = 1 / 8


@dataclass(frozen=True)
class Tombstone:
    deliberation: str
    until: float


class Tombstones:
    """A tombstone with an owner counts for that owner only, so that nobody can stop another owner's turn.

    Beyond the limit, the oldest tombstone is removed, long after its submit was answered.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, limit: int = _LIMIT) -> None:
        self._clock = clock
        self._limit = limit
        # By id and owner. This is no plain dict, which finds its first key by skipping all deleted ones.
        self._stones: OrderedDict[tuple[str, str], Tombstone] = OrderedDict()
        self._owners: dict[str, set[str]] = {}
        self._burials = 0

    def bury(self, submission_id: str, deliberation: str, seconds: float, owner: str = "") -> None:
        """Buries the id for this many seconds. If it is buried already, the later end counts."""
        key = submission_id, owner
        known = self._stones.get(key, Tombstone("", 0.0))
        until = max(self._clock() + seconds, known.until)
        self._stones[key] = Tombstone(deliberation or known.deliberation, until)
        self._stones.move_to_end(key)
        self._owners.setdefault(submission_id, set()).add(owner)
        self._burials += 1
        if len(self._stones) > self._limit and self._burials > self._limit * _BURIALS_PER_SWEEP:
            self._sweep()
        while len(self._stones) > self._limit:
            self._remove(next(iter(self._stones)))

    def __contains__(self, submission_id: str) -> bool:
        return self.has(submission_id, "")

    def has(self, submission_id: str, owner: str) -> bool:
        """Reports whether the owner buried the id; without an owner, whether anybody did."""
        owners = {owner, ""} if owner else self._owners.get(submission_id, set())
        stones = [self._stones.get((submission_id, each)) for each in owners]
        return any(stone is not None and stone.until > self._clock() for stone in stones)

    def plain(self) -> list[dict[str, Any]]:
        """Returns plain data, for the runners that take over from this one."""
        self._sweep()
        now = self._clock()
        return [
            {
                "submission_id": submission_id,
                "owner": owner,
                "deliberation": stone.deliberation,
                "seconds": stone.until - now,
            }
            for (submission_id, owner), stone in self._stones.items()
        ]

    def _sweep(self) -> None:
        now = self._clock()
        self._burials = 0
        for key in [key for key, stone in self._stones.items() if stone.until <= now]:
            self._remove(key)

    def _remove(self, key: tuple[str, str]) -> None:
        del self._stones[key]
        submission_id, owner = key
        owners = self._owners[submission_id]
        owners.discard(owner)
        if not owners:
            del self._owners[submission_id]
