"""Which runners a request goes to, and what their answers come to together."""

import asyncio
import time
from collections.abc import Iterable
from typing import Any

from deliberation_ray.origin import is_elsewhere
from deliberation_ray.pool import CONTROL_SECONDS, Holders, Pool
from deliberation_ray.probe import PROBE_SECONDS
from deliberation_ray.refusal import Refusal, RunnerMissing, of_another_cluster, runner_unavailable
from deliberation_ray.sent import Sent
from deliberation_ray.wire import LONGEST_WAIT_SECONDS, Await, End, Handle, Probe, Submit

Plain = dict[str, Any]
# What one runner said of the turns of a stop or forget, or why it said nothing.
Ends = dict[str, Plain] | Refusal

_PROBE_SECONDS = PROBE_SECONDS + 1.5


class Dispatch:
    def __init__(self, pool: Pool, mark: str) -> None:
        self._pool = pool
        self._mark = mark
        self._sent = Sent()

    async def submit(self, submit: Submit, body: bytes, traceparent: str) -> Plain:
        """Passes the body on as it came, since it is validated."""
        ids = [turn.submission_id for turn in submit.turns]
        name = await self._runner_for(submit, ids)
        self._sent.note(name, ids)
        try:
            answer = await self._pool.call(name, "submit", body, traceparent)
        except RunnerMissing:
            self._sent.clear(ids)
            raise runner_unavailable(f"{name} is being created") from None
        if refused := answer.get("refusal"):
            self._sent.clear(ids)
            raise Refusal(**refused)
        return {"runner": name, **answer}

    async def _runner_for(self, submit: Submit, ids: list[str]) -> str:
        """The runner that has some of the turns, or else the one where the deliberation is placed.

        A runner that doesn't answer may have them: an older one, which other gateways know, or one that this gateway
        has sent them to.
        """
        place = self._pool.place(submit.deliberation)
        others = self._pool.possible_holders(submit.deliberation, place)
        holders = await self._pool.holders(others, ids, submit.owner)
        if holders.by_id:
            if holders.silent and not set(ids) <= set(holders.by_id):
                raise holders.silent
            return next(iter(holders.by_id.values()))
        if holders.silent and any(self._may_have(name, ids) for name in holders.refusals):
            raise holders.silent
        return place

    def _may_have(self, name: str, ids: list[str]) -> bool:
        return name not in self._pool.current or self._sent.may_be_at(name, ids)

    async def probe(self, body: Probe) -> Plain:
        name = self._pool.place(body.model)
        try:
            seen = await self._pool.call(name, "probe", body.vllm_url, body.model, seconds=_PROBE_SECONDS)
        except RunnerMissing:
            raise runner_unavailable(f"{name} is being created") from None
        return {"runner": name, **seen}

    async def wait(self, body: Await) -> list[Plain]:
        """Each runner wakes for its own turns. The first that does ends the wait, and all say how theirs stand."""
        ours = self._of_this_cluster(body.turns)
        groups = _by_runner(ours)
        seconds = min(body.wait_seconds, LONGEST_WAIT_SECONDS)
        if len(groups) > 1:
            states = await self._wait_for_each(groups, body, 0.0)
            if seconds == 0 or any(_ended(state) for state in states.values()):
                return _in_order(states, body.turns)
            await self._first_change(groups, body, seconds)
            seconds = 0.0
        return _in_order(await self._wait_for_each(groups, body, seconds), body.turns)

    def _of_this_cluster(self, handles: list[Handle]) -> list[Handle]:
        """The handles without those of another Ray cluster, of which this one knows nothing; a refusal without any."""
        ours = [handle for handle in handles if not is_elsewhere(handle.incarnation, self._mark)]
        if not ours:
            raise of_another_cluster(self._mark)
        return ours

    async def _wait_for_each(self, groups: dict[str, list[Handle]], body: Await, seconds: float) -> dict[str, Plain]:
        """The states by id, without those of a runner that doesn't answer; a refusal when none does."""
        waits = [self._wait(name, body, group, seconds) for name, group in groups.items()]
        answers = await asyncio.gather(*waits, return_exceptions=True)
        states = [answer for answer in answers if not isinstance(answer, BaseException)]
        refusals = [answer for answer in answers if isinstance(answer, Refusal)]
        defects = [answer for answer in answers if isinstance(answer, BaseException) and answer not in refusals]
        if defects or not states:
            raise [*defects, *refusals][0]
        return {state["submission_id"]: state for answer in states for state in answer}

    async def _first_change(self, groups: dict[str, list[Handle]], body: Await, seconds: float) -> None:
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
            answer = await self._pool.call(
                name, "wait", ids, seen, seconds, body.owner, seconds=seconds + CONTROL_SECONDS
            )
            return list(answer)
        except RunnerMissing:
            return [_missing(key) for key in ids]

    async def end(self, method: str, body: End) -> list[Plain]:
        """Stops or forgets, wherever the turns are, and wherever a late submit of them would go."""
        until = time.monotonic() + CONTROL_SECONDS
        ours = self._of_this_cluster(body.turns)
        routes, holders = await self._routes(body, ours)
        groups: dict[str, dict[str, float]] = {}
        for handle in ours:
            for name in routes[handle.submission_id]:
                groups.setdefault(name, {})[handle.submission_id] = handle.run_seconds
        left = until - time.monotonic()
        # Each answer is waited for, whatever the others say.
        answers = await asyncio.gather(*(self._end(name, method, ends, body, left) for name, ends in groups.items()))
        by_runner = dict(zip(groups, answers, strict=True))
        endings: dict[str, Plain | Refusal] = {}
        for handle in body.turns:
            route = routes.get(handle.submission_id)
            ending = _ending(handle, route, by_runner, holders) if route else of_another_cluster(self._mark)
            endings[handle.submission_id] = ending
        refusals = [ending for ending in endings.values() if isinstance(ending, Refusal)]
        # A forget is to be repeated until every runner has answered; a stop answers what there is.
        if refusals and (method == "forget" or len(refusals) == len(endings)):
            raise refusals[0]
        return [_not_seen(key) if isinstance(end, Refusal) else end for key, end in endings.items()]

    async def _routes(self, body: End, handles: list[Handle]) -> tuple[dict[str, list[str]], Holders]:
        """The runners to ask about each id, and what was found out about turns whose runner isn't known."""
        lost = [handle.submission_id for handle in handles if not handle.runner]
        # Where a late submit would go: now, and while no runner is passed over.
        place = self._pool.place(body.deliberation) if body.deliberation else ""
        home = self._pool.home(body.deliberation) if body.deliberation else ""
        heirs = list(dict.fromkeys([place, home])) if home else []
        holders = Holders({})
        if lost:
            names = self._pool.possible_holders(body.deliberation, place)
            holders = await self._pool.holders(names, lost, body.owner, seconds=CONTROL_SECONDS / 2)
        routes = {}
        for handle in handles:
            named = handle.runner or holders.by_id.get(handle.submission_id)
            if named is None:
                routes[handle.submission_id] = heirs
            elif named in self._pool.current and named == home:
                routes[handle.submission_id] = [named]
            else:
                routes[handle.submission_id] = list(dict.fromkeys([named, *heirs]))
        return routes, holders

    async def _end(self, name: str, method: str, ends: dict[str, float], body: End, seconds: float) -> Ends:
        try:
            arguments = ends, body.deliberation, body.reason, body.owner
            states = await self._pool.call(name, method, *arguments, seconds=seconds)
            return {state["submission_id"]: state for state in states}
        except RunnerMissing:
            return {key: _missing(key) for key in ends}
        except Refusal as refusal:
            return refusal

    async def listing(self, owner: str) -> Plain:
        """The turns of the runners that answer, and the names of the others; a refusal when none answers."""
        names = [*self._pool.current, *self._pool.others]
        answers = await asyncio.gather(*(self._pool.call_for_list(name, "listing", owner) for name in names))
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
    """A turn that nobody could be asked about is left out, so that the caller asks again."""
    return [
        states.get(handle.submission_id, {"submission_id": handle.submission_id, "left": True}) for handle in handles
    ]


