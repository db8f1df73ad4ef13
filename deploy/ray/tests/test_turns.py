import asyncio
import gc
import weakref

import pytest
from submission import new_id, submit, turn

from deliberation_ray import endpoints
from deliberation_ray import turns as holding
from deliberation_ray.endpoints import Endpoints
from deliberation_ray.failures import Failure, Overloaded
from deliberation_ray.model import Answer, ModelCall, Progress
from deliberation_ray.refusal import Refusal
from deliberation_ray.turn import Call
from deliberation_ray.turns import Turns
from deliberation_ray.wire import Submit


class Model:
    """Answers once `release` is set; keeps the calls."""

    def __init__(self) -> None:
        self.calls: list[ModelCall] = []
        self.called = asyncio.Event()
        self.release = asyncio.Event()
        self.aborted = 0
        self.failure: Failure | None = None

    async def answer(self, call: ModelCall, progress: Progress) -> Answer:
        self.calls.append(call)
        progress.calls += 1
        progress.tokens = 3
        self.called.set()
        try:
            await self.release.wait()
        except asyncio.CancelledError:
            self.aborted += 1
            raise
        if self.failure:
            raise self.failure
        return Answer("text", "stop", call.model, "text")


@pytest.fixture
def model() -> Model:
    return Model()


@pytest.fixture
def turns(model: Model) -> Turns:
    return Turns(model.answer, 3, Endpoints(3, 3))


def submitted(*specs: dict, **changes: object) -> Submit:
    return Submit.model_validate(submit(*specs, **changes))


def statuses(answer: list[dict[str, str]]) -> list[str]:
    return [each["status"] for each in answer]


async def state(turns: Turns, submission_id: str, seconds: float = 30) -> dict:
    (view,) = await turns.wait([submission_id], seconds)
    return view


async def until_dropped(turns: Turns, left: int) -> None:
    async def dropped() -> None:
        while turns.held > left:
            await asyncio.sleep(0.01)

    await asyncio.wait_for(dropped(), 30)


async def test_the_same_id_is_the_same_work(turns: Turns, model: Model) -> None:
    body = submitted(turn("t1"))
    assert statuses(turns.submit(body)) == ["accepted"]
    assert statuses(turns.submit(body)) == ["attached"]
    model.release.set()
    assert (await state(turns, "t1"))["state"] == "completed"
    assert statuses(turns.submit(body)) == ["attached"]
    assert len(model.calls) == 1


async def test_it_renders_refs_and_passes_parameters_as_given(turns: Turns, model: Model) -> None:
    turns.submit(submitted(turn("t1", parameters={"seed": 7})), traceparent="00-ab")
    await model.called.wait()
    (call,) = model.calls
    assert call.messages == [{"role": "user", "content": "Add rate limiting. Answer briefly."}]
    assert call.parameters == {"seed": 7}
    assert call.traceparent == "00-ab"


async def test_queued_until_the_call_starts_then_running_then_completed(turns: Turns, model: Model) -> None:
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


async def test_a_wait_ends_at_the_first_of_several_and_names_only_what_has_ended(turns: Turns, model: Model) -> None:
    turns.submit(submitted(turn("t1"), turn("t2", run_seconds=0.5)))
    (ended,) = await turns.wait(["t1", "t2"], 30)
    assert (ended["submission_id"], ended["state"]) == ("t2", "failed")
    model.release.set()
    (ended,) = await turns.wait(["t1"], 30)
    assert (ended["submission_id"], ended["state"]) == ("t1", "completed")


async def test_a_turn_that_begins_ends_no_wait(turns: Turns, model: Model) -> None:
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


async def test_a_forgotten_turn_ends_the_wait_for_it(turns: Turns, model: Model) -> None:
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


async def test_a_turn_outlives_the_wait_that_is_cancelled(turns: Turns, model: Model) -> None:
    turns.submit(submitted(turn("t1")))
    waiting = asyncio.create_task(state(turns, "t1"))
    await model.called.wait()
    waiting.cancel()
    model.release.set()
    assert (await state(turns, "t1"))["state"] == "completed"


