"""Succession: runners of the current build come up, those of older builds leave."""

import asyncio
import logging
import time
from typing import Any

import ray

from deliberation_ray.pool import Gone, Pool
from deliberation_ray.refusal import Refusal

_PERIOD_SECONDS = 2.0
_ASK_SECONDS = 5.0
# An older runner that nobody can ask would refuse every submit, since it may hold the ids.
_PATIENCE_SECONDS = 60.0
# Between two generations whose clocks disagree.
_STEP_SECONDS = 0.001

_log = logging.getLogger("deliberation_ray.succession")


class Succession:
    """Kept up by every gateway; each step may be done by several at once.

    In a redeploy the gateways of the build that leaves go on for a while. Each gateway therefore is a generation, by
    the time it began: a runner heeds no older one than it has heard, and a gateway whose runners were drained by a
    younger one neither resumes nor creates any.
    """

    def __init__(self, pool: Pool) -> None:
        self.superseded = False
        self._pool = pool
        self._generation = 0.0
        self._older: set[str] = set()
        self._silent_since: dict[str, float] = {}

    async def begin(self) -> None:
        """Before the first submit: whatever is found now is older, and must take nothing new any more."""
        await self._pool.look_around()
        self._older = {_build(name) for name in self._pool.others}
        self._generation = await self._next_generation()
        # None leaves yet: an older gateway would miss its runner and see no younger one.
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
        # Even superseded, it looks around: its last submits must find what the others have.
        await self._pool.look_around()
        await asyncio.gather(*(self._uphold(name) for name in self._pool.current if not self.superseded))
        if not self.superseded:
            await self._see_off_older()

    async def _next_generation(self) -> float:
        """Later than all that were heard, even by runners on machines whose clocks are ahead."""
        infos = await asyncio.gather(*(self._info(name) for name in [*self._pool.current, *self._pool.others]))
        heard = [float(info["generation"]) for info in infos if isinstance(info, dict)]
        return max(time.time(), max(heard, default=0.0) + _STEP_SECONDS)

    async def _info(self, name: str) -> dict[str, Any] | Gone | Refusal:
        try:
            return dict(await self._pool.call(name, "info", seconds=_ASK_SECONDS))
        except (Gone, Refusal) as answer:
            return answer

    async def _uphold(self, name: str) -> None:
        info = await self._info(name)
        try:
            if isinstance(info, Gone):
                await self._replace(name)
            elif isinstance(info, Refusal):
                _log.info("%s", info.message)
            elif info["draining"] and info["generation"] > self._generation:
                self._step_back(name)
            elif info["draining"] or info["generation"] < self._generation:
                # It is new to this gateway, or was of an older build, and that build is current again.
                await self._pool.call(name, "resume", self._generation, seconds=_ASK_SECONDS)
        except (Gone, Refusal) as answer:
            _log.info("%s: %s", name, answer)

    async def _replace(self, name: str) -> None:
        """Creates a runner anew, unless it was a younger generation that let it go."""
        await self._pool.look_around()
        for other in self._pool.others:
            info = await self._info(other)
            if isinstance(info, Refusal) and _build(other) not in self._older:
                _log.info("%s is gone, and perhaps %s came after it", name, other)
                return
            # One that drains is current to nobody, however young the gateway that told it so.
            if isinstance(info, dict) and not info["draining"] and info["generation"] > self._generation:
                self._step_back(name)
                return
        _log.warning("%s is gone: creating it anew", name)
        await self._pool.create(name, self._generation)

    def _step_back(self, name: str) -> None:
        if not self.superseded:
            _log.warning("%s was drained by a younger gateway: this one looks after no runner any more", name)
        self.superseded = True

    async def _see_off_older(self) -> None:
        older = [name for name in self._pool.others if _build(name) in self._older]
        await asyncio.gather(*(self._see_off(name) for name in older))

    async def _see_off(self, name: str) -> None:
        tombstones = await self._drain(name)
        if tombstones is None:
            return
        try:
            await self._inherit(tombstones)
            await self._pool.call(name, "leave", seconds=_ASK_SECONDS)
        except (Gone, Refusal) as answer:
            _log.info("%s leaves: %s", name, answer)

    async def _drain(self, name: str) -> list[dict[str, object]] | None:
        """Its tombstones, once it is empty."""
        try:
            tombstones: list[dict[str, object]] | None = await self._pool.call(
                name, "drain", self._generation, seconds=_ASK_SECONDS
            )
            self._silent_since.pop(name, None)
            return tombstones
        except Gone:
            self._silent_since.pop(name, None)
        except Refusal:
            since = self._silent_since.setdefault(name, time.monotonic())
            if time.monotonic() - since > _PATIENCE_SECONDS:
                await self._remove(name)
        return None

    async def _inherit(self, tombstones: list[dict[str, object]]) -> None:
        """A late submit goes to the current build: the tombstones must be there before the older runner leaves."""
        for name in self._pool.current:
            mine = [t for t in tombstones if not t["deliberation"] or self._pool.place(str(t["deliberation"])) == name]
            if mine:
                await self._pool.call(name, "bury", mine)

    async def _remove(self, name: str) -> None:
        _log.warning("%s has not answered for %d s: removing it", name, _PATIENCE_SECONDS)
        self._silent_since.pop(name, None)
        try:
            ray.kill(await self._pool.find(name), no_restart=True)
        except (Gone, Refusal):
            return


def _build(name: str) -> str:
    return name.split("/")[1]
