"""The turns that one runner holds: those in flight, those that have ended, and tombstones."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from deliberation_ray.endpoints import Endpoints, Party, key_of
from deliberation_ray.refusal import full, runner_unavailable
from deliberation_ray.streams import Message, TurnStream, gathered
from deliberation_ray.tombstones import GRACE_SECONDS, Tombstones
from deliberation_ray.turn import Call, Turn
from deliberation_ray.wire import State, Submit, TurnSpec

MEMORY_BYTES = 1024 * 1024 * 1024
_ABORT_SECONDS = 0.9
# Nobody waits for a stopped turn, and its tombstone still reports it as cancelled.
_KEEP_CANCELLED_SECONDS = 60.0
# The share of the memory for prompts. The rest is for answers, which are paid for already when they come.
_PROMPTS_SHARE = 0.75


class Turns:
    """Knows nothing of Ray. All methods run in one event loop; the plain ones can't be interrupted."""

    def __init__(self, call: Call, capacity: int, endpoints: Endpoints, memory_bytes: int = MEMORY_BYTES) -> None:
        self.capacity = capacity
        # The prompts and incomplete answers of turns that run, and the outcomes of turns that have ended.
        self.held_bytes = 0
        self._memory_bytes = memory_bytes
        self.endpoints = endpoints
        self.draining = False
        self.generation = 0.0
        # A guest is a turn of a deliberation whose home is another runner; `guests` counts those that are held.
        self.is_guest: Callable[[str], bool] = lambda deliberation: False
        self.guests = 0
        # Opens the stream of a turn's text. By default a wait takes the text from it.
        self.open_stream: Callable[[TurnSpec, Submit], TurnStream] = TurnStream
        self._call = call
        self._turns: dict[str, Turn] = {}
        self._leaving: dict[str, asyncio.TimerHandle] = {}
        self._tombstones = Tombstones()
        self._parties: Counter[Party] = Counter()

    @property
    def in_flight(self) -> int:
        return sum(not turn.ended for turn in self._turns.values())

    def census(self) -> dict[str, int]:
        """Counts the turns that are queued, running and kept."""
        states = Counter("kept" if turn.ended else turn.state for turn in self._turns.values())
        return {state: states[state] for state in ("queued", "running", "kept")}

    @property
    def held(self) -> int:
        return len(self._turns)

    def submit(self, submit: Submit, traceparent: str = "") -> list[dict[str, str]]:
        """Takes all turns or none. It never awaits, so that two submits of one id can't both find it missing."""
        statuses = {spec.submission_id: self._status(spec.submission_id, submit.owner) for spec in submit.turns}
        fresh = [spec for spec in submit.turns if statuses[spec.submission_id] == "accepted"]
        # While draining, it still takes the rest of a submission that it has in part, so that one runner has it all.
        if self.draining and len(fresh) == len(submit.turns):
            raise runner_unavailable("this runner is draining")
        if fresh and self.held + len(fresh) > self.capacity:
            raise full(f"the runner holds {self.held} of {self.capacity} turns", "capacity")
        self._admit_bytes(sum(spec.prompt_bytes for spec in fresh))
        # A deliberation that has begun isn't refused, since a refusal would only waste its time.
        if not self._parties[submit.owner, submit.deliberation]:
            self.endpoints.admit({key_of(spec.vllm_url, spec.model) for spec in fresh})
        for spec in fresh:
            turn = Turn(spec, submit, traceparent)
            turn.stream = self.open_stream(spec, submit)
            self._turns[turn.submission_id] = turn
            self.held_bytes += turn.prompt_bytes
            self._parties[turn.party] += 1
            self.guests += self.is_guest(turn.deliberation)
            # The turn enters now, and not when its task begins, so that the next submission sees how many wait.
            place = self.endpoints.enter(key_of(spec.vllm_url, spec.model), turn.party)
            turn.start(self._call, place, self._hold, self._keep)
        return [{"submission_id": key, "status": status} for key, status in statuses.items()]

    def _admit_bytes(self, fresh: int) -> None:
        """Refuses prompts that have no room. An empty runner takes any, since a larger one would never be taken."""
        most = int(self._memory_bytes * _PROMPTS_SHARE)
        if fresh and self.held_bytes and self.held_bytes + fresh > most:
            raise full(f"the runner holds {self.held_bytes} of {most} bytes", "memory")

    def _hold(self, size: int) -> bool:
        self.held_bytes += size
        return self.held_bytes <= self._memory_bytes

    def _status(self, submission_id: str, owner: str) -> str:
        if self._tombstones.has(submission_id, owner):
            return "cancelled"
        if submission_id not in self._turns:
            return "accepted"
        return "attached" if self._find(submission_id, owner) else "unknown"

    def _find(self, submission_id: str, owner: str) -> Turn | None:
        """Returns the turn if it is the owner's. A caller that names no owner sees all turns."""
        turn = self._turns.get(submission_id)
        return turn if turn is not None and owner in ("", turn.owner) else None

    def _keep(self, turn: Turn) -> None:
        self.held_bytes += turn.outcome_bytes - turn.prompt_bytes - turn.answer_bytes
        seconds = turn.keep_seconds
        if turn.state == "cancelled":
            seconds = min(seconds, _KEEP_CANCELLED_SECONDS)
        timer = asyncio.get_running_loop().call_later(seconds, self._drop, turn.submission_id)
        self._leaving[turn.submission_id] = timer

    def _drop(self, submission_id: str) -> None:
        turn = self._turns.pop(submission_id)
        self.held_bytes -= turn.outcome_bytes
        self.guests -= self.is_guest(turn.deliberation)
        self._parties[turn.party] -= 1
        if not self._parties[turn.party]:
            del self._parties[turn.party]
        # Otherwise the timer would run on, for a turn that is gone.
        self._leaving.pop(submission_id).cancel()

    def knows(self, submission_id: str, owner: str = "") -> bool:
        return self._state(submission_id, owner) != "unknown"

    async def wait(self, ids: list[str], seconds: float, owner: str = "") -> list[dict[str, Any]]:
        """Returns the turns that have ended, as soon as one has, or all turns when the time is over."""
        if seconds > 0:
            await self._first_end(ids, seconds, owner)
            if ended := self._ended(ids, owner):
                return [self.view(key, owner) for key in ended]
        return [self.view(key, owner) for key in ids]

    async def listen(self, ids: list[str], seconds: float, owner: str, text_seconds: float) -> list[dict[str, Any]]:
        """Waits too, but looks for text every `text_seconds`, and returns no turns as soon as there is some."""
        until = time.monotonic() + seconds
        while until - time.monotonic() > text_seconds:
            await self._first_end(ids, text_seconds, owner)
            if self._ended(ids, owner):
                break
            if any(stream.waiting for stream in self._streams(ids, owner)):
                return []
        return await self.wait(ids, until - time.monotonic(), owner)

    def texts(self, ids: list[str], owner: str) -> tuple[list[Message], int]:
        """Returns the messages with the text of these turns since the last time, and how many were dropped."""
        return gathered(self._streams(ids, owner))

    def _streams(self, ids: list[str], owner: str) -> list[TurnStream]:
        turns = (self._find(key, owner) for key in ids)
        return [turn.stream for turn in turns if turn is not None and turn.stream is not None]

    async def _first_end(self, ids: list[str], seconds: float, owner: str) -> None:
        if self._ended(ids, owner):
            return
        event = asyncio.Event()
        turns = [self._turns[key] for key in ids]
        for turn in turns:
            turn.watchers.add(event)
        try:
            await asyncio.wait_for(event.wait(), seconds)
        except TimeoutError:
            pass
        finally:
            for turn in turns:
                turn.watchers.discard(event)

    def _ended(self, ids: list[str], owner: str) -> list[str]:
        return [key for key in ids if self._state(key, owner) not in ("queued", "running")]

    def _state(self, submission_id: str, owner: str) -> State:
        turn = self._find(submission_id, owner)
        if turn is not None:
            return turn.state
        return "cancelled" if self._tombstones.has(submission_id, owner) else "unknown"

    def view(self, submission_id: str, owner: str = "") -> dict[str, Any]:
        turn = self._find(submission_id, owner)
        return turn.view() if turn is not None else _absent(submission_id, self._state(submission_id, owner))

    async def stop(
        self, ends: Mapping[str, float], deliberation: str, reason: str, owner: str = ""
    ) -> list[dict[str, Any]]:
        """Ends the owner's turns, given as id → run_seconds, and returns their states. The outcomes stay."""
        views = {key: self.view(key, owner) for key in ends}
        stopping = [turn for turn in (self._find(key, owner) for key in ends) if turn is not None]
        for turn in stopping:
            turn.cancel(reason)
        for key, run_seconds in ends.items():
            self._bury(key, owner, deliberation, run_seconds)
        await asyncio.gather(*(turn.settled(_ABORT_SECONDS) for turn in stopping))
        return list({**views, **{turn.submission_id: turn.view() for turn in stopping}}.values())

    def _bury(self, submission_id: str, owner: str, deliberation: str, run_seconds: float) -> None:
        turn = self._find(submission_id, owner)
        if turn is not None:
            owner, deliberation, run_seconds = turn.owner, turn.deliberation, turn.run_seconds
        self._tombstones.bury(submission_id, deliberation, run_seconds + GRACE_SECONDS, owner)

    async def forget(
        self, ends: Mapping[str, float], deliberation: str, reason: str, owner: str = ""
    ) -> list[dict[str, Any]]:
        """Stops the turns, then drops the outcomes."""
        views = await self.stop(ends, deliberation, reason or "forgotten", owner)
        for key in ends:
            turn = self._find(key, owner)
            if turn is not None and turn.ended:
                self._drop(key)
        return [{"submission_id": view["submission_id"], "state": view["state"]} for view in views]

    def listing(self, owner: str) -> list[dict[str, Any]]:
        return [turn.listing() for turn in self._turns.values() if turn.owner == owner]

    def drain(self, generation: float) -> list[dict[str, Any]] | None:
        """Takes no new turns from now on. Once it is empty, it returns its tombstones, which other runners take."""
        if not self._accept(generation):
            return None
        self.draining = True
        return None if self._turns else self._tombstones.plain()

    def resume(self, generation: float) -> None:
        if self._accept(generation):
            self.draining = False

    def _accept(self, generation: float) -> bool:
        """Reports whether no younger gateway has called. During a redeploy, gateways of two generations call."""
        if generation < self.generation:
            return False
        self.generation = generation
        return True

    def bury(self, stones: Iterable[Mapping[str, Any]]) -> None:
        """Takes over the tombstones of a runner that leaves."""
        for stone in stones:
            self._tombstones.bury(stone["submission_id"], stone["deliberation"], stone["seconds"], stone["owner"])


def _absent(submission_id: str, state: State) -> dict[str, Any]:
    """Returns the view of a turn that isn't held: it was never seen, or only its tombstone is left."""
    error = None
    if state == "cancelled":
        error = {
            "type": "Cancelled",
            "message": "stopped or forgotten",
            "retryable": False,
            "calls": 0,
            "usage": {"prompt_tokens": 0, "completion_tokens": 0},
            "duration_ms": 0,
        }
    return {
        "submission_id": submission_id,
        "state": state,
        "started_at": None,
        "progress": {"tokens": 0, "characters": 0},
        "waiting": None,
        "result": None,
        "error": error,
    }