async def test_run_seconds_ends_a_turn_by_itself(turns: Turns, model: Model) -> None:
    turns.submit(submitted(turn("t1", run_seconds=0.5)))
    view = await state(turns, "t1")
    assert view["state"] == "failed"
    assert view["error"]["type"] == "ModelTimeout"
    assert view["error"]["retryable"] is True
    assert view["error"]["usage"]["completion_tokens"] == 3
    assert model.aborted == 1


async def test_keep_seconds_ends_what_is_kept(turns: Turns, model: Model) -> None:
    model.release.set()
    turns.submit(submitted(turn("t1", keep_seconds=1), turn("t2")))
    assert [view["state"] for view in await turns.wait(["t1", "t2"], 30)] == ["completed", "completed"]
    await until_dropped(turns, 1)
    assert turns.view("t1")["state"] == "unknown"
    assert turns.view("t2")["state"] == "completed"


async def test_a_forgotten_turn_leaves_the_memory_at_once(turns: Turns, model: Model) -> None:
    model.release.set()
    turns.submit(submitted(turn("t1", keep_seconds=600)))
    await state(turns, "t1")
    held = weakref.ref(turns._turns["t1"])
    timer = turns._leaving["t1"]
    await turns.forget({"t1": 1}, "", "")
    gc.collect()
    assert held() is None
    assert timer.cancelled()


async def test_what_was_stopped_makes_room_soon(turns: Turns, model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holding, "_KEEP_CANCELLED_SECONDS", 0.1)
    turns.submit(submitted(turn("t1"), turn("t2"), turn("t3", keep_seconds=0)))
    await model.called.wait()
    await turns.stop({"t1": 1}, "", "")
    model.release.set()
    await state(turns, "t2")
    await until_dropped(turns, 1)
    assert turns.view("t1")["state"] == "cancelled"
    assert turns.view("t2")["state"] == "completed"


async def test_stop_aborts_and_tells_what_was_spent(turns: Turns, model: Model) -> None:
    turns.submit(submitted(turn("t1")))
    await model.called.wait()
    (view,) = await turns.stop({"t1": 1}, "", "deadline")
    assert model.aborted == 1
    assert view["state"] == "cancelled"
    assert view["error"]["type"] == "Cancelled"
    assert view["error"]["message"] == "deadline"
    assert view["error"]["usage"] == {"prompt_tokens": 0, "completion_tokens": 3}


async def test_stop_before_the_first_step_of_the_task(turns: Turns, model: Model) -> None:
    turns.submit(submitted(turn("t1")))
    (view,) = await turns.stop({"t1": 1}, "", "")
    assert view["state"] == "cancelled"
    assert model.calls == []


async def test_stop_keeps_the_result_that_had_just_completed(turns: Turns, model: Model) -> None:
    turns.submit(submitted(turn("t1")))
    await model.called.wait()
    model.release.set()
    await state(turns, "t1")
    for _ in range(2):
        (view,) = await turns.stop({"t1": 1}, "", "deadline")
        assert view["state"] == "completed"
        assert view["result"]["text"] == "text"


@pytest.mark.parametrize("end", ["stop", "forget"])
async def test_a_late_submit_starts_nothing(turns: Turns, model: Model, end: str) -> None:
    await getattr(turns, end)({"t1": 1, "t2": 1}, "", "")
    assert statuses(turns.submit(submitted(turn("t1"), turn("t2")))) == ["cancelled", "cancelled"]
    assert (await state(turns, "t1", 5))["state"] == "cancelled"
    assert model.calls == []


async def test_forget_drops_the_outcome_and_makes_room(turns: Turns, model: Model) -> None:
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


async def test_forget_ends_a_running_turn(turns: Turns, model: Model) -> None:
    turns.submit(submitted(turn("t1")))
    await model.called.wait()
    assert await turns.forget({"t1": 1}, "", "") == [{"submission_id": "t1", "state": "cancelled"}]
    assert model.aborted == 1
    assert turns.held == 0


async def test_full_refuses_all_or_nothing_and_still_attaches(turns: Turns) -> None:
    body = submitted(turn("t1"), turn("t2"))
    turns.submit(body)
    with pytest.raises(Refusal) as refusal:
        turns.submit(submitted(turn("t3"), turn("t4")))
    assert (refusal.value.status, refusal.value.kind) == (429, "full")
    assert turns.held == 2
    assert statuses(turns.submit(body)) == ["attached", "attached"]


