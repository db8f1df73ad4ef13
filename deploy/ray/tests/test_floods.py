"""What a model server that sends much costs the other turns of its runner."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from flood import PATTERNS, Flood
from model_cases.server import Server
from raw_model import RawModel, finish, piece
from submission import submit, turn

from deliberation_ray.endpoints import Endpoints
from deliberation_ray.model import Model
from deliberation_ray.turns import Turns
from deliberation_ray.wire import Submit

Open = Callable[..., Model]


@pytest.fixture(scope="module")
def flood(logs: Path) -> Iterator[Flood]:
    flood = Flood(logs / "flood.log")
    yield flood
    flood.end()


@asynccontextmanager
async def lags() -> AsyncIterator[list[float]]:
    """How long other tasks keep the loop, in CPU time, so that a busy machine decides nothing."""
    measured: list[float] = []

    async def watch() -> None:
        while True:
            began = time.thread_time()
            await asyncio.sleep(0)
            measured.append(time.thread_time() - began)

    watching = asyncio.create_task(watch())
    try:
        yield measured
    finally:
        watching.cancel()


@pytest.mark.parametrize("pattern", PATTERNS)
async def test_a_flood_costs_its_own_turn_only(flood: Flood, cases: Server, open_model: Open, pattern: str) -> None:
    turns = Turns(open_model().answer, 20, Endpoints(20, 20))
    stalled = turn(url=cases.url, model="case-stall")
    floods = [turn(url=flood.url, model=pattern, run_seconds=120) for _ in range(4)]
    async with lags() as measured:
        turns.submit(Submit.model_validate(submit(stalled, *floods)))
        ids = [each["submission_id"] for each in floods]
        await turns.wait(ids, 0.5)
        began = time.thread_time()
        (stopped,) = await turns.stop({stalled["submission_id"]: 1}, "", "stop")
        took = time.thread_time() - began
        ended = [(await turns.wait([key], 120))[0] for key in ids]
    assert stopped["state"] == "cancelled"
    assert took < 0.5
    assert max(measured) < 0.25
    assert {view["state"] for view in ended} == {"failed"}
    assert {view["error"]["type"] for view in ended} <= {"AnswerTooLarge", "ModelUnavailable"}
    assert turns.held_bytes < 2 * 1024 * 1024


async def test_many_answers_that_arrive_together_do_not_hold_up_a_stop(open_model: Open) -> None:
    events = [piece("token ") for _ in range(2000)]
    async with RawModel(*events, finish()) as server:
        turns = Turns(open_model().answer, 20, Endpoints(20, 20))
        answers = [turn(url=server.url) for _ in range(8)]
        async with RawModel(piece("half"), end="silence") as silent:
            stalled = turn(url=silent.url)
            async with lags() as measured:
                turns.submit(Submit.model_validate(submit(stalled, *answers)))
                await turns.stop({stalled["submission_id"]: 1}, "", "stop")
                for each in answers:
                    (view,) = await turns.wait([each["submission_id"]], 30)
                    assert view["result"]["text"] == "token " * 2000
    assert max(measured) < 0.25
