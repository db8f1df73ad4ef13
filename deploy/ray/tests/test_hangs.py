"""Runners that answer nothing: passed over, then ended, but never while they may be slow only."""

import asyncio
from types import SimpleNamespace

import pytest
from living_runners import A, B, Cluster, begun
from submission import submit, turn

from deliberation_ray import presence
from deliberation_ray.wire import Submit


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


async def test_a_runner_that_answers_is_silent_no_longer(cluster: Cluster, clock: SimpleNamespace) -> None:
    gateway = await begun(cluster, "aa")
    cluster.hanging.add(A)
    await gateway.look_after()
    clock.now += presence.PASSED_OVER_SECONDS
    await gateway.look_after()
    assert gateway._pool.silent == {A}
    cluster.answers.set()
    await gateway._pool.info(A)
    assert gateway._pool.silent == set(), "before the next look"


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
