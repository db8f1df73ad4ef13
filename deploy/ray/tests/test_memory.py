"""Memory is bounded in bytes, while answers come and after they have come."""

import asyncio
import gc
import tracemalloc
import weakref
from collections.abc import Callable

import pytest
from gated import Gated
from pydantic import ValidationError
from raw_model import RawModel, finish, piece
from submission import submit, submitted, turn
from turn_states import state

from deliberation_ray.endpoints import Endpoints
from deliberation_ray.failures import Failure
from deliberation_ray.model import Model
from deliberation_ray.pieces import Pieces
from deliberation_ray.refusal import Refusal
from deliberation_ray.reply import SHORT_BYTES
from deliberation_ray.turns import Turns
from deliberation_ray.wire import PROMPT_BYTES, Submit

Open = Callable[..., Model]


def take(turns: Turns, key: str, url: str) -> None:
    turns.submit(Submit.model_validate(submit(turn(key, url=url), deliberation=key)))


async def test_an_answer_is_held_while_it_comes(open_model: Open) -> None:
    turns = Turns(open_model().answer, 9, Endpoints(9, 9))
    async with RawModel(*[piece("y" * 1000)] * 50, end="silence") as server:
        take(turns, "t1", server.url)
        before = turns.held_bytes
        async with asyncio.timeout(30):
            while turns.held_bytes < before + 50_000:
                await asyncio.sleep(0)
        await turns.stop({"t1": 1}, "", "stop")
    assert turns.held_bytes == 0, "of a turn that was stopped nothing is kept"


async def test_while_memory_is_short_long_answers_end_and_short_ones_do_not(open_model: Open) -> None:
    turns = Turns(open_model().answer, 9, Endpoints(9, 9), memory_bytes=50_000)
    async with RawModel(*[piece("y" * 1000)] * 200, finish()) as long, RawModel(piece("short"), finish()) as short:
        take(turns, "t1", long.url)
        (failed,) = await turns.wait(["t1"], 30)
        assert (failed["state"], failed["error"]["type"]) == ("failed", "ModelUnavailable")
        assert failed["error"]["retryable"], "a later attempt may find room"
        assert f"larger than {SHORT_BYTES} bytes, and the runner is short of memory" in failed["error"]["message"]
        assert turns.held_bytes == 0
        take(turns, "t2", short.url)
        (completed,) = await turns.wait(["t2"], 30)
        assert completed["result"]["text"] == "short"
        assert turns.held_bytes == len("short")


async def test_prompts_leave_room_for_answers(open_model: Open) -> None:
    turns = Turns(open_model().answer, 99, Endpoints(99, 99), memory_bytes=4_000)
    async with RawModel(end="silence") as server:
        take(turns, "t1", server.url)
        prompt = turns.held_bytes
        for number in range(2, 4_000 * 3 // 4 // prompt + 1):
            take(turns, f"t{number}", server.url)
        with pytest.raises(Refusal) as refusal:
            take(turns, "one-more", server.url)
        assert refusal.value.cause == "memory"
        assert turns.held_bytes <= 3_000
        await turns.stop({f"t{number}": 1 for number in range(1, turns.held + 1)}, "", "stop")


async def test_a_character_counts_with_the_memory_that_it_takes(open_model: Open) -> None:
    turns = Turns(open_model().answer, 9, Endpoints(9, 9))
    async with RawModel(piece("y" * 9_999 + "🪣"), finish()) as server:
        take(turns, "t1", server.url)
        await turns.wait(["t1"], 30)
    assert 40_000 <= turns.held_bytes < 41_000


def test_a_text_of_small_pieces_takes_little_more_than_its_characters() -> None:
    pieces = Pieces()
    tracemalloc.start()
    try:
        for number in range(200_000):
            pieces.add(f"{number % 90 + 10}")
        assert tracemalloc.get_traced_memory()[0] < 1_000_000
    finally:
        tracemalloc.stop()
    assert pieces.text()[:6] == "101112"
    assert len(pieces.text()) == 400_000


async def test_a_runner_holds_a_bounded_number_of_bytes(open_model: Open) -> None:
    async with RawModel(piece("y" * 30_000), finish()) as server:
        turns = Turns(open_model().answer, 99, Endpoints(9, 9), memory_bytes=130_000)

        def submitted(key: str) -> str:
            body = submit(turn(key, url=server.url), common={"task": "é" * 30_000}, deliberation=key)
            return turns.submit(Submit.model_validate(body))[0]["status"]

        assert submitted("t1") == "accepted"
        assert 60_000 < turns.held_bytes < 61_000, "the prompt"
        with pytest.raises(Refusal, match="bytes") as refusal:
            submitted("t2")
        assert (refusal.value.status, refusal.value.kind, refusal.value.cause) == (429, "full", "memory")
        assert submitted("t1") == "attached"
        await turns.wait(["t1"], 30)
        assert turns.held_bytes == 30_000, "the answer"
        assert submitted("t2") == "accepted"
        await turns.forget({"t1": 1, "t2": 1}, "", "")
        assert turns.held_bytes == 0


async def test_an_empty_runner_takes_whatever_is_legal(open_model: Open) -> None:
    turns = Turns(open_model().answer, 99, Endpoints(9, 9), memory_bytes=10)
    assert turns.submit(Submit.model_validate(submit(turn("t1"))))[0]["status"] == "accepted"
    await turns.forget({"t1": 1}, "", "")


async def test_a_forgotten_turn_leaves_the_memory_at_once(turns: Turns, model: Gated) -> None:
    model.release.set()
    turns.submit(submitted(turn("t1", keep_seconds=600)))
    await state(turns, "t1")
    held = weakref.ref(turns._turns["t1"])
    timer = turns._leaving["t1"]
    await turns.forget({"t1": 1}, "", "")
    gc.collect()
    assert held() is None
    assert timer.cancelled()


async def test_a_failed_turn_keeps_nothing_of_its_call(turns: Turns, model: Gated) -> None:
    model.failure = Failure("ModelUnavailable", "broken")
    model.release.set()
    turns.submit(submitted(turn("t1")))
    await state(turns, "t1")
    asked = weakref.ref(model.calls.pop())
    model.failure = None
    gc.collect()
    assert asked() is None


def test_a_short_body_that_renders_to_gigabytes_is_refused() -> None:
    parts = [{"ref": "task"}] * 256
    messages = [{"role": "user", "parts": parts}] * 64
    body = submit(turn(messages=messages), common={"task": "x" * 1_000_000})
    with pytest.raises(ValidationError, match=rf"turns\[0\]\.messages: render to more than {PROMPT_BYTES} bytes"):
        Submit.model_validate(body)
    large = [turn(messages=[{"role": "user", "parts": [{"ref": "task"}] * 4}]) for _ in range(100)]
    with pytest.raises(ValidationError, match="together"):
        Submit.model_validate(submit(*large, common={"task": "é" * 500_000}))
