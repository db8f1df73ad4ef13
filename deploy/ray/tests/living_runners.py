"""A cluster of runners without Ray."""

import asyncio
from typing import Any

from deliberation_ray.endpoints import Endpoints
from deliberation_ray.pool import Pool
from deliberation_ray.refusal import RunnerMissing, runner_unavailable
from deliberation_ray.settings import Settings
from deliberation_ray.succession import Succession
from deliberation_ray.turns import Turns

A, B = "runner/aa/0", "runner/bb/0"


async def no_model(*_: object) -> Any:
    raise AssertionError("no turn is submitted here")


class Cluster:
    """The runners that live, by name; whoever asks one that is silent learns nothing."""

    def __init__(self) -> None:
        self.runners: dict[str, Turns] = {}
        self.silent: set[str] = set()  # Ray says that they can't be asked
        self.hanging: set[str] = set()  # Ray says that they run, and they answer nothing
        self.draining_nodes: set[str] = set()
        self.killed: list[tuple[str, bool]] = []
        self.states: dict[str, bool] = {}
        self.answers = asyncio.Event()  # from then on the hanging ones answer after all

    def gateway(self, build: str) -> Succession:
        return Succession(Asked(self, build))

    def draining(self) -> dict[str, bool]:
        return {name: turns.draining for name, turns in sorted(self.runners.items())}


class Asked(Pool):
    """A gateway's pool, with the cluster in place of Ray."""

    def __init__(self, cluster: Cluster, build: str) -> None:
        super().__init__(build, Settings(ray_open=True, runners=1))
        self._cluster = cluster

    async def look_around(self) -> None:
        self.others = sorted(name for name in self._cluster.runners if name not in self.current)

    async def create(self, name: str, generation: float) -> None:
        if name not in self._cluster.runners:
            self._cluster.runners[name] = Turns(no_model, 1, Endpoints(1, 1))
            self._cluster.runners[name].generation = generation

    async def drop(self, name: str) -> None:
        assert name not in self._cluster.runners

    async def draining_nodes(self) -> set[str]:
        return self._cluster.draining_nodes

    async def is_alive(self, name: str) -> bool:
        return self._cluster.states.get(name, True)

    async def kill(self, name: str, restart: bool) -> None:
        self._cluster.killed.append((name, restart))
        self._cluster.hanging.discard(name)
        old = self._cluster.runners.pop(name)
        if restart:
            await self.create(name, old.generation)

    async def _call(self, name: str, method: str, args: tuple[Any, ...]) -> Any:
        if name in self._cluster.silent:
            raise runner_unavailable(f"{name} is silent")
        if name in self._cluster.hanging:
            await self._cluster.answers.wait()
        if name not in self._cluster.runners:
            raise RunnerMissing(name)
        turns = self._cluster.runners[name]
        if method == "info":
            return {"draining": turns.draining, "generation": turns.generation, "guests": turns.guests, "node_id": name}
        if method == "leave":
            if turns.draining:
                del self._cluster.runners[name]
            return None
        return getattr(turns, method)(*args)


async def begun(cluster: Cluster, build: str) -> Succession:
    succession = cluster.gateway(build)
    await succession.begin()
    return succession
