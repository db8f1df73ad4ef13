"""Model endpoints: how many calls one runner makes at a time, which turn is next, and when calls must wait."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from deliberation_ray.failures import Overloaded
from deliberation_ray.model_url import origin
from deliberation_ray.pacing import Pacing
from deliberation_ray.refusal import full

Key = tuple[str, str, int, str]
# One deliberation of one owner. Parties are served in turn.
Party = tuple[str, str]

# The pauses between calls while a server puts them off and names no time.
PAUSES_SECONDS = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
# Without this, a server that names a time of 0 would be asked in a loop.
SHORTEST_PAUSE_SECONDS = 0.5
# A server may name a later time. One call still asks it after this time.
LONGEST_PAUSE_SECONDS = 600.0
_MODEL_CHARACTERS = 100


def key_of(vllm_url: str, model: str) -> Key:
    return *origin(vllm_url), model


def rfc3339(moment: datetime | None = None) -> str:
    return (moment or datetime.now(UTC)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(frozen=True)
class Overload:
    """A server puts calls off: what it said last, and when it is asked again."""

    words: str
    status: int
    since: datetime
    next_try: datetime
    pauses: int

    def view(self, model: str) -> dict[str, Any]:
        return {
            "reason": f"model {model[:_MODEL_CHARACTERS]} puts calls off: {self.words}",
            "status": self.status,
            "since": rfc3339(self.since),
            "next_try": rfc3339(self.next_try),
        }


class Place:
    """One turn's place at an endpoint: in line, then open, then left."""

    def __init__(self, endpoint: "Endpoint", party: Party) -> None:
        self.party = party
        self.opened = asyncio.Event()
        self._endpoint = endpoint
        self._left = False

    @property
    def overload(self) -> Overload | None:
        """The overload that this place waits for, if its server puts calls off."""
        return self._endpoint.overload if self._endpoint.holds_back(self) else None

    def waiting(self) -> dict[str, Any] | None:
        overload = self.overload
        return overload.view(self._endpoint.model) if overload else None

    async def taken(self) -> None:
        """Returns when the turn may call the model."""
        while True:
            await self.opened.wait()
            await self._endpoint.pacing.take()
            if self.opened.is_set() and self._endpoint.lets_call(self):
                return
            if self.opened.is_set():
                self._endpoint.put_back(self)

    def put_off(self, answer: Overloaded) -> None:
        """Called when the server takes no call now. All calls pause, and this turn stays the first of its party."""
        self._endpoint.put_off(self, answer)

    def answered(self) -> None:
        """Called when the server took the call or failed it. Either way, it no longer puts calls off."""
        self._endpoint.answered(self)

    def leave(self) -> None:
        """Called when the turn has ended. Calling it again changes nothing."""
        if not self._left:
            self._left = True
            self._endpoint.leave(self)


