"""Turns that wait: their model server has no room for them, or puts their calls off."""

import asyncio

import pytest
from gated import Gated
from submission import statuses, submitted, turn
from turn_states import state

from deliberation_ray import endpoints
from deliberation_ray.endpoints import Endpoints
from deliberation_ray.failures import Failure, Overloaded
from deliberation_ray.model import Answer, ModelCall, Progress
from deliberation_ray.refusal import Refusal
from deliberation_ray.turn import Call
from deliberation_ray.turns import Turns


def crowded(call: Call, concurrency: int = 1, waiting: int = 1, capacity: int = 20) -> Turns:
    return Turns(call, capacity, Endpoints(concurrency, waiting))


async def test_what_waits_for_room_is_queued_and_can_be_stopped(model: Gated) -> None:
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


async def test_run_seconds_end_what_waits(model: Gated) -> None:
    turns = crowded(model.answer)
    turns.submit(submitted(turn("t1"), turn("t2", run_seconds=0.5)))
    error = (await state(turns, "t2"))["error"]
    assert (error["type"], error["calls"]) == ("ModelTimeout", 0)
    assert "no room" in error["message"]
    await turns.forget({"t1": 1, "t2": 1}, "", "")
    assert len(turns.endpoints) == 0


async def test_a_place_is_given_back_however_a_turn_ends(model: Gated) -> None:
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


async def test_new_deliberations_are_refused_while_many_wait_and_those_that_began_are_not(model: Gated) -> None:
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
