"""Succession: keeps runners of the current build running, and lets those of older builds leave."""

import asyncio
import logging
import time
from typing import Any

from deliberation_ray.pool import Pool
from deliberation_ray.presence import Presence
from deliberation_ray.refusal import Refusal, RunnerMissing

_PERIOD_SECONDS = 2.0
_ASK_SECONDS = 5.0
# A new generation is later than a known one by this, if another machine's clock is ahead.
_STEP_SECONDS = 0.001

_log = logging.getLogger("deliberation_ray.succession")

Info = dict[str, Any]


class Succession:
    """Every gateway does this, and several gateways may do the same step at once.

    During a redeploy, gateways of the older build still run for a while. So each gateway has a generation: the time at
    which it began. A runner obeys no gateway that is older than one it has heard from. A gateway whose runners were
    drained by a younger one neither resumes nor creates runners.
    """

    def __init__(self, pool: Pool) -> None:
        self.superseded = False
        self._pool = pool
        self._presence = Presence(self._ask)
        self._generation = 0.0
        self._older: set[str] = set()
        self._knows_nodes = True

    async def begin(self) -> None:
        """Comes before the first submit. Every runner of another build is older, and must take no new turns."""
        await self._pool.look_around()
        self._older = {_build(name) for name in self._pool.others}
        self._generation = await self._next_generation()
        # None leaves yet: its gateway would find it missing, see no younger runner, and create it again.
        await asyncio.gather(*(self._drain(name) for name in self._pool.others))
        for name in self._pool.current:
            await self._pool.create(name, self._generation)

    async def keep(self) -> None:
        while True:
            await asyncio.sleep(_PERIOD_SECONDS)
            try:
                await self.look_after()
            except Exception as error:
                _log.warning("will look after the runners again: %s: %s", type(error).__name__, error)

    async def look_after(self) -> None:
        # Even a superseded gateway looks around: its last submits must find what other runners have.
        await self._pool.look_around()
        await self._look_at_current()
        if not self.superseded:
            await self._retire_older()
        runners = [*self._pool.current, *self._pool.others]
        silent = {name for name in runners if self._presence.is_silent(name)}
        _log_changes(self._pool.silent, silent, "has not answered for a while")
        self._pool.silent = silent

    async def _look_at_current(self) -> None:
        names = self._pool.current
        infos = dict(zip(names, await asyncio.gather(*map(self._look, names)), strict=True))
        nodes = await self._draining_nodes()
        answered = {name: info for name, info in infos.items() if isinstance(info, dict)}
        leaving = {name for name, info in answered.items() if info["node_id"] in nodes}
        _log_changes(self._pool.leaving, leaving, "is on a node that is to leave the cluster")
        self._pool.leaving = leaving
        self._note_hosts(answered)
        if not self.superseded:
            await asyncio.gather(*(self._keep_current(name, info) for name, info in infos.items()))

    async def _draining_nodes(self) -> set[str]:
        try:
            nodes = await self._pool.draining_nodes()
        except Exception as error:
            if self._knows_nodes:
                _log.warning("cannot ask which nodes are to leave: %s", type(error).__name__)
            self._knows_nodes = False
            return set()
        self._knows_nodes = True
        return nodes

    async def _next_generation(self) -> float:
        """Returns a generation after all that runners have heard from, even if their gateways' clocks were ahead."""
        names = [*self._pool.current, *self._pool.others]
        infos = dict(zip(names, await asyncio.gather(*map(self._look, names)), strict=True))
        answered = {name: info for name, info in infos.items() if isinstance(info, dict)}
        self._note_hosts({name: info for name, info in answered.items() if name in self._pool.current})
        known = [float(info["generation"]) for info in answered.values()]
        return max(time.time(), max(known, default=0.0) + _STEP_SECONDS)

    def _note_hosts(self, answered: dict[str, Info]) -> None:
        """Notes which runners have guests. For a runner that doesn't answer, its last answer counts."""
        before = {name for name in self._pool.hosts if name not in answered}
        self._pool.hosts = before | {name for name, info in answered.items() if info["guests"]}

    async def _ask(self, name: str) -> Info:
        return dict(await self._pool.call(name, "info", seconds=None))

    async def _look(self, name: str) -> Info | RunnerMissing | Refusal:
        return await self._presence.look(name, _ASK_SECONDS)

    async def _keep_current(self, name: str, info: Info | RunnerMissing | Refusal) -> None:
        try:
            if isinstance(info, RunnerMissing):
                await self._create_again(name)
            elif isinstance(info, Refusal):
                await self._end_if_hung(name, info, restart=True)
            elif info["draining"] and info["generation"] > self._generation:
                self._step_back(name)
            elif info["draining"] or info["generation"] < self._generation:
                # The runner doesn't know this gateway yet, or it was drained while another build was current.
                await self._pool.call(name, "resume", self._generation, seconds=_ASK_SECONDS)
        except (RunnerMissing, Refusal) as answer:
            _log.info("%s: %s", name, answer)

    async def _create_again(self, name: str) -> None:
        """Creates a missing runner again, unless a younger gateway has let it leave."""
        await self._pool.look_around()
        for other in self._pool.others:
            info = await self._look(other)
            if isinstance(info, Refusal) and _build(other) not in self._older:
                _log.info("%s is missing, and is not created again: %s may be its successor", name, other)
                return
            # A draining runner is of no current build, however young the gateway is that drained it.
            if isinstance(info, dict) and not info["draining"] and info["generation"] > self._generation:
                self._step_back(name)
                return
        _log.warning("%s is missing: creating it again", name)
        await self._pool.create(name, self._generation)

    async def _end_if_hung(self, name: str, refusal: Refusal, restart: bool) -> None:
        """Ends a runner that hangs. A slow one answers late, and one that Ray is starting can't answer yet."""
        if self._presence.may_hang(name) and await self._pool.is_alive(name):
            _log.warning("%s hangs, it has answered nothing for %d s: ending it", name, self._presence.silence(name))
            await self._pool.kill(name, restart)
            self._presence.forget(name)
            return
        _log.info("%s", refusal.message)

    def _step_back(self, name: str) -> None:
        if not self.superseded:
            _log.warning("%s was drained by a younger gateway: this one no longer looks after runners", name)
        self.superseded = True

    async def _retire_older(self) -> None:
        older = [name for name in self._pool.others if _build(name) in self._older]
        await asyncio.gather(*(self._retire(name) for name in older))

    async def _retire(self, name: str) -> None:
        """Drains an older runner; once it is empty, its tombstones go to the current ones, and it leaves."""
        tombstones = await self._drain(name)
        if tombstones is None:
            return
        try:
            await self._hand_over(tombstones)
            await self._pool.call(name, "leave", seconds=_ASK_SECONDS)
        except (RunnerMissing, Refusal) as answer:
            _log.info("%s leaves: %s", name, answer)

    async def _drain(self, name: str) -> list[dict[str, object]] | None:
        """Drains the runner, and returns its tombstones once it is empty."""
        try:
            info = await self._look(name)
            if isinstance(info, RunnerMissing):
                await self._pool.drop(name)
            elif isinstance(info, Refusal):
                await self._end_if_hung(name, info, restart=False)
            else:
                tombstones: list[dict[str, object]] | None = await self._pool.call(
                    name, "drain", self._generation, seconds=_ASK_SECONDS
                )
                return tombstones
        except (RunnerMissing, Refusal) as answer:
            _log.info("%s: %s", name, answer)
        return None

    async def _hand_over(self, tombstones: list[dict[str, object]]) -> None:
        """Gives tombstones to the current runners before the older one leaves, since late submits go to these."""
        for name in self._pool.current:
            own = [stone for stone in tombstones if self._home_of(stone) in ("", name)]
            if own:
                await self._pool.call(name, "bury", own)

    def _home_of(self, stone: dict[str, object]) -> str:
        """Returns the runner that a late submit of the turn would go to; empty if that may be any runner."""
        return self._pool.home(str(stone["deliberation"])) if stone["deliberation"] else ""


def _log_changes(before: set[str], now: set[str], what: str) -> None:
    for name in sorted(now - before):
        _log.warning("%s %s: new deliberations pass over it", name, what)
    for name in sorted(before - now):
        _log.warning("%s takes new deliberations again", name)


def _build(name: str) -> str:
    return name.split("/")[1]
