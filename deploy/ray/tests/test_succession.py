"""Redeploys without Ray: which gateway brings up, drains and lets go of which runner."""

import pytest
from living_runners import A, B, Cluster, begun, no_model

from deliberation_ray.endpoints import Endpoints
from deliberation_ray.turns import Turns


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
