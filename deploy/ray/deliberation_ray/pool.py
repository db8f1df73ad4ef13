"""The pool of runners: finding, creating and asking them."""

import asyncio
import logging
import time
from dataclasses import dataclass, field
from typing import Any

import ray
from ray.actor import ActorHandle
from ray.exceptions import ActorDiedError, GetTimeoutError, RayActorError, RaySystemError

from deliberation_ray import placement, ray_internals
from deliberation_ray.refusal import Refusal, RunnerMissing, runner_unavailable
from deliberation_ray.runner import Runner
from deliberation_ray.settings import Settings

NAMESPACE = "deliberation"
# Callers wait 9 s for a stop. An answer must reach them in that time, even if it is incomplete.
CONTROL_SECONDS = 7.0
_CONCURRENCY = 20_000
# A runner's last info doesn't count the guests that it has taken since.
_GUESTS_UNSEEN_SECONDS = 60.0

_log = logging.getLogger("deliberation_ray.pool")


@dataclass(frozen=True)
class Holders:
    """The runner that has each id. The runners that didn't answer, with their refusals, may have the other ids."""

    by_id: dict[str, str]
    refusals: dict[str, Refusal] = field(default_factory=dict)

    @property
    def silent(self) -> Refusal | None:
        return next(iter(self.refusals.values()), None)


