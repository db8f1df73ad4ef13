"""Decides which runners a request goes to, and merges their answers."""

import asyncio
import logging
import time
from typing import Any

from deliberation_ray.origin import is_elsewhere
from deliberation_ray.pool import CONTROL_SECONDS, Holders, Pool
from deliberation_ray.probe import PROBE_SECONDS
from deliberation_ray.refusal import Refusal, RunnerMissing, of_another_cluster, runner_unavailable
from deliberation_ray.sent import Sent
from deliberation_ray.wire import LONGEST_WAIT_SECONDS, SHORTEST_TEXT_SECONDS, Await, End, Handle, Probe, Submit

Plain = dict[str, Any]
# One runner's answer to a stop or forget, by submission id, or the reason why there is none.
Ends = dict[str, Plain] | Refusal
# The runner that a stop or forget goes to, and the deliberation that it is about.
Target = tuple[str, str]

_PROBE_SECONDS = PROBE_SECONDS + 1.5

_log = logging.getLogger("deliberation_ray.dispatch")


class Dispatch:
    def __init__(self, pool: Pool, mark: str) -> None:
        self._pool = pool
        self._mark = mark
        self._sent = Sent()

    async def submit(self, submit: Submit, body: bytes, traceparent: str) -> Plain:
        """Sends the body, which is validated, to a runner as it is."""
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
        """Returns the runner that has some of the turns, or else the one where the deliberation is placed.

        It raises a refusal if a runner that may have the turns doesn't answer: a runner of an older build, since other
        gateways may have sent them there, a runner to which this gateway has sent them, or, if the submit is repeated,
        any runner whose process runs.
        """
        place = self._pool.place(submit.deliberation)
        others = self._pool.possible_holders(submit.deliberation, place, submit.repeated)
        holders = await self._pool.holders(others, ids, submit.owner)
        if holders.by_id:
            if holders.silent and not set(ids) <= set(holders.by_id):
                raise holders.silent
            return next(iter(holders.by_id.values()))
        for name, silent in holders.refusals.items():
            if await self._may_have(name, ids, submit.repeated):
                raise silent
        return place

    async def _may_have(self, name: str, ids: list[str], repeated: bool) -> bool:
        if name not in self._pool.current or self._sent.may_be_at(name, ids):
            return True
        if not repeated:
            return False
        try:
            return await self._pool.is_alive(name)
        except RunnerMissing:
            return False
        except Exception as error:  # Ray's control plane can't say
            _log.info("cannot ask whether %s runs: %s", name, type(error).__name__)
            return True

    async def probe(self, body: Probe) -> Plain:
        name = self._pool.place(body.model)
        try:
            seen = await self._pool.call(name, "probe", body.vllm_url, body.model, seconds=_PROBE_SECONDS)
        except RunnerMissing:
            raise runner_unavailable(f"{name} is being created") from None
        return {"runner": name, **seen}

    async def wait(self, body: Await) -> Plain:
        if is_elsewhere(body.incarnation, self._mark):
            raise of_another_cluster(self._mark)
        seconds = min(body.wait_seconds, LONGEST_WAIT_SECONDS)
        asked, within = (body.turns, seconds, body.owner), seconds + CONTROL_SECONDS
        try:
            # A runner of an earlier build, which only finishes its turns, may not know how to listen.
            if body.text_seconds and body.runner in self._pool.current:
                text_seconds = max(body.text_seconds, SHORTEST_TEXT_SECONDS)
                return dict(await self._pool.call(body.runner, "listen", *asked, text_seconds, seconds=within))
            return {"turns": list(await self._pool.call(body.runner, "wait", *asked, seconds=within)), "texts": []}
        except RunnerMissing:
            return {"turns": [_missing(key) for key in body.turns], "texts": []}

    def _of_this_cluster(self, handles: list[Handle]) -> list[Handle]:
        """Returns the handles of this Ray cluster, which knows no other cluster's turns. Refuses if there are none."""
        ours = [handle for handle in handles if not is_elsewhere(handle.incarnation, self._mark)]
        if not ours:
            raise of_another_cluster(self._mark)
        return ours

    async def end(self, method: str, body: End) -> list[Plain]:
        """Stops or forgets turns at the runners that have them, and at those that would get a late submit of them."""
        until = time.monotonic() + CONTROL_SECONDS
        ours = self._of_this_cluster(body.turns)
        routes, holders = await self._routes(body, ours)
        groups: dict[Target, dict[str, float]] = {}
        for handle in ours:
            for name in routes[handle.submission_id]:
                groups.setdefault((name, handle.deliberation), {})[handle.submission_id] = handle.run_seconds
        left = until - time.monotonic()
        # All answers are needed, even if one of them is a refusal.
        answers = await asyncio.gather(*(self._end(to, method, ends, body, left) for to, ends in groups.items()))
        given = dict(zip(groups, answers, strict=True))
        endings: dict[str, Plain | Refusal] = {}
        for handle in body.turns:
            route = routes.get(handle.submission_id)
            ending = _ending(handle, route, given, holders) if route else of_another_cluster(self._mark)
            endings[handle.submission_id] = ending
        refusals = [ending for ending in endings.values() if isinstance(ending, Refusal)]
        # The caller repeats a forget until every runner has answered. A stop returns the states that are known.
        if refusals and (method == "forget" or len(refusals) == len(endings)):
            raise refusals[0]
        return [_not_seen(key) if isinstance(end, Refusal) else end for key, end in endings.items()]

    async def _routes(self, body: End, handles: list[Handle]) -> tuple[dict[str, list[str]], Holders]:
        """Returns the runners to ask about each id, and who holds the turns whose handle names no runner."""
        lost: dict[str, list[str]] = {}
        for handle in handles:
            if not handle.runner:
                lost.setdefault(handle.deliberation, []).append(handle.submission_id)
        found = await asyncio.gather(
            *(self._holders(deliberation, ids, body.owner) for deliberation, ids in lost.items())
        )
        holders = Holders({})
        for some in found:
            holders.by_id.update(some.by_id)
            holders.refusals.update(some.refusals)
        return {handle.submission_id: self._route(handle, holders) for handle in handles}, holders

    async def _holders(self, deliberation: str, ids: list[str], owner: str) -> Holders:
        names = self._pool.possible_holders(deliberation, self._pool.place(deliberation))
        return await self._pool.holders(names, ids, owner, seconds=CONTROL_SECONDS / 2)

    def _route(self, handle: Handle, holders: Holders) -> list[str]:
        # The runner that a late submit would go to now, and the one it would go to if no runner were passed over.
        place = self._pool.place(handle.deliberation) if handle.deliberation else ""
        home = self._pool.home(handle.deliberation) if handle.deliberation else ""
        heirs = list(dict.fromkeys([place, home])) if home else []
        named = handle.runner or holders.by_id.get(handle.submission_id)
        if named is None:
            return heirs
        if named in self._pool.current and named == home:
            return [named]
        return list(dict.fromkeys([named, *heirs]))

    async def _end(self, to: Target, method: str, ends: dict[str, float], body: End, seconds: float) -> Ends:
        name, deliberation = to
        try:
            arguments = ends, deliberation, body.reason, body.owner
            states = await self._pool.call(name, method, *arguments, seconds=seconds)
            return {state["submission_id"]: state for state in states}
        except RunnerMissing:
            return {key: _missing(key) for key in ends}
        except Refusal as refusal:
            return refusal

    async def listing(self, owner: str) -> Plain:
        """Returns the turns of the runners that answer, and the names of the others. Refuses if none answers."""
        names = [*self._pool.current, *self._pool.others]
        answers = await asyncio.gather(*(self._pool.call_for_list(name, "listing", owner) for name in names))
        silent = {name: answer for name, answer in zip(names, answers, strict=True) if isinstance(answer, Refusal)}
        if len(silent) == len(names):
            raise next(iter(silent.values()))
        held = [turn for answer in answers if not isinstance(answer, Refusal) for turn in answer]
        return {"turns": held, "unheard": list(silent)}

    async def runners(self) -> list[Plain]:
        return list(await asyncio.gather(*map(self._pool.info, [*self._pool.current, *self._pool.others])))