async def test_failures_carry_their_type_and_cost(turns: Turns, model: Model) -> None:
    model.failure = Failure("Truncated", "cut")
    model.release.set()
    turns.submit(submitted(turn("t1")))
    error = (await state(turns, "t1"))["error"]
    assert error["type"] == "Truncated"
    assert error["retryable"] is True
    assert error["calls"] == 1


async def test_draining_takes_nothing_new_but_completes_a_submission(turns: Turns, model: Model) -> None:
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


async def test_tombstones_outlive_their_runner(turns: Turns, model: Model) -> None:
    await turns.stop({"t1": 30}, "deliberation-1", "")
    (stone,) = turns.drain(1.0) or []
    assert stone["deliberation"] == "deliberation-1"
    assert 600 < stone["seconds"] <= 630
    heir = Turns(model.answer, 3, Endpoints(3, 3))
    heir.bury([stone])
    assert statuses(heir.submit(submitted(turn("t1")))) == ["cancelled"]


async def test_a_stop_does_not_wait_behind_turns_that_begin(model: Model) -> None:
    turns = Turns(model.answer, 200, Endpoints(200, 200))
    ids = [new_id() for _ in range(200)]
    turns.submit(submitted(*(turn(key) for key in ids)))
    await turns.stop({ids[-1]: 1}, "", "")
    assert len(model.calls) < 20


async def test_the_owner_lists_its_own(turns: Turns) -> None:
    turns.submit(submitted(turn("t1"), owner="o1"))
    turns.submit(submitted(turn("t2"), owner="o2"))
    (listed,) = turns.listing("o1")
    assert listed["submission_id"] == "t1"
    assert listed["labels"] == {"task_id": "T-1", "role": "DEV"}
    assert listed["age_seconds"] >= 0


def crowded(call: Call, concurrency: int = 1, waiting: int = 1, capacity: int = 20) -> Turns:
    return Turns(call, capacity, Endpoints(concurrency, waiting))


async def test_what_waits_for_room_is_queued_and_can_be_stopped(model: Model) -> None:
    turns = crowded(model.answer)
    turns.submit(submitted(turn("t1"), turn("t2"), turn("t3")))
    await model.called.wait()
    await asyncio.sleep(0.05)
    assert turns.census() == {"queued": 2, "running": 1, "kept": 0}
    (view,) = await turns.stop({"t2": 1}, "", "")
    assert (view["state"], view["started_at"], view["error"]["calls"]) == ("cancelled", None, 0)
    model.release.set()
    assert (await state(turns, "t3"))["state"] == "completed"
    assert len(model.calls) == 2
    assert len(turns.endpoints) == 0


async def test_run_seconds_end_what_waits(model: Model) -> None:
    turns = crowded(model.answer)
    turns.submit(submitted(turn("t1"), turn("t2", run_seconds=0.5)))
    error = (await state(turns, "t2"))["error"]
    assert (error["type"], error["calls"]) == ("ModelTimeout", 0)
    assert "no room" in error["message"]
    await turns.forget({"t1": 1, "t2": 1}, "", "")
    assert len(turns.endpoints) == 0


async def test_a_place_is_given_back_however_a_turn_ends(model: Model) -> None:
    turns = crowded(model.answer, concurrency=3)
    turns.submit(submitted(turn("t1"), turn("t2", run_seconds=0.5), turn("t3"), turn("t4")))
    await turns.stop({"t4": 1}, "", "")
    await model.called.wait()
    await turns.stop({"t3": 1}, "", "")
    await state(turns, "t2")
    model.failure = Failure("ModelUnavailable", "broken")
    model.release.set()
    await state(turns, "t1")
    assert len(turns.endpoints) == 0


async def test_new_deliberations_are_refused_while_many_wait_and_those_that_began_are_not(model: Model) -> None:
    turns = crowded(model.answer)
    begun = submitted(turn("t1"), turn("t2"), turn("t3"))
    turns.submit(begun)
    with pytest.raises(Refusal) as refusal:
        turns.submit(submitted(turn("t4"), deliberation="d-2"))
    assert (refusal.value.status, refusal.value.kind) == (429, "full")
    assert refusal.value.retry_after is not None
    assert statuses(turns.submit(begun)) == ["attached"] * 3
    assert statuses(turns.submit(submitted(turn("t5")))) == ["accepted"], "an attempt of a deliberation that has begun"
    assert statuses(turns.submit(submitted(turn("t6", model="other"), deliberation="d-2"))) == ["accepted"]
    await turns.forget({"t1": 1, "t2": 1, "t3": 1}, "", "")
    assert statuses(turns.submit(submitted(turn("t4"), deliberation="d-3"))) == ["accepted"]
    await turns.forget({"t4": 1, "t5": 1, "t6": 1}, "", "")
    assert not turns._parties


