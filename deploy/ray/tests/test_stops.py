"""Stopping and forgetting turns: what ends, what is kept, and what a late submit finds."""

import pytest
from gated import Gated
from submission import new_id, statuses, submitted, turn
from turn_states import state, until_dropped

from deliberation_ray import turns as holding
from deliberation_ray.endpoints import Endpoints
from deliberation_ray.refusal import Refusal
from deliberation_ray.turns import Turns


async def test_what_was_stopped_makes_room_soon(turns: Turns, model: Gated, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holding, "_KEEP_CANCELLED_SECONDS", 0.1)
    turns.submit(submitted(turn("t1"), turn("t2"), turn("t3", keep_seconds=0)))
    await model.called.wait()
    await turns.stop({"t1": 1}, "", "")
    model.release.set()
    await state(turns, "t2")
    await until_dropped(turns, 1)
    assert turns.view("t1")["state"] == "cancelled"
    assert turns.view("t2")["state"] == "completed"


async def test_stop_aborts_and_tells_what_was_spent(turns: Turns, model: Gated) -> None:
    turns.submit(submitted(turn("t1")))
    await model.called.wait()
    (view,) = await turns.stop({"t1": 1}, "", "deadline")
    assert model.aborted == 1
    assert view["state"] == "cancelled"
    assert view["error"]["type"] == "Cancelled"
    assert view["error"]["message"] == "deadline"
    assert view["error"]["usage"] == {"prompt_tokens": 0, "completion_tokens": 3}


async def test_stop_before_the_first_step_of_the_task(turns: Turns, model: Gated) -> None:
    turns.submit(submitted(turn("t1")))
    (view,) = await turns.stop({"t1": 1}, "", "")
    assert view["state"] == "cancelled"
    assert model.calls == []


async def test_stop_keeps_the_result_that_had_just_completed(turns: Turns, model: Gated) -> None:
    turns.submit(submitted(turn("t1")))
    await model.called.wait()
    model.release.set()
    await state(turns, "t1")
    for _ in range(2):
        (view,) = await turns.stop({"t1": 1}, "", "deadline")
        assert view["state"] == "completed"
        assert view["result"]["text"] == "text"


@pytest.mark.parametrize("end", ["stop", "forget"])
async def test_a_late_submit_starts_nothing(turns: Turns, model: Gated, end: str) -> None:
    await getattr(turns, end)({"t1": 1, "t2": 1}, "", "")
    assert statuses(turns.submit(submitted(turn("t1"), turn("t2")))) == ["cancelled", "cancelled"]
    assert (await state(turns, "t1", 5))["state"] == "cancelled"
    assert model.calls == []


async def test_forget_drops_the_outcome_and_makes_room(turns: Turns, model: Gated) -> None:
    model.release.set()
    body = submitted(turn("t1"), turn("t2"), turn("t3"))
    turns.submit(body)
    for key in ("t1", "t2", "t3"):
        await state(turns, key)
    with pytest.raises(Refusal, match="3 of 3"):
        turns.submit(submitted(turn("t4")))
    forgotten = await turns.forget({"t1": 1, "t2": 1}, "", "")
    assert forgotten == [{"submission_id": key, "state": "completed"} for key in ("t1", "t2")]
    assert turns.held == 1
    assert turns.view("t1")["result"] is None
    assert statuses(turns.submit(body)) == ["cancelled", "cancelled", "attached"]


async def test_forget_ends_a_running_turn(turns: Turns, model: Gated) -> None:
    turns.submit(submitted(turn("t1")))
    await model.called.wait()
    assert await turns.forget({"t1": 1}, "", "") == [{"submission_id": "t1", "state": "cancelled"}]
    assert model.aborted == 1
    assert turns.held == 0


async def test_tombstones_outlive_their_runner(turns: Turns, model: Gated) -> None:
    await turns.stop({"t1": 30}, "deliberation-1", "")
    (stone,) = turns.drain(1.0) or []
    assert stone["deliberation"] == "deliberation-1"
    assert 600 < stone["seconds"] <= 630
    heir = Turns(model.answer, 3, Endpoints(3, 3))
    heir.bury([stone])
    assert statuses(heir.submit(submitted(turn("t1")))) == ["cancelled"]


async def test_a_stop_does_not_wait_behind_turns_that_begin(model: Gated) -> None:
    turns = Turns(model.answer, 200, Endpoints(200, 200))
    ids = [new_id() for _ in range(200)]
    turns.submit(submitted(*(turn(key) for key in ids)))
    await turns.stop({ids[-1]: 1}, "", "")
    assert len(model.calls) < 20