class Pool:
    """Calls runners of any build by name. It creates runners of its own build only."""

    def __init__(self, build: str, settings: Settings) -> None:
        self.build = build
        self.current = placement.runner_names(build, settings.runners)
        self.others: list[str] = []
        # Runners that have not answered for a while, and current ones whose node is to leave the cluster. New
        # deliberations pass over both.
        self.silent: set[str] = set()
        self.leaving: set[str] = set()
        # Current runners that hold deliberations whose home is another runner.
        self.hosts: set[str] = set()
        self._passed_over = float("-inf")
        self._settings = settings
        self._handles: dict[str, ActorHandle[Any]] = {}

    def home(self, deliberation: str) -> str:
        """Returns the runner that takes the deliberation, unless it is passed over."""
        return placement.in_order(self.current, deliberation)[0]

    def place(self, deliberation: str) -> str:
        """Returns the first runner in order that answers and stays; else the first that answers; else the home."""
        order = placement.in_order(self.current, deliberation)
        for avoided in (self.silent | self.leaving, self.silent, set[str]()):
            for name in order:
                if name not in avoided:
                    if name != order[0]:
                        self._passed_over = time.monotonic()
                    return name
        raise AssertionError("a pool has runners")

    def possible_holders(self, deliberation: str, place: str, repeated: bool = False) -> list[str]:
        """Returns the runners that may have turns of the deliberation, without the one where it is placed."""
        anywhere = repeated or time.monotonic() - self._passed_over < _GUESTS_UNSEEN_SECONDS
        hosts = self.current if anywhere else [name for name in self.current if name in self.hosts]
        names = {self.home(deliberation), *hosts} - {place}
        return [*self.others, *sorted(names)]

    async def create(self, name: str, generation: float) -> None:
        """Gets the actor of that name or creates it; several gateways may do so at once."""
        self._handles[name] = await asyncio.to_thread(self._create, name, generation)

    def _create(self, name: str, generation: float) -> "ActorHandle[Any]":
        actor: Any = ray.remote(Runner)
        ray_internals.note_runner(name)
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
            **self._settings.runner_options.for_ray(ray_internals.nodes()),
        ).remote(name, self._settings, generation)
        return handle

    async def call(self, name: str, method: str, *args: Any, seconds: float | None = CONTROL_SECONDS) -> Any:
        """Raises RunnerMissing, or a refusal if the runner doesn't answer: it may have taken the call."""
        try:
            answer = await asyncio.wait_for(self._call(name, method, args), seconds)
        except (TimeoutError, RayActorError, RaySystemError, GetTimeoutError) as error:
            raise runner_unavailable(f"{name} does not answer: {type(error).__name__}") from error
        if name in self.silent:  # else it would be refused until the next look, though /v1/info shows it as ready
            self.silent.discard(name)
            _log.warning("%s takes new deliberations again", name)
        return answer

    async def _call(self, name: str, method: str, args: tuple[Any, ...]) -> Any:
        dead: ActorHandle[Any] | None = None
        while True:
            handle = await self._find(name)
            if dead is not None and ray_internals.actor_id(handle) == ray_internals.actor_id(dead):
                raise RunnerMissing(name)
            try:
                return await getattr(handle, method).remote(*args)
            except ActorDiedError:
                # This actor is gone for good. Another actor may have its name by now, so the name is looked up again.
                # Another call may have done that already.
                dead = handle
                if self._handles.get(name) is handle:
                    del self._handles[name]

    async def _find(self, name: str) -> "ActorHandle[Any]":
        if name not in self._handles:
            try:
                self._handles[name] = await asyncio.to_thread(ray.get_actor, name, NAMESPACE)
            except ValueError as error:
                raise RunnerMissing(name) from error
            except Exception as error:
                raise runner_unavailable(f"cannot look up {name}: {type(error).__name__}") from error
        return self._handles[name]

    async def holders(self, names: list[str], ids: list[str], owner: str, seconds: float = CONTROL_SECONDS) -> Holders:
        """Asks the named runners which of the ids they have."""
        answers = await asyncio.gather(
            *(self.call_for_list(name, "known", ids, owner, seconds=seconds) for name in names)
        )
        holders = Holders({})
        for name, answer in zip(names, answers, strict=True):
            if isinstance(answer, Refusal):
                holders.refusals[name] = answer
            else:
                holders.by_id.update(dict.fromkeys(answer, name))
        return holders

    async def call_for_list(
        self, name: str, method: str, *args: Any, seconds: float = CONTROL_SECONDS
    ) -> list[Any] | Refusal:
        """Returns a runner's list: empty if the runner is missing, a refusal if it doesn't answer."""
        if name in self.silent:  # asking it would only take the caller's time
            return runner_unavailable(f"{name} has not answered for a while")
        try:
            return list(await self.call(name, method, *args, seconds=seconds))
        except RunnerMissing:
            return []
        except Refusal as refusal:
            return refusal

    async def look_around(self) -> None:
        """Finds out which runners of other builds there are."""
        names = await asyncio.to_thread(self._noted)
        self.others = [name for name in names if name not in self.current]

    def _noted(self) -> list[str]:
        names = ray_internals.noted_runners()
        for name in set(self.current) - set(names):  # another gateway found no actor yet, and dropped the name
            if name in self._handles:
                ray_internals.note_runner(name)
        return names

    async def is_alive(self, name: str) -> bool:
        """Reports whether the runner's process runs, as far as Ray knows."""
        return await asyncio.to_thread(ray_internals.actor_is_alive, await self._find(name))

    async def kill(self, name: str, restart: bool) -> None:
        """Ends the runner's process with all that it holds. With `restart`, Ray starts it as another incarnation."""
        await asyncio.to_thread(ray.kill, await self._find(name), no_restart=not restart)

    async def drop(self, name: str) -> None:
        """Removes the name of a missing runner of another build, so that no gateway asks for it."""
        await asyncio.to_thread(ray_internals.drop_runner, name)

    async def draining_nodes(self) -> set[str]:
        return await asyncio.to_thread(ray_internals.draining_nodes)

    async def info(self, name: str) -> dict[str, Any]:
        try:
            return dict(await self.call(name, "info", seconds=CONTROL_SECONDS / 2))
        except (RunnerMissing, Refusal):
            nothing = {"in_flight": 0, "kept": 0, "guests": 0, "capacity": 0, "draining": False, "generation": 0.0}
            return {"name": name, "incarnation": "", **nothing, "pid": 0, "node": "", "node_id": ""}
