"""A thousand turns at once."""

import asyncio
import statistics
import time
from typing import Any

import httpx2
import pytest
from ray_app import TOKEN, App, handles, waiting
from stand_in import StandIn
from submission import submit, turn

pytestmark = pytest.mark.ray

_DELIBERATIONS, _AGENTS = 50, 20
# Each model is an endpoint, and one endpoint would make most turns wait.
_MODELS = 5


async def test_stop_stays_quick_while_a_thousand_turns_run(app: App, stand_in: StandIn, name: str) -> None:
    models = [f"{name}-{number}" for number in range(_MODELS)]
    for model in models:
        stand_in.script(model, {"delay_seconds": 5, "text": "done"})
    stand_in.script(f"{name}-hung", {"hang": True})
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with httpx2.AsyncClient(base_url=app.base, headers=headers, timeout=300, trust_env=False) as http:
        hung = [await _submit(http, stand_in.url, f"{name}-hung", f"hung-{number}", 1) for number in range(5)]
        numbers = range(_DELIBERATIONS)
        submits = await asyncio.gather(
            *(
                _submit(http, stand_in.url, models[number % _MODELS], f"deliberation-{number}", _AGENTS)
                for number in numbers
            )
        )
        took = [await _stop(http, *handles) for handles in hung]
        in_flight = (await http.get("/v1/info")).json()["in_flight"]
        texts = await asyncio.gather(*(_results(http, handles) for handles in submits))
    app.clear()
    assert texts == [["done"] * _AGENTS] * _DELIBERATIONS
    calls = [call["request_id"] for model in models for call in stand_in.calls(model)]
    assert len(calls) == len(set(calls)) == _DELIBERATIONS * _AGENTS
    print(f"{in_flight} turns in flight, stops took {took}")
    # Five, so that one pause of a busy machine decides nothing.
    assert statistics.median(took) < 1, took


async def _submit(
    http: httpx2.AsyncClient, url: str, model: str, deliberation: str, agents: int
) -> list[dict[str, str]]:
    turns = [turn(url=url, model=model, run_seconds=600) for _ in range(agents)]
    response = await http.post("/v1/turns", json=submit(*turns, deliberation=deliberation))
    assert response.status_code == 200, response.text
    return handles(response.json())


async def _results(http: httpx2.AsyncClient, turns: list[dict[str, str]]) -> list[Any]:
    texts: dict[str, Any] = {}
    while left := [handle for handle in turns if handle["submission_id"] not in texts]:
        response = await http.post("/v1/turns/await", json={**waiting(*left), "wait_seconds": 15})
        ended = [each for each in response.json()["turns"] if each["state"] not in ("queued", "running")]
        texts |= {each["submission_id"]: (each["result"] or {}).get("text", each) for each in ended}
    return [texts[handle["submission_id"]] for handle in turns]


async def _stop(http: httpx2.AsyncClient, handle: dict[str, str]) -> float:
    began = time.monotonic()
    response = await http.post("/v1/turns/stop", json={"owner": "owner-1", "turns": [handle]})
    assert response.json()["turns"][0]["state"] == "cancelled"
    return time.monotonic() - began
