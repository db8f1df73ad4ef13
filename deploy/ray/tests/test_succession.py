"""Redeploys without Ray: which gateway brings up, drains and lets go of which runner."""

from typing import Any

import pytest

from deliberation_ray.endpoints import Endpoints
from deliberation_ray.pool import Gone, Pool
from deliberation_ray.refusal import runner_unavailable
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
        self.silent: set[str] = set()

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

    async def call(self, name: str, method: str, *args: Any, seconds: float = 0) -> Any:
        if name in self._cluster.silent:
            raise runner_unavailable(f"{name} is silent")
        if name not in self._cluster.runners:
            raise Gone(name)
        turns = self._cluster.runners[name]
        if method == "info":
            return {"draining": turns.draining, "generation": turns.generation}
        if method == "leave":
            if turns.draining:
                del self._cluster.runners[name]
            return None
        return getattr(turns, method)(*args)


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


async def begun(cluster: Cluster, build: str) -> Succession:
    succession = cluster.gateway(build)
    await succession.begin()
    return succession


async def test_an_older_generation_is_not_heard() -> None:
    turns = Turns(no_model, 1, Endpoints(1, 1))
    assert turns.drain(2.0) == []
    turns.resume(1.0)
    assert turns.draining
    turns.resume(3.0)
    assert turns.drain(2.0) is None
    assert not turns.draining
    assert turns.generation == 3.0


async def test_a_gateway_that_leaves_resumes_no_runner(cluster: Cluster) -> None:
    leaving = await begun(cluster, "aa")
    await begun(cluster, "bb")
    await leaving.look_after()
    assert cluster.draining() == {A: True, B: False}
    assert leaving.superseded


async def test_a_resume_that_was_on_its_way_is_not_heard(cluster: Cluster) -> None:
    leaving = await begun(cluster, "aa")
    await begun(cluster, "bb")
    await leaving._pool.call(A, "resume", leaving._generation)
    assert cluster.draining() == {A: True, B: False}


async def test_a_gateway_that_leaves_creates_no_runner(cluster: Cluster) -> None:
    leaving = await begun(cluster, "aa")
    current = await begun(cluster, "bb")
    await current.look_after()
    assert cluster.draining() == {B: False}
    await leaving.look_after()
    await current.look_after()
    await leaving.look_after()
    assert cluster.draining() == {B: False}


async def test_an_older_runner_stays_until_the_new_ones_are_there(cluster: Cluster) -> None:
    await begun(cluster, "aa")
    await begun(cluster, "bb")
    assert cluster.draining() == {A: True, B: False}


async def test_no_runner_is_created_beside_one_that_may_have_come_after_it(cluster: Cluster) -> None:
    leaving = await begun(cluster, "aa")
    current = await begun(cluster, "bb")
    await current.look_after()
    cluster.silent.add(B)
    await leaving.look_after()
    assert cluster.draining() == {B: False}


async def test_a_build_may_become_current_again(cluster: Cluster) -> None:
    first = await begun(cluster, "aa")
    second = await begun(cluster, "bb")
    third = await begun(cluster, "aa")
    for gateway in (second, third, first, second, third):
        await gateway.look_after()
    assert cluster.draining() == {A: False}
    assert (second.superseded, third.superseded) == (True, False)


async def test_a_runner_that_died_is_created_anew(cluster: Cluster) -> None:
    await begun(cluster, "aa")
    current = await begun(cluster, "bb")
    # A younger gateway of the same build has drained the older runner, which says nothing about this build.
    sibling = await begun(cluster, "bb")
    del cluster.runners[B]
    await current.look_after()
    assert cluster.draining()[B] is False
    assert not current.superseded
    await sibling.look_after()
    assert cluster.runners[B].generation == sibling._generation


async def test_a_silent_older_runner_hinders_no_new_one(cluster: Cluster) -> None:
    await begun(cluster, "aa")
    current = await begun(cluster, "bb")
    del cluster.runners[B]
    cluster.silent.add(A)
    await current.look_after()
    assert B in cluster.runners


async def test_a_clock_that_is_behind_makes_no_older_generation(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    await begun(cluster, "aa")
    monkeypatch.setattr("deliberation_ray.succession.time.time", lambda: 1000.0)
    await begun(cluster, "bb")
    assert cluster.draining() == {A: True, B: False}
