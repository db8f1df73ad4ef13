"""The pool of runners: finding, creating, asking and replacing them."""

import asyncio
import hashlib
import logging
from dataclasses import dataclass
from typing import Any

import ray
from ray.actor import ActorHandle
from ray.exceptions import ActorDiedError, GetTimeoutError, RayActorError, RaySystemError

from deliberation_ray.refusal import Refusal, runner_unavailable
from deliberation_ray.runner import Runner
from deliberation_ray.settings import Settings

NAMESPACE = "deliberation"
# Callers give a stop 9 s: an answer that says less comes before their patience ends.
CONTROL_SECONDS = 7.0
_CONCURRENCY = 20_000

_log = logging.getLogger("deliberation_ray.pool")


class Gone(Exception):  # noqa: N818 — an answer about a runner, not a defect
    """Ray knows no actor of that name: whatever it held no longer exists."""


@dataclass(frozen=True)
class Known:
    """id → the name of the runner that has it; and why one said nothing, which may have any of the others."""

    holders: dict[str, str]
    silent: Refusal | None = None


class Pool:
    """Calls runners by name, of whatever build; creates those of its own build."""

    def __init__(self, build: str, settings: Settings) -> None:
        self.build = build
        self.current = [f"runner/{build}/{index}" for index in range(settings.runners)]
        self.others: list[str] = []
        self._settings = settings
        self._handles: dict[str, ActorHandle[Any]] = {}

    def place(self, deliberation: str) -> str:
        """Rendezvous hashing: every gateway names the same runner, without asking any."""
        return max(self.current, key=lambda name: hashlib.sha256(f"{name}|{deliberation}".encode()).digest())

    async def create(self, name: str, generation: float) -> None:
        """Gets the actor of that name or creates it; several gateways may do so at once."""
        self._handles[name] = await asyncio.to_thread(self._create, name, generation)

    def _create(self, name: str, generation: float) -> "ActorHandle[Any]":
        actor: Any = ray.remote(Runner)
        handle: ActorHandle[Any] = actor.options(
            name=name,
            namespace=NAMESPACE,
            lifetime="detached",
            get_if_exists=True,
            max_restarts=-1,
            max_task_retries=0,
            max_concurrency=_CONCURRENCY,
            scheduling_strategy="SPREAD",
            enable_task_events=False,
            **self._settings.runner_options.model_dump(exclude_none=True),
        ).remote(name, self._settings, generation)
        return handle

    async def call(self, name: str, method: str, *args: Any, seconds: float = CONTROL_SECONDS) -> Any:
        """Raises Gone, or a refusal when nothing can be said about the runner: it may or may not have heard."""
        try:
            return await asyncio.wait_for(self._call(name, method, args), seconds)
        except (TimeoutError, RayActorError, RaySystemError, GetTimeoutError) as error:
            raise runner_unavailable(f"{name} does not answer: {type(error).__name__}") from error

    async def _call(self, name: str, method: str, args: tuple[Any, ...]) -> Any:
        dead: ActorHandle[Any] | None = None
        while True:
            handle = await self.find(name)
            if dead is not None and handle._actor_id == dead._actor_id:
                raise Gone(name)
            try:
                return await _answer(handle, method, args)
            except ActorDiedError:
                # Dead for good. Another actor may have taken the name meanwhile, so the name is asked again; another
                # call may have done so already.
                dead = handle
                if self._handles.get(name) is handle:
                    del self._handles[name]

    async def find(self, name: str) -> "ActorHandle[Any]":
        if name not in self._handles:
            try:
                self._handles[name] = await asyncio.to_thread(ray.get_actor, name, NAMESPACE)
            except ValueError as error:
                raise Gone(name) from error
            except Exception as error:
                raise runner_unavailable(f"cannot look up {name}: {type(error).__name__}") from error
        return self._handles[name]

    async def known(self, ids: list[str], owner: str, seconds: float = CONTROL_SECONDS) -> Known:
        """Which of the ids runners of other builds have."""
        names = list(self.others)
        answers = await asyncio.gather(*(self.heard(name, "known", ids, owner, seconds=seconds) for name in names))
        holders: dict[str, str] = {}
        silent: Refusal | None = None
        for name, held in zip(names, answers, strict=True):
            if isinstance(held, Refusal):
                silent = held
            else:
                holders.update(dict.fromkeys(held, name))
        return Known(holders, silent)

    async def heard(self, name: str, method: str, *args: Any, seconds: float = CONTROL_SECONDS) -> list[Any] | Refusal:
        """A runner's list: empty of one that is gone, a refusal of one that says nothing."""
        try:
            return list(await self.call(name, method, *args, seconds=seconds))
        except Gone:
            return []
        except Refusal as refusal:
            return refusal

    async def look_around(self) -> None:
        """Learns which runners of other builds live."""
        actors = await asyncio.to_thread(ray.util.list_named_actors, all_namespaces=True)
        names = [actor["name"] for actor in actors if actor["namespace"] == NAMESPACE]
        self.others = sorted(name for name in names if name.startswith("runner/") and name not in self.current)

    async def info(self, name: str) -> dict[str, Any]:
        try:
            return dict(await self.call(name, "info", seconds=CONTROL_SECONDS / 2))
        except (Gone, Refusal):
            nothing = {"in_flight": 0, "kept": 0, "capacity": 0, "draining": False, "generation": 0.0}
            return {"name": name, "incarnation": "", **nothing, "pid": 0, "node": ""}


async def _answer(handle: "ActorHandle[Any]", method: str, args: tuple[Any, ...]) -> Any:
    return await getattr(handle, method).remote(*args)