def _ended(state: Plain) -> bool:
    return state["state"] not in ("queued", "running")


def _ending(handle: Handle, route: list[str], answers: dict[str, Ends], holders: Holders) -> Plain | Refusal:
    """What became of a turn that was to end; the refusal of a runner that may still run or start it."""
    first, *heirs = (answers[name] for name in route)
    if isinstance(first, Refusal):
        return first
    state = first[handle.submission_id]
    if state["state"] != "unknown":
        return state
    lost = not handle.runner and handle.submission_id not in holders.by_id
    silent: list[Refusal] = []
    if lost or not state["incarnation"]:  # otherwise the runner that said so refuses a late submit
        silent = [heir for heir in heirs if isinstance(heir, Refusal)]
    if lost and holders.silent:
        silent.append(holders.silent)
    return silent[0] if silent else state


def _not_seen(submission_id: str) -> Plain:
    """Not seen to have ended, so it may run; no runner says so, so there is no incarnation."""
    return {**_missing(submission_id), "state": "running"}


def _missing(submission_id: str) -> Plain:
    """No actor has that name any more: `unknown` without an incarnation says only that."""
    return {
        "submission_id": submission_id,
        "incarnation": "",
        "state": "unknown",
        "started_at": None,
        "progress": {"tokens": 0, "characters": 0},
        "result": None,
        "error": None,
    }
