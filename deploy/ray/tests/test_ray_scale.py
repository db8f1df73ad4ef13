"""A thousand turns at once."""

import asyncio
import time
from typing import Any

import httpx2
import pytest
from ray_app import TOKEN, App, handles
from stand_in import StandIn
from submission import submit, turn

pytestmark = pytest.mark.ray

_DELIBERATIONS, _AGENTS = 50, 20


async def test_stop_stays_quick_while_a_thousand_turns_run(app: App, stand_in: StandIn, name: str) -> None:
    stand_in.script(name, {"delay_seconds": 5, "text": "done"})
    stand_in.script(f"{name}-hung", {"hang": True})
    headers = {"Authorization": f"Bearer {TOKEN}"}
    limits = httpx2.Limits(max_connections=None)
    async with httpx2.AsyncClient(
        base_url=app.base, headers=headers, timeout=120, limits=limits, trust_env=False
    ) as http:
        hung = [turn(url=stand_in.url, model=f"{name}-hung") for _ in range(5)]
        stopped = handles((await http.post("/v1/turns", json=submit(*hung))).json())
        submits = await asyncio.gather(*(_submit(http, stand_in, name, number) for number in range(_DELIBERATIONS)))
        waits = [asyncio.create_task(_result(http, handle)) for answer in submits for handle in answer]
        took = [await _stop(http, handle) for handle in stopped]
        texts = await asyncio.gather(*waits)
    assert texts == ["done"] * _DELIBERATIONS * _AGENTS
    assert len({call["request_id"] for call in stand_in.calls(name)}) == _DELIBERATIONS * _AGENTS
    assert len(stand_in.calls(name)) == _DELIBERATIONS * _AGENTS
    assert max(took) < 1, took


async def _submit(http: httpx2.AsyncClient, stand_in: StandIn, name: str, number: int) -> list[dict[str, str]]:
    turns = [turn(url=stand_in.url, model=name) for _ in range(_AGENTS)]
    response = await http.post("/v1/turns", json=submit(*turns, deliberation=f"deliberation-{number}"))
    assert response.status_code == 200, response.text
    return handles(response.json())


async def _result(http: httpx2.AsyncClient, handle: dict[str, str]) -> Any:
    while True:
        response = await http.post("/v1/turns/await", json={"turns": [handle], "wait_seconds": 15})
        (state,) = response.json()["turns"]
        if state["state"] not in ("queued", "running"):
            return (state["result"] or {}).get("text", state)


async def _stop(http: httpx2.AsyncClient, handle: dict[str, str]) -> float:
    began = time.monotonic()
    response = await http.post("/v1/turns/stop", json={"owner": "owner-1", "turns": [handle]})
    assert response.json()["turns"][0]["state"] == "cancelled"
    return time.monotonic() - began
