"""Succession: runners of the current build come up, those of older builds leave."""

import asyncio
import logging
import time

import ray

from deliberation_ray.pool import Gone, Pool
from deliberation_ray.refusal import Refusal

_PERIOD_SECONDS = 2.0
_ASK_SECONDS = 5.0
# An older runner that nobody can ask would refuse every submit, since it may hold the ids.
_PATIENCE_SECONDS = 60.0

_log = logging.getLogger("deliberation_ray.succession")


class Succession:
    """Kept up by every gateway; each step may be done by several at once."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._older: set[str] = set()
        self._silent_since: dict[str, float] = {}

    async def begin(self) -> None:
        """Before the first submit: whatever is found now is older, and must take nothing new any more."""
        await self._pool.look_around()
        self._older = {_build(name) for name in self._pool.others}
        await self._drain_older()
        for name in self._pool.current:
            await self._pool.create(name)

    async def keep(self) -> None:
        while True:
            await asyncio.sleep(_PERIOD_SECONDS)
            try:
                await self._pool.look_around()
                await asyncio.gather(self._drain_older(), *(self._uphold(name) for name in self._pool.current))
            except Exception as error:
                _log.warning("will look after the runners again: %s: %s", type(error).__name__, error)

    async def _uphold(self, name: str) -> None:
        try:
            info = await self._pool.call(name, "info", seconds=_ASK_SECONDS)
            if info["draining"]:
                # It was of an older build, and that build is current again.
                await self._pool.call(name, "resume", seconds=_ASK_SECONDS)
        except Gone:
            _log.warning("%s is gone: creating it anew", name)
            await self._pool.create(name)
        except Refusal as refusal:
            _log.info("%s", refusal.message)

    async def _drain_older(self) -> None:
        older = [name for name in self._pool.others if _build(name) in self._older]
        await asyncio.gather(*(self._drain(name) for name in older))

    async def _drain(self, name: str) -> None:
        try:
            tombstones = await self._pool.call(name, "drain", seconds=_ASK_SECONDS)
            self._silent_since.pop(name, None)
            if tombstones is not None:
                await self._inherit(tombstones)
                await self._pool.call(name, "leave", seconds=_ASK_SECONDS)
        except Gone:
            self._silent_since.pop(name, None)
        except Refusal:
            since = self._silent_since.setdefault(name, time.monotonic())
            if time.monotonic() - since > _PATIENCE_SECONDS:
                await self._remove(name)

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
