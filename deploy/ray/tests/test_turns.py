import asyncio
import gc
import weakref

import pytest
from submission import new_id, submit, turn

from deliberation_ray import turns as holding
from deliberation_ray.failures import Failure
from deliberation_ray.model import Answer, ModelCall, Progress
from deliberation_ray.refusal import Refusal
from deliberation_ray.turns import Turns
from deliberation_ray.wire import Submit


class Model:
    """Answers when told to; counts what it is asked."""

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
    return Turns(model.answer, capacity=3)


def submitted(*specs: dict, **changes: object) -> Submit:
    return Submit.model_validate(submit(*specs, **changes))


def statuses(answer: list[dict[str, str]]) -> list[str]:
    return [each["status"] for each in answer]


async def state(turns: Turns, submission_id: str, seconds: float = 30) -> dict:
    (view,) = await turns.wait([submission_id], {}, seconds)
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
    (view,) = await turns.wait(["t1"], {"t1": "queued"}, 30)
    assert view["state"] == "running"
    model.release.set()
    view = await state(turns, "t1")
    assert view["state"] == "completed"
    assert view["result"]["text"] == "text"
    assert view["result"]["calls"] == 1
    assert view["error"] is None


async def test_a_wait_ends_at_the_first_of_several_and_tells_all(turns: Turns, model: Model) -> None:
    turns.submit(submitted(turn("t1"), turn("t2", run_seconds=0.5)))
    first, second = await turns.wait(["t1", "t2"], {}, 30)
    assert first["state"] == "running"
    assert second["state"] == "failed"
    model.release.set()
    first, second = await turns.wait(["t1", "t2"], {"t2": "failed"}, 30)
    assert first["state"] == "completed"


async def test_a_wait_that_is_over_tells_the_state(turns: Turns) -> None:
    turns.submit(submitted(turn("t1")))
    assert (await state(turns, "t1", 0.01))["state"] == "running"
    assert (await state(turns, "t1", 0))["state"] == "running"


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
    assert [view["state"] for view in await turns.wait(["t1", "t2"], {}, 30)] == ["completed", "completed"]
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
    model.failure = Failure("Truncated", "cut", "half an ans")
    model.release.set()
    turns.submit(submitted(turn("t1")))
    error = (await state(turns, "t1"))["error"]
    assert error["type"] == "Truncated"
    assert error["retryable"] is True
    assert error["text"] == "half an ans"
    assert error["calls"] == 1


async def test_draining_takes_nothing_new_but_completes_a_submission(turns: Turns, model: Model) -> None:
    turns.submit(submitted(turn("t1")))
    assert turns.drain() is None
    with pytest.raises(Refusal) as refusal:
        turns.submit(submitted(turn("t2")))
    assert refusal.value.kind == "runner_unavailable"
    assert statuses(turns.submit(submitted(turn("t1"), turn("t2")))) == ["attached", "accepted"]
    await turns.forget({"t1": 1, "t2": 1}, "", "")
    assert {stone["submission_id"] for stone in turns.drain() or []} == {"t1", "t2"}
    turns.resume()
    assert statuses(turns.submit(submitted(turn("t3")))) == ["accepted"]


async def test_tombstones_outlive_their_runner(turns: Turns, model: Model) -> None:
    await turns.stop({"t1": 30}, "deliberation-1", "")
    (stone,) = turns.drain() or []
    assert stone["deliberation"] == "deliberation-1"
    assert 600 < stone["seconds"] <= 630
    heir = Turns(model.answer, capacity=3)
    heir.bury([stone])
    assert statuses(heir.submit(submitted(turn("t1")))) == ["cancelled"]


async def test_a_stop_does_not_wait_behind_turns_that_begin(model: Model) -> None:
    turns = Turns(model.answer, capacity=200)
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