def _ending(handle: Handle, route: list[str], answers: dict[Target, Ends], holders: Holders) -> Plain | Refusal:
    """Returns the state of a turn that should end, or the refusal of a runner that may still run or start it."""
    first, *heirs = (answers[name, handle.deliberation] for name in route)
    if isinstance(first, Refusal):
        return first
    state = first[handle.submission_id]
    if state["state"] != "unknown":
        return state
    lost = not handle.runner and handle.submission_id not in holders.by_id
    silent: list[Refusal] = []
    if lost or not state["incarnation"]:  # otherwise the runner that answered will refuse a late submit
        silent = [heir for heir in heirs if isinstance(heir, Refusal)]
    if lost and holders.silent:
        silent.append(holders.silent)
    return silent[0] if silent else state


def _not_seen(submission_id: str) -> Plain:
    """A turn that may still run, since no runner reports its end. None reports it as running: no incarnation."""
    return {**_missing(submission_id), "state": "running"}


def _missing(submission_id: str) -> Plain:
    """A turn whose runner no longer exists. `unknown` without an incarnation means only that."""
    return {
        "submission_id": submission_id,
        "incarnation": "",
        "state": "unknown",
        "started_at": None,
        "progress": {"tokens": 0, "characters": 0},
        "result": None,
        "error": None,
    }