class Endpoint:
    """Parties are served in turn, each from its own line, so that a large council doesn't starve a small one.

    While the server puts calls off, only one place is open: its call shows whether the server takes calls again.
    """

    def __init__(self, model: str, limit: int, pacing: Pacing, idle: Callable[[], None]) -> None:
        self.model = model
        self.open = 0
        self.waiting = 0
        self.pacing = pacing
        self.overload: Overload | None = None
        self._limit = limit
        # How many places may be open. It is below the limit for a while after the server put a call off.
        self._width = limit
        self._lines: OrderedDict[Party, deque[Place]] = OrderedDict()
        self._idle = idle
        self._resumes = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._asking: Place | None = None

    def holds_back(self, place: Place) -> bool:
        return self.overload is not None and (place is self._asking or not place.opened.is_set())

    def lets_call(self, place: Place) -> bool:
        return self.overload is None or place is self._asking

    def enter(self, party: Party) -> Place:
        place = Place(self, party)
        self._lines.setdefault(party, deque()).append(place)
        self.waiting += 1
        self._advance()
        return place

    def put_back(self, place: Place) -> None:
        place.opened.clear()
        self.open -= 1
        self._lines.setdefault(place.party, deque()).appendleft(place)
        self.waiting += 1
        self._advance()

    def put_off(self, place: Place, answer: Overloaded) -> None:
        first, asked = self.overload is None, place is self._asking
        if first:
            self._width = max(1, self.open // 2)
        if asked:
            self._asking = None
        # A call that began before the pause changes nothing, unless its answer names a time.
        if first or asked or answer.seconds is not None:
            self._pause(answer, self.overload.pauses + asked if self.overload else 0)
        self.put_back(place)

    def _pause(self, answer: Overloaded, pauses: int) -> None:
        seconds = answer.seconds
        if seconds is None:
            seconds = PAUSES_SECONDS[min(pauses, len(PAUSES_SECONDS) - 1)]
        seconds = min(max(seconds, SHORTEST_PAUSE_SECONDS), LONGEST_PAUSE_SECONDS)
        loop = asyncio.get_running_loop()
        if self._timer is not None:
            if loop.time() + seconds <= self._resumes:
                return
            self._timer.cancel()
        self._resumes = loop.time() + seconds
        self._timer = loop.call_at(self._resumes, self._resume)
        now = datetime.now(UTC)
        since = self.overload.since if self.overload else now
        self.overload = Overload(answer.message, answer.status, since, now + timedelta(seconds=seconds), pauses)

    def _resume(self) -> None:
        self._timer = None
        self._advance()
        self._end_when_idle()

    def answered(self, place: Place) -> None:
        if place is self._asking:
            self._asking = self.overload = None
            self._advance()

    def leave(self, place: Place) -> None:
        if place is self._asking:
            self._asking = None
        if place.opened.is_set():
            self.open -= 1
            self._width = min(self._limit, self._width + 1)
        else:
            self.waiting -= 1
            line = self._lines[place.party]
            line.remove(place)
            if not line:
                del self._lines[place.party]
        self._advance()
        self._end_when_idle()

    def _advance(self) -> None:
        while self._lines and self._has_room():
            party, line = self._lines.popitem(last=False)
            place = line.popleft()
            if line:
                self._lines[party] = line  # it goes to the end of the line
            self.waiting -= 1
            self.open += 1
            if self.overload is not None:
                self._asking = place
            place.opened.set()

    def _has_room(self) -> bool:
        if self.overload is not None:
            return self._timer is None and self._asking is None
        return self.open < self._width

    def _end_when_idle(self) -> None:
        if not self.open and not self.waiting and self._timer is None:
            self._idle()


class Endpoints:
    """Knows nothing of Ray. An endpoint exists as long as a turn has a place at it, or its server puts calls off."""

    def __init__(self, concurrency: int, waiting: int) -> None:
        self._concurrency = concurrency
        self._most_waiting = waiting
        self._pacing = Pacing()
        self._endpoints: dict[Key, Endpoint] = {}

    def __len__(self) -> int:
        return len(self._endpoints)

    def enter(self, key: Key, party: Party) -> Place:
        if key not in self._endpoints:
            self._endpoints[key] = Endpoint(key[-1], self._concurrency, self._pacing, lambda: self._drop(key))
        return self._endpoints[key].enter(party)

    def _drop(self, key: Key) -> None:
        del self._endpoints[key]

    def admit(self, keys: Iterable[Key]) -> None:
        """Refuses new work with `full` if too many turns wait for one of its endpoints already.

        The turns of the submission don't count. If they did, a large council would be refused again and again, while
        small ones are admitted.
        """
        for key in keys:
            endpoint = self._endpoints.get(key)
            if endpoint is None or endpoint.waiting <= self._most_waiting:
                continue
            message = f"{endpoint.waiting} turns wait for model {key[-1][:_MODEL_CHARACTERS]}"
            if endpoint.overload:
                raise full(f"{message}, which puts calls off: {endpoint.overload.words}", "paused")
            raise full(message, "waiting")

    def overload(self, key: Key) -> Overload | None:
        endpoint = self._endpoints.get(key)
        return endpoint.overload if endpoint else None

    def waiting(self, paused: bool) -> int:
        """Counts the waiting turns: if `paused`, those whose server puts calls off, else those that wait for room."""
        return sum(each.waiting for each in self._endpoints.values() if (each.overload is not None) == paused)
