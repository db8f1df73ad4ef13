"""What the gateway asks of the runners: one request, the right runners, one answer."""

import asyncio
from collections.abc import Iterable
from typing import Any

from deliberation_ray.pool import CONTROL_SECONDS, Gone, Pool
from deliberation_ray.refusal import Refusal, runner_unavailable
from deliberation_ray.wire import LONGEST_WAIT_SECONDS, Await, End, Handle, Submit

Plain = dict[str, Any]


class Asking:
    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def submit(self, submit: Submit, traceparent: str) -> Plain:
        ids = [turn.submission_id for turn in submit.turns]
        holders = await self._pool.known(ids)
        name = next(iter(holders.values()), None) or self._pool.place(submit.deliberation)
        try:
            answer = await self._pool.call(name, "submit", submit.model_dump(exclude_unset=True), traceparent)
        except Gone:
            raise runner_unavailable(f"{name} is being created") from None
        if refused := answer.get("refusal"):
            raise Refusal(**refused)
        return {"runner": name, **answer}

    async def wait(self, body: Await) -> list[Plain]:
        """Each runner wakes for its own turns; the first that does decides, and the others say how they stand."""
        groups = _by_runner(body.turns)
        seconds = min(body.wait_seconds, LONGEST_WAIT_SECONDS)
        if len(groups) > 1:
            states = await self._wait_each(groups, body, 0.0)
            if seconds == 0 or any(_ended(state) for state in states.values()):
                return _in_order(states, body.turns)
            await self._first_news(groups, body, seconds)
            seconds = 0.0
        return _in_order(await self._wait_each(groups, body, seconds), body.turns)

    async def _wait_each(self, groups: dict[str, list[Handle]], body: Await, seconds: float) -> dict[str, Plain]:
        answers = await asyncio.gather(*(self._wait(name, body, group, seconds) for name, group in groups.items()))
        return {state["submission_id"]: state for answer in answers for state in answer}

    async def _first_news(self, groups: dict[str, list[Handle]], body: Await, seconds: float) -> None:
        waits = [asyncio.create_task(self._wait(name, body, group, seconds)) for name, group in groups.items()]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
            await asyncio.gather(*waits, return_exceptions=True)

    async def _wait(self, name: str, body: Await, group: list[Handle], seconds: float) -> list[Plain]:
        ids = [handle.submission_id for handle in group]
        seen = {key: state for key, state in body.seen.items() if key in ids}
        try:
            return list(await self._pool.call(name, "wait", ids, seen, seconds, seconds=seconds + CONTROL_SECONDS))
        except Gone:
            return [_gone(key) for key in ids]

    async def end(self, method: str, body: End) -> list[Plain]:
        """Stops or forgets, wherever the turns are, and wherever a late submit of them would go."""
        routes = await self._routes(body)
        groups: dict[str, dict[str, float]] = {}
        for handle in body.turns:
            for name in routes[handle.submission_id]:
                groups.setdefault(name, {})[handle.submission_id] = handle.run_seconds
        asked = (self._end(name, method, ends, body) for name, ends in groups.items())
        # Each is heard to the end before one that is unavailable makes the whole answer a refusal.
        answers = await asyncio.gather(*asked, return_exceptions=True)
        states: dict[tuple[str, str], Plain] = {}
        for name, answer in zip(groups, answers, strict=True):
            if isinstance(answer, BaseException):
                raise answer
            states.update({(name, state["submission_id"]): state for state in answer})
        return [states[routes[handle.submission_id][0], handle.submission_id] for handle in body.turns]

    async def _routes(self, body: End) -> dict[str, list[str]]:
        """Per id the runners to tell; the first one's word is the answer."""
        lost = [handle.submission_id for handle in body.turns if not handle.runner]
        holders = await self._pool.known(lost) if lost else {}
        current = [self._pool.place(body.deliberation)] if body.deliberation else []
        routes = {}
        for handle in body.turns:
            named = handle.runner or holders.get(handle.submission_id)
            if named is None:
                routes[handle.submission_id] = current
            elif named in self._pool.current:
                routes[handle.submission_id] = [named]
            else:
                routes[handle.submission_id] = [named, *current]
        return routes

    async def _end(self, name: str, method: str, ends: dict[str, float], body: End) -> list[Plain]:
        try:
            return list(await self._pool.call(name, method, ends, body.deliberation, body.reason))
        except Gone:
            return [_gone(key) for key in ends]

    async def listing(self, owner: str) -> list[Plain]:
        names = [*self._pool.current, *self._pool.others]
        answers = await asyncio.gather(*(self._listing(name, owner) for name in names))
        return [turn for answer in answers for turn in answer]

    async def _listing(self, name: str, owner: str) -> list[Plain]:
        try:
            return list(await self._pool.call(name, "listing", owner))
        except Gone:
            return []

    async def runners(self) -> list[Plain]:
        return list(await asyncio.gather(*map(self._pool.info, [*self._pool.current, *self._pool.others])))


def _by_runner(handles: Iterable[Handle]) -> dict[str, list[Handle]]:
    groups: dict[str, list[Handle]] = {}
    for handle in handles:
        groups.setdefault(handle.runner, []).append(handle)
    return groups


def _in_order(states: dict[str, Plain], handles: Iterable[Handle]) -> list[Plain]:
    return [states[handle.submission_id] for handle in handles]


def _ended(state: Plain) -> bool:
    return state["state"] not in ("queued", "running")


def _gone(submission_id: str) -> Plain:
    """No actor has that name any more; only then is the incarnation empty."""
    return {
        "submission_id": submission_id,
        "incarnation": "",
        "state": "unknown",
        "started_at": None,
        "progress": {"tokens": 0, "characters": 0},
        "result": None,
        "error": None,
    }
