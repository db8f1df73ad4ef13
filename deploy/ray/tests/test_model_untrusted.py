"""Odd values from a model server, and what the turn reports of them."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from raw_model import End, RawModel, finish, piece, usage
from submission import submit, turn

from deliberation_ray.endpoints import Endpoints
from deliberation_ray.failures import Failure
from deliberation_ray.model import Answer, Model, ModelCall, Progress
from deliberation_ray.turns import Turns
from deliberation_ray.wire import Submit

# Each may make a call fail. None may make the turn's view one that can't be written as JSON.
ODD = ["x" * 3_000_000, "\ud800", {"a": 1}, [1], 1e25, -1, True, None]
LONE = "a\ud800b"


async def answered(url: str, progress: Progress) -> Answer:
    model = Model((), {})
    try:
        return await model.answer(ModelCall("t1", url, "m", [{"role": "user", "content": "?"}], {}), progress)
    finally:
        await model.close()


async def asked(*events: Any, end: End = "done") -> tuple[Answer, Progress]:
    progress = Progress()
    async with RawModel(*events, end=end) as server:
        return await asyncio.wait_for(answered(server.url, progress), 30), progress


@pytest.mark.parametrize("odd", ODD, ids=lambda odd: str(odd)[:5].encode("ascii", "replace").decode())
@pytest.mark.parametrize("place", ["content", "finish_reason", "model", "usage", "tokens", "delta", "error", "chunk"])
async def test_no_value_of_a_server_makes_a_view_that_cannot_be_written(
    open_model: Callable[..., Model], place: str, odd: Any
) -> None:
    events: list[Any] = {
        "content": [piece(odd), finish()],
        "finish_reason": [piece("text"), finish(odd)],
        "model": [{**piece("text"), "model": odd}, finish()],
        "usage": [piece("text"), {**finish(), "usage": odd}],
        "tokens": [piece("text"), finish(), usage(odd, odd)],
        "delta": [piece("text"), piece("", delta=odd), finish()],
        "error": [{"error": {"message": odd, "code": odd}}],
        "chunk": [piece("text"), odd, finish()],
    }[place]
    async with RawModel(*events) as server:
        turns = Turns(open_model().answer, 1, Endpoints(1, 1))
        turns.submit(Submit.model_validate(submit(turn("t1", url=server.url))))
        (view,) = await turns.wait(["t1"], 30)
    assert view["state"] in ("completed", "failed")
    # As the gateway writes it.
    written = json.dumps(view, ensure_ascii=False, allow_nan=False).encode()
    assert len(written) < 2 * 1024 * 1024
    if result := view["result"]:
        assert len(result["finish_reason"]) <= 64
        assert len(result["model"]) <= 200
    spent = (view["result"] or view["error"])["usage"]
    assert all(type(tokens) is int and 0 <= tokens < 2**31 for tokens in spent.values())


async def test_a_lone_surrogate_is_replaced() -> None:
    answer, _ = await asked({**piece(LONE), "model": LONE}, finish(LONE, model=LONE))
    assert (answer.text, answer.finish_reason, answer.model) == ("a?b", "a?b", "a?b")
    with pytest.raises(Failure) as failure:
        await asked({"error": {"message": LONE, "code": 400}})
    assert (failure.value.kind, failure.value.message) == (
        "ModelRejected",
        f"400: a?b (called {failure.value.message.split()[-1]}",
    )


@pytest.mark.parametrize(
    "after",
    [
        {"choices": [], "usage": {"prompt_tokens": None, "completion_tokens": "7"}},
        {"choices": [], "usage": {}},
        {"choices": [], "usage": "much"},
        {"choices": 7},
        {"error": {"message": "too late", "code": 500}},
        "{broken",
        [],
    ],
)
@pytest.mark.parametrize("end", ["done", "cut"])
async def test_what_is_odd_after_the_finish_reason_costs_the_usage_only(after: Any, end: End) -> None:
    answer, progress = await asked(piece("wh"), piece("ole"), finish(), after, end=end)
    assert (answer.text, answer.finish_reason) == ("whole", "stop")
    assert progress.usage() == {"prompt_tokens": 0, "completion_tokens": 2}


async def test_the_last_usage_of_a_call_counts_once() -> None:
    cumulative = [{**piece("x"), **usage(10, tokens), "choices": piece("x")["choices"]} for tokens in (1, 2, 3)]
    answer, progress = await asked(*cumulative, finish(), usage(10, 4))
    assert answer.text == "xxx"
    assert progress.usage() == {"prompt_tokens": 10, "completion_tokens": 4}
    async with RawModel(piece("x"), finish(), usage(10, 4)) as server:
        await answered(server.url, progress)
    assert progress.usage() == {"prompt_tokens": 20, "completion_tokens": 8}


async def test_a_server_that_falls_silent_after_the_finish_reason_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deliberation_ray.reading.USAGE_SECONDS", 0.2)
    async with RawModel(piece("whole"), finish(), end="silence") as server:
        answer = await asyncio.wait_for(answered(server.url, Progress()), 30)
        assert answer.text == "whole"
        await asyncio.wait_for(server.left.wait(), 30)


class Finished(RawModel):
    """Silent after the finish reason; `seen` waits until the turn that calls it has read that."""

    def __init__(self) -> None:
        super().__init__(piece("whole"), finish(), usage(10, 4), end="silence")
        self.progress = Progress()
        self.turns = Turns(self._answer, 1, Endpoints(1, 1))

    async def _answer(self, _: ModelCall, progress: Progress) -> Answer:
        self.progress = progress
        return await answered(self.url, progress)

    async def seen(self, run_seconds: float = 60) -> None:
        self.turns.submit(Submit.model_validate(submit(turn("t1", url=self.url, run_seconds=run_seconds))))
        await self.sent.wait()
        while not self.progress.completion_tokens:
            await asyncio.sleep(0)


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deliberation_ray.reading.USAGE_SECONDS", 60)


@pytest.mark.usefixtures("patient")
async def test_a_stop_after_the_finish_reason_takes_the_answer_with_it() -> None:
    async with Finished() as server:
        await server.seen()
        view, _ = await asyncio.gather(*(server.turns.stop({"t1": 60}, "", reason) for reason in ("one", "two")))
        await asyncio.wait_for(server.left.wait(), 30)
    (state,) = view
    assert (state["state"], state["result"]["text"]) == ("completed", "whole")
    assert state["result"]["usage"] == {"prompt_tokens": 10, "completion_tokens": 4}


@pytest.mark.usefixtures("patient")
async def test_run_seconds_after_the_finish_reason_leave_the_answer() -> None:
    async with Finished() as server:
        await server.seen(run_seconds=2)
        (state,) = await asyncio.wait_for(server.turns.wait(["t1"], 30), 30)
    assert (state["state"], state["result"]["text"]) == ("completed", "whole")


async def test_a_stop_before_the_finish_reason_ends_the_turn() -> None:
    async with RawModel(piece("half"), end="silence") as server:
        progress = Progress()
        task = asyncio.create_task(answered(server.url, progress))
        while not progress.tokens:
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(server.left.wait(), 30)


async def test_a_stream_that_ends_without_any_end_of_its_own_is_not_whole() -> None:
    with pytest.raises(Failure, match="without a finish_reason: the proxy gave up") as failure:
        await asked(piece("half an ans"), "the proxy gave up", end="ended")
    assert failure.value.kind == "ModelUnavailable"


async def test_an_event_that_is_broken_json_is_no_lost_piece() -> None:
    with pytest.raises(Failure, match="not JSON"):
        await asked(piece("half"), '{"choices": [', finish())
