"""Gauges are set again and again, whatever one round comes to."""

import asyncio

import pytest

from deliberation_ray import metrics


async def test_a_round_that_fails_is_not_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    rounds = asyncio.Queue[int]()
    count = 0

    def measure() -> None:
        nonlocal count
        count += 1
        rounds.put_nowait(count)
        if count == 1:
            raise RuntimeError

    monkeypatch.setattr(metrics, "PERIOD_SECONDS", 0)
    task = asyncio.create_task(metrics.repeat(measure))
    try:
        assert [await asyncio.wait_for(rounds.get(), 5) for _ in range(2)] == [1, 2]
    finally:
        task.cancel()
