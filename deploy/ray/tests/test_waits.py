"""When a wait for turns ends, and what it names."""

import asyncio

from gated import Gated
from submission import submitted, turn
from turn_states import state

from deliberation_ray.turns import Turns


async def test_a_wait_ends_at_the_first_of_several_and_names_only_what_has_ended(turns: Turns, model: Gated) -> None:
    turns.submit(submitted(turn("t1"), turn("t2", run_seconds=0.5)))
    (ended,) = await turns.wait(["t1", "t2"], 30)
    assert (ended["submission_id"], ended["state"]) == ("t2", "failed")
    model.release.set()
    (ended,) = await turns.wait(["t1"], 30)
    assert (ended["submission_id"], ended["state"]) == ("t1", "completed")


async def test_a_turn_that_begins_ends_no_wait(turns: Turns, model: Gated) -> None:
    turns.submit(submitted(turn("t1")))
    waiting = asyncio.create_task(turns.wait(["t1"], 30))
    await model.called.wait()
    await asyncio.sleep(0)
    assert turns.view("t1")["state"] == "running"
    assert not waiting.done()
    model.release.set()
    assert [view["state"] for view in await waiting] == ["completed"]


async def test_an_unknown_turn_ends_the_wait_and_says_nothing_of_the_others(turns: Turns) -> None:
    turns.submit(submitted(turn("t1")))
    (unknown,) = await turns.wait(["t1", "t2"], 30)
    assert (unknown["submission_id"], unknown["state"]) == ("t2", "unknown")


async def test_a_forgotten_turn_ends_the_wait_for_it(turns: Turns, model: Gated) -> None:
    turns.submit(submitted(turn("t1"), turn("t2")))
    waiting = asyncio.create_task(turns.wait(["t1", "t2"], 30))
    await model.called.wait()
    await turns.forget({"t1": 1}, "", "")
    assert [(view["submission_id"], view["state"]) for view in await waiting] == [("t1", "cancelled")]


async def test_a_wait_that_is_over_names_all(turns: Turns) -> None:
    turns.submit(submitted(turn("t1"), turn("t2")))
    assert [view["state"] for view in await turns.wait(["t1", "t2"], 0.01)] == ["running", "running"]
    both = await turns.wait(["t1", "t2", "t3"], 0)
    assert [view["state"] for view in both] == ["running", "running", "unknown"]


async def test_a_turn_outlives_the_wait_that_is_cancelled(turns: Turns, model: Gated) -> None:
    turns.submit(submitted(turn("t1")))
    waiting = asyncio.create_task(state(turns, "t1"))
    await model.called.wait()
    waiting.cancel()
    model.release.set()
    assert (await state(turns, "t1"))["state"] == "completed"
