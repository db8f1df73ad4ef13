"""What the gateway asks of the runners: one request, the right runners, one answer."""

import asyncio
import time
from collections.abc import Iterable
from typing import Any

from deliberation_ray.pool import CONTROL_SECONDS, Gone, Known, Pool
from deliberation_ray.probe import PROBE_SECONDS
from deliberation_ray.refusal import Refusal, runner_unavailable
from deliberation_ray.wire import LONGEST_WAIT_SECONDS, Await, End, Handle, Probe, Submit

Plain = dict[str, Any]

_PROBE_SECONDS = PROBE_SECONDS + 1.5


class Asking:
    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def submit(self, submit: Submit, body: bytes, traceparent: str) -> Plain:
        """Passes the body on as it came, since it is validated."""
        ids = [turn.submission_id for turn in submit.turns]
        known = await self._pool.known(ids, submit.owner)
        if known.silent and not set(ids) <= set(known.holders):
            raise known.silent
        name = next(iter(known.holders.values()), None) or self._pool.place(submit.deliberation)
        try:
            answer = await self._pool.call(name, "submit", body, traceparent)
        except Gone:
            raise runner_unavailable(f"{name} is being created") from None
        if refused := answer.get("refusal"):
            raise Refusal(**refused)
        return {"runner": name, **answer}

    async def probe(self, body: Probe) -> Plain:
        name = self._pool.place(body.model)
        try:
            return {
                "runner": name,
                **await self._pool.call(name, "probe", body.vllm_url, body.model, seconds=_PROBE_SECONDS),
            }
        except Gone:
            raise runner_unavailable(f"{name} is being created") from None

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
            return list(
                await self._pool.call(name, "wait", ids, seen, seconds, body.owner, seconds=seconds + CONTROL_SECONDS)
            )
        except Gone:
            return [_gone(key) for key in ids]

    async def end(self, method: str, body: End) -> list[Plain]:
        """Stops or forgets, wherever the turns are, and wherever a late submit of them would go."""
        until = time.monotonic() + CONTROL_SECONDS
        lost = [handle.submission_id for handle in body.turns if not handle.runner]
        known = await self._pool.known(lost, body.owner, seconds=CONTROL_SECONDS / 2) if lost else Known({})
        routes = self._routes(body, known.holders)
        groups: dict[str, dict[str, float]] = {}
        for handle in body.turns:
            for name in routes[handle.submission_id]:
                groups.setdefault(name, {})[handle.submission_id] = handle.run_seconds
        left = until - time.monotonic()
        # Each is heard to the end, whatever the others say.
        answers = await asyncio.gather(*(self._end(name, method, ends, body, left) for name, ends in groups.items()))
        told = dict(zip(groups, answers, strict=True))
        endings = [_ending(handle, routes[handle.submission_id], told, known) for handle in body.turns]
        silent = [ending for ending in endings if isinstance(ending, Refusal)]
        # What has not been forgotten everywhere is to be forgotten again; a stop brings what there is.
        if silent and (method == "forget" or len(silent) == len(endings)):
            raise silent[0]
        ids = (handle.submission_id for handle in body.turns)
        return [_unheard(key) if isinstance(end, Refusal) else end for key, end in zip(ids, endings, strict=True)]

    def _routes(self, body: End, holders: dict[str, str]) -> dict[str, list[str]]:
        """Per id the runners to tell; the first one's word is the answer."""
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

    async def _end(
        self, name: str, method: str, ends: dict[str, float], body: End, seconds: float
    ) -> dict[str, Plain] | Refusal:
        try:
            states = await self._pool.call(
                name, method, ends, body.deliberation, body.reason, body.owner, seconds=seconds
            )
            return {state["submission_id"]: state for state in states}
        except Gone:
            return {key: _gone(key) for key in ends}
        except Refusal as refusal:
            return refusal

    async def listing(self, owner: str) -> Plain:
        """What the runners hold that answer, and the names of the others; a refusal when none does."""
        names = [*self._pool.current, *self._pool.others]
        answers = await asyncio.gather(*(self._pool.heard(name, "listing", owner) for name in names))
        silent = {name: answer for name, answer in zip(names, answers, strict=True) if isinstance(answer, Refusal)}
        if len(silent) == len(names):
            raise next(iter(silent.values()))
        held = [turn for answer in answers if not isinstance(answer, Refusal) for turn in answer]
        return {"turns": held, "unheard": list(silent)}

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


def _ending(
    handle: Handle, route: list[str], told: dict[str, dict[str, Plain] | Refusal], known: Known
) -> Plain | Refusal:
    """What became of a turn that was to end; the refusal of whoever may still run or start it."""
    first, *heirs = (told[name] for name in route)
    if isinstance(first, Refusal):
        return first
    state = first[handle.submission_id]
    if state["state"] != "unknown":
        return state
    # The runner that said so refuses a late submit, as long as there is one.
    unheard = [] if state["incarnation"] else [heir for heir in heirs if isinstance(heir, Refusal)]
    if not handle.runner and handle.submission_id not in known.holders and known.silent:
        unheard.append(known.silent)
    return unheard[0] if unheard else state


def _unheard(submission_id: str) -> Plain:
    """Not seen to have ended, so it may run; nobody says so, so there is no incarnation."""
    return {**_gone(submission_id), "state": "running"}


def _gone(submission_id: str) -> Plain:
    """No actor has that name any more: `unknown` of no incarnation says only that."""
    return {
        "submission_id": submission_id,
        "incarnation": "",
        "state": "unknown",
        "started_at": None,
        "progress": {"tokens": 0, "characters": 0},
        "result": None,
        "error": None,
    }
