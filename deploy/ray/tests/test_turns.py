"""The turns that a runner holds: submitted once, run, kept and counted, for their owner only."""

import pytest
from gated import Gated
from submission import statuses, submit, submitted, turn
from turn_states import state, until_dropped

from deliberation_ray.failures import Failure
from deliberation_ray.refusal import Refusal
from deliberation_ray.turns import Turns
from deliberation_ray.wire import Submit


async def test_the_same_id_is_the_same_work(turns: Turns, model: Gated) -> None:
    body = submitted(turn("t1"))
    assert statuses(turns.submit(body)) == ["accepted"]
    assert statuses(turns.submit(body)) == ["attached"]
    model.release.set()
    assert (await state(turns, "t1"))["state"] == "completed"
    assert statuses(turns.submit(body)) == ["attached"]
    assert len(model.calls) == 1


async def test_it_renders_refs_and_passes_parameters_as_given(turns: Turns, model: Gated) -> None:
    turns.submit(submitted(turn("t1", parameters={"seed": 7})), traceparent="00-ab")
    await model.called.wait()
    (call,) = model.calls
    assert call.messages == [{"role": "user", "content": "Add rate limiting. Answer briefly."}]
    assert call.parameters == {"seed": 7}
    assert call.traceparent == "00-ab"


async def test_queued_until_the_call_starts_then_running_then_completed(turns: Turns, model: Gated) -> None:
    turns.submit(submitted(turn("t1")))
    assert turns.view("t1")["state"] == "queued"
    assert turns.view("t1")["started_at"] is None
    await model.called.wait()
    assert turns.view("t1")["state"] == "running"
    model.release.set()
    view = await state(turns, "t1")
    assert view["state"] == "completed"
    assert view["result"]["text"] == "text"
    assert view["result"]["calls"] == 1
    assert view["error"] is None


async def test_run_seconds_ends_a_turn_by_itself(turns: Turns, model: Gated) -> None:
    turns.submit(submitted(turn("t1", run_seconds=0.5)))
    view = await state(turns, "t1")
    assert view["state"] == "failed"
    assert view["error"]["type"] == "ModelTimeout"
    assert view["error"]["retryable"] is True
    assert view["error"]["usage"]["completion_tokens"] == 3
    assert model.aborted == 1


async def test_keep_seconds_ends_what_is_kept(turns: Turns, model: Gated) -> None:
    model.release.set()
    turns.submit(submitted(turn("t1", keep_seconds=1), turn("t2")))
    assert [view["state"] for view in await turns.wait(["t1", "t2"], 30)] == ["completed", "completed"]
    await until_dropped(turns, 1)
    assert turns.view("t1")["state"] == "unknown"
    assert turns.view("t2")["state"] == "completed"


async def test_full_refuses_all_or_nothing_and_still_attaches(turns: Turns) -> None:
    body = submitted(turn("t1"), turn("t2"))
    turns.submit(body)
    with pytest.raises(Refusal) as refusal:
        turns.submit(submitted(turn("t3"), turn("t4")))
    assert (refusal.value.status, refusal.value.kind) == (429, "full")
    assert turns.held == 2
    assert statuses(turns.submit(body)) == ["attached", "attached"]


async def test_failures_carry_their_type_and_cost(turns: Turns, model: Gated) -> None:
    model.failure = Failure("Truncated", "cut")
    model.release.set()
    turns.submit(submitted(turn("t1")))
    error = (await state(turns, "t1"))["error"]
    assert error["type"] == "Truncated"
    assert error["retryable"] is True
    assert error["calls"] == 1


async def test_draining_takes_nothing_new_but_completes_a_submission(turns: Turns, model: Gated) -> None:
    turns.submit(submitted(turn("t1")))
    assert turns.drain(1.0) is None
    with pytest.raises(Refusal) as refusal:
        turns.submit(submitted(turn("t2")))
    assert refusal.value.kind == "runner_unavailable"
    assert statuses(turns.submit(submitted(turn("t1"), turn("t2")))) == ["attached", "accepted"]
    await turns.forget({"t1": 1, "t2": 1}, "", "")
    assert {stone["submission_id"] for stone in turns.drain(1.0) or []} == {"t1", "t2"}
    turns.resume(1.0)
    assert statuses(turns.submit(submitted(turn("t3")))) == ["accepted"]


async def test_the_owner_lists_its_own(turns: Turns) -> None:
    turns.submit(submitted(turn("t1"), owner="o1"))
    turns.submit(submitted(turn("t2"), owner="o2"))
    (listed,) = turns.listing("o1")
    assert listed["submission_id"] == "t1"
    assert listed["labels"] == {"task_id": "T-1", "role": "DEV"}
    assert listed["age_seconds"] >= 0


async def test_a_turn_is_unknown_to_another_owner(turns: Turns, model: Gated) -> None:
    turns.submit(Submit.model_validate(submit(turn("t1"))))
    await model.called.wait()
    stranger = Submit.model_validate(submit(turn("t1"), owner="stranger"))
    assert turns.submit(stranger) == [{"submission_id": "t1", "status": "unknown"}]
    assert not turns.knows("t1", "stranger")
    (view,) = await turns.wait(["t1"], 0, "stranger")
    assert (view["state"], view["result"]) == ("unknown", None)
    (view,) = await turns.stop({"t1": 60}, "", "", "stranger")
    assert view["state"] == "unknown"
    await turns.forget({"t1": 60}, "", "", "stranger")
    assert turns.view("t1", "owner-1")["state"] == "running"
    (view,) = await turns.stop({"t1": 60}, "", "", "owner-1")
    assert view["state"] == "cancelled"


async def test_nobody_stops_a_turn_of_another_owner_ahead_of_its_submit(turns: Turns, model: Gated) -> None:
    await turns.stop({"t1": 60}, "deliberation-1", "", "stranger")
    assert turns.knows("t1", "stranger")
    assert not turns.knows("t1", "owner-1")
    (status,) = turns.submit(Submit.model_validate(submit(turn("t1"))))
    assert status["status"] == "accepted"