class PuttingOff:
    """A server that puts calls off as often as given, and then answers."""

    def __init__(self, times: int, seconds: float | None = None) -> None:
        self.left = times
        self.seconds = seconds

    async def answer(self, call: ModelCall, progress: Progress) -> Answer:
        if self.left:
            self.left -= 1
            raise Overloaded("503: the model is being loaded", 503, self.seconds)
        progress.calls += 1
        progress.on_first_token()
        return Answer("text", "stop", call.model, "text")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoints, "PAUSES_SECONDS", (0.01, 0.02))
    monkeypatch.setattr(endpoints, "SHORTEST_PAUSE_SECONDS", 0.01)


@pytest.mark.usefixtures("quick")
async def test_a_call_that_is_put_off_is_waited_for_within_the_turn() -> None:
    turns = crowded(PuttingOff(20).answer)
    turns.submit(submitted(turn("t1")))
    view = await state(turns, "t1")
    assert (view["state"], view["result"]["calls"], view["waiting"]) == ("completed", 1, None)


async def test_a_turn_that_is_put_off_says_what_it_waits_for() -> None:
    turns = crowded(PuttingOff(1000, 30.0).answer)
    turns.submit(submitted(turn("t1", model="qwen"), turn("t2", model="qwen")))
    (view, other) = await turns.wait(["t1", "t2"], 0.1)
    assert (view["state"], view["waiting"]["status"]) == ("running", 503)
    assert view["waiting"]["reason"] == "model qwen puts calls off: 503: the model is being loaded"
    assert other["waiting"]["next_try"] == view["waiting"]["next_try"]
    assert turns.endpoints.waiting(paused=True) == 2


async def test_a_time_beyond_the_end_of_the_turn_is_not_waited_for() -> None:
    turns = crowded(PuttingOff(1000, 3600.0).answer)
    turns.submit(submitted(turn("t1", run_seconds=20)))
    error = (await state(turns, "t1"))["error"]
    assert (error["type"], error["retryable"], error["calls"]) == ("ModelOverloaded", False, 0)
    assert "wants no call for 3600 s" in error["message"]


@pytest.mark.parametrize("end", ["stop", "run_seconds"])
async def test_what_waits_for_an_overloaded_server_ends_with_its_last_words(end: str) -> None:
    turns = crowded(PuttingOff(1000).answer, concurrency=2)
    turns.submit(submitted(turn("t1"), turn("t2", run_seconds=0.5)))
    await state(turns, "t1", 0.1)
    if end == "stop":
        (view,) = await turns.stop({"t1": 1}, "", "deadline")
    else:
        view = await state(turns, "t2")
    assert (view["state"], view["error"]["type"]) == ("failed", "ModelOverloaded")
    assert view["error"]["message"] == "503: the model is being loaded"
    await turns.stop({"t1": 1, "t2": 1}, "", "")
    assert turns.endpoints.waiting(paused=True) == 0


async def test_a_failed_turn_keeps_nothing_of_its_call(turns: Turns, model: Model) -> None:
    model.failure = Failure("ModelUnavailable", "broken")
    model.release.set()
    turns.submit(submitted(turn("t1")))
    await state(turns, "t1")
    asked = weakref.ref(model.calls.pop())
    model.failure = None
    gc.collect()
    assert asked() is None


async def test_a_turn_is_unknown_to_another_owner(turns: Turns, model: Model) -> None:
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


async def test_nobody_stops_a_turn_of_another_owner_ahead_of_its_submit(turns: Turns, model: Model) -> None:
    await turns.stop({"t1": 60}, "deliberation-1", "", "stranger")
    assert turns.knows("t1", "stranger")
    assert not turns.knows("t1", "owner-1")
    (status,) = turns.submit(Submit.model_validate(submit(turn("t1"))))
    assert status["status"] == "accepted"
