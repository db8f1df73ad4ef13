"""Remembers to which runner this gateway has sent turns lately."""

import time
from collections.abc import Callable, Iterable

# A submit is repeated when its answer was lost or its sender was replaced. Both happen soon after it.
_KEPT_SECONDS = 600.0
_MOST = 200_000


class Sent:
    """A runner that doesn't answer may have the turns that were sent to it, so no other runner may take them."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, limit: int = _MOST) -> None:
        self._clock = clock
        self._limit = limit
        # The oldest comes first.
        self._runners: dict[str, tuple[str, float]] = {}

    def note(self, runner: str, ids: Iterable[str]) -> None:
        for key in ids:
            self._runners.pop(key, None)
            self._runners[key] = runner, self._clock()
        self._expire()

    def clear(self, ids: Iterable[str]) -> None:
        for key in ids:
            self._runners.pop(key, None)

    def may_be_at(self, runner: str, ids: Iterable[str]) -> bool:
        self._expire()
        return any(self._runners.get(key, ("", 0.0))[0] == runner for key in ids)

    def _expire(self) -> None:
        while self._runners:
            oldest = next(iter(self._runners))
            if len(self._runners) <= self._limit and self._clock() - self._runners[oldest][1] <= _KEPT_SECONDS:
                return
            del self._runners[oldest]
