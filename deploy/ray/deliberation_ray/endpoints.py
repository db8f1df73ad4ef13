"""Model endpoints: how many calls each takes at once from this runner, who is next, and when none may be made."""

import asyncio
import math
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from urllib.parse import urlsplit

from deliberation_ray.addresses import host_and_port
from deliberation_ray.pacing import Pacing
from deliberation_ray.refusal import full

Key = tuple[str, str, int, str]
# Whose turn it is: an owner's deliberation.
Party = tuple[str, str]

# A server may ask for more; it is then asked again after this time all the same.
LONGEST_PAUSE_SECONDS = 60.0
# A server that says "at once" would be asked in a loop.
_SHORTEST_PAUSE_SECONDS = 0.5
_MODEL_CHARACTERS = 100


def key_of(vllm_url: str, model: str) -> Key:
    return urlsplit(vllm_url).scheme, *host_and_port(vllm_url), model


class Place:
    """One turn's place at an endpoint: in line, then open, then left."""

    def __init__(self, endpoint: "Endpoint", party: Party) -> None:
        self.party = party
        self.opened = asyncio.Event()
        self._endpoint = endpoint
        self._left = False

    async def taken(self) -> None:
        """Returns when the turn may call the model."""
        while True:
            await self.opened.wait()
            await self._endpoint.pacing.take()
            if not self._endpoint.paused:
                return
            self._endpoint.put_back(self)

    def refused(self, seconds: float) -> None:
        """The server took no call and named a time: nobody calls until then, and this turn is next of its party."""
        self._endpoint.pause(seconds)
        self._endpoint.put_back(self)

    def pause(self, seconds: float) -> None:
        self._endpoint.pause(seconds)

    def leave(self) -> None:
        """Whatever became of the turn. Repeated, it changes nothing."""
        if not self._left:
            self._left = True
            self._endpoint.leave(self)


class Endpoint:
    """Parties are served in turn, each from its own line, so that a large council doesn't starve a small one."""

    def __init__(self, limit: int, pacing: Pacing, idle: Callable[[], None]) -> None:
        self.open = 0
        self.waiting = 0
        self.pacing = pacing
        self._limit = limit
        # How many may be open; less than the limit for a while after the server refused a call.
        self._width = limit
        self._lines: OrderedDict[Party, deque[Place]] = OrderedDict()
        self._idle = idle
        self._resumes = 0.0
        self._resuming: asyncio.TimerHandle | None = None

    @property
    def paused(self) -> bool:
        return self._resuming is not None

    def pause_left(self) -> float:
        return max(0.0, self._resumes - asyncio.get_running_loop().time()) if self.paused else 0.0

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

    def leave(self, place: Place) -> None:
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

    def pause(self, seconds: float) -> None:
        """The first refusal halves what is open; each call that ends widens it again by one."""
        loop = asyncio.get_running_loop()
        until = loop.time() + min(max(seconds, _SHORTEST_PAUSE_SECONDS), LONGEST_PAUSE_SECONDS)
        if not self.paused:
            self._width = max(1, self.open // 2)
        elif until <= self._resumes:
            return
        else:
            self._cancel_resuming()
        self._resumes = until
        self._resuming = loop.call_at(until, self._resume)

    def _cancel_resuming(self) -> None:
        if self._resuming is not None:
            self._resuming.cancel()

    def _resume(self) -> None:
        self._resuming = None
        self._advance()
        self._end_when_idle()

    def _advance(self) -> None:
        while self._lines and not self.paused and self.open < self._width:
            party, line = self._lines.popitem(last=False)
            place = line.popleft()
            if line:
                self._lines[party] = line  # behind all others
            self.waiting -= 1
            self.open += 1
            place.opened.set()

    def _end_when_idle(self) -> None:
        if not self.open and not self.waiting and not self.paused:
            self._idle()


class Endpoints:
    """Knows nothing of Ray. An endpoint is there as long as a turn has a place at it, or it pauses."""

    def __init__(self, concurrency: int, waiting: int) -> None:
        self._concurrency = concurrency
        self._most_waiting = waiting
        self._pacing = Pacing()
        self._endpoints: dict[Key, Endpoint] = {}

    def __len__(self) -> int:
        return len(self._endpoints)

    def enter(self, key: Key, party: Party) -> Place:
        if key not in self._endpoints:
            self._endpoints[key] = Endpoint(self._concurrency, self._pacing, lambda: self._drop(key))
        return self._endpoints[key].enter(party)

    def _drop(self, key: Key) -> None:
        del self._endpoints[key]

    def admit(self, keys: Iterable[Key]) -> None:
        """Raises full where new work would wait for long.

        However many turns a submission has, it is taken while no more than the bound wait: measured against what is
        left, a large council would be passed by small ones for ever.
        """
        for key in keys:
            endpoint = self._endpoints.get(key)
            if endpoint is None:
                continue
            model = key[-1][:_MODEL_CHARACTERS]
            if pause := endpoint.pause_left():
                message = f"the server of model {model} wants no call for {pause:.0f} s"
                raise full(message, "paused", retry_after=math.ceil(pause))
            if endpoint.waiting > self._most_waiting:
                raise full(f"{endpoint.waiting} turns wait for model {model}", "waiting")

    def pause_left(self, key: Key) -> float:
        endpoint = self._endpoints.get(key)
        return endpoint.pause_left() if endpoint else 0.0

    def waiting(self, paused: bool) -> int:
        """Turns that wait for the end of a pause, or for a call to end."""
        return sum(each.waiting for each in self._endpoints.values() if each.paused == paused)
