"""Redeploys without Ray: which gateway brings up, drains and lets go of which runner."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from submission import submit, turn

from deliberation_ray import presence
from deliberation_ray.endpoints import Endpoints
from deliberation_ray.pool import Pool
from deliberation_ray.refusal import RunnerMissing, runner_unavailable
from deliberation_ray.settings import Settings
from deliberation_ray.succession import Succession
from deliberation_ray.turns import Turns
from deliberation_ray.wire import Submit

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

    async def call(self, name: str, method: str, *args: Any, seconds: float | None = 0) -> Any:
        if name in self._cluster.silent:
            raise runner_unavailable(f"{name} is silent")
        if name in self._cluster.hanging:
            await asyncio.wait_for(self._cluster.answers.wait(), seconds)
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


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


async def begun(cluster: Cluster, build: str) -> Succession:
    succession = cluster.gateway(build)
    await succession.begin()
    return succession


async def test_an_older_generation_is_not_obeyed() -> None:
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


async def test_a_resume_that_was_on_its_way_is_not_obeyed(cluster: Cluster) -> None:
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


async def test_a_runner_that_died_is_created_again(cluster: Cluster) -> None:
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


async def test_a_slow_clock_makes_no_older_generation(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    await begun(cluster, "aa")
    monkeypatch.setattr("deliberation_ray.succession.time.time", lambda: 1000.0)
    await begun(cluster, "bb")
    assert cluster.draining() == {A: True, B: False}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The time that presence goes by, and no patience with a question that is still open."""
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr("deliberation_ray.succession._ASK_SECONDS", 0.001)
    monkeypatch.setattr("deliberation_ray.succession.Presence", lambda ask: presence.Presence(ask, lambda: clock.now))
    return clock


async def test_a_current_runner_that_hangs_is_passed_over_and_then_replaced(
    cluster: Cluster, clock: SimpleNamespace
) -> None:
    gateway = await begun(cluster, "aa")
    cluster.hanging.add(A)
    await gateway.look_after()
    assert gateway._pool.silent == set()
    clock.now += presence.PASSED_OVER_SECONDS
    await gateway.look_after()
    assert gateway._pool.silent == {A}
    clock.now = presence.HUNG_SECONDS - 1
    await gateway.look_after()
    assert cluster.killed == []
    clock.now += 1
    await gateway.look_after()
    assert cluster.killed == [(A, True)]
    await gateway.look_after()
    assert gateway._pool.silent == set()
    assert cluster.draining() == {A: False}


async def test_an_older_runner_that_hangs_is_ended_and_not_started_again(
    cluster: Cluster, clock: SimpleNamespace
) -> None:
    await begun(cluster, "aa")
    current = await begun(cluster, "bb")
    cluster.hanging.add(A)
    await current.look_after()
    clock.now += presence.HUNG_SECONDS
    await current.look_after()
    assert cluster.killed == [(A, False)]
    assert cluster.draining() == {B: False}


@pytest.mark.parametrize("name", [A, B])
async def test_a_slow_runner_is_never_ended(cluster: Cluster, clock: SimpleNamespace, name: str) -> None:
    """Each answer takes longer than any look at it; A is of an older build."""
    await begun(cluster, "aa")
    cluster.runners[A].submit(Submit.model_validate(submit(turn())))  # or it would leave
    current = await begun(cluster, "bb")
    cluster.hanging.add(name)
    for _ in range(10):
        cluster.answers.clear()
        await current.look_after()
        clock.now += presence.HUNG_SECONDS - 1
        cluster.answers.set()
        await asyncio.sleep(0.01)
        await current.look_after()
        assert current._pool.silent == set()
    assert cluster.killed == []


async def test_a_runner_that_ray_is_starting_is_never_ended(cluster: Cluster, clock: SimpleNamespace) -> None:
    gateway = await begun(cluster, "aa")
    cluster.hanging.add(A)
    cluster.states[A] = False
    await gateway.look_after()
    clock.now += 10 * presence.HUNG_SECONDS
    await gateway.look_after()
    assert cluster.killed == []
    assert gateway._pool.silent == {A}


async def test_a_superseded_gateway_ends_no_runner(cluster: Cluster, clock: SimpleNamespace) -> None:
    leaving = await begun(cluster, "aa")
    await begun(cluster, "bb")
    await leaving.look_after()
    cluster.hanging.add(A)
    await leaving.look_after()
    clock.now += 10 * presence.HUNG_SECONDS
    await leaving.look_after()
    assert cluster.killed == []


async def test_a_runner_whose_node_is_to_leave_takes_no_new_deliberation(cluster: Cluster) -> None:
    gateway = await begun(cluster, "aa")
    cluster.draining_nodes = {A}
    await gateway.look_after()
    assert gateway._pool.leaving == {A}
    assert cluster.draining() == {A: False}, "it goes on with what it has"
    cluster.draining_nodes = set()
    await gateway.look_after()
    assert gateway._pool.leaving == set()


async def test_nodes_that_cannot_be_asked_about_are_taken_to_stay(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    gateway = await begun(cluster, "aa")

    async def fails() -> set[str]:
        raise TimeoutError

    monkeypatch.setattr(gateway._pool, "draining_nodes", fails)
    for _ in range(3):
        await gateway.look_after()
    assert gateway._pool.leaving == set()
    assert caplog.text.count("cannot ask which nodes are to leave") == 1


async def test_a_runner_with_turns_of_others_is_asked_about_them(cluster: Cluster) -> None:
    gateway = await begun(cluster, "aa")
    cluster.runners[A].guests = 1
    await gateway.look_after()
    assert gateway._pool.hosts == {A}
    cluster.silent.add(A)
    cluster.runners[A].guests = 0
    await gateway.look_after()
    assert gateway._pool.hosts == {A}, "as long as it hasn't said otherwise"
    cluster.silent.clear()
    cluster.runners[A].guests = 1
    assert (await begun(cluster, "aa"))._pool.hosts == {A}, "for its successor, too"
