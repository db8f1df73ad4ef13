"""A runner that dies: what it held is lost, and every answer says so."""

import os
import signal
from typing import Any

import process
import pytest
from ray_app import App, handles, states, statuses, waiting
from stand_in import StandIn
from submission import turn

pytestmark = pytest.mark.ray


def pid_of(app: App, name: str) -> int:
    (runner,) = [each for each in app.get("/v1/info")["runners"] if each["name"] == name]
    return int(runner["pid"])


def honest(app: App, answer: dict[str, Any]) -> dict[str, Any] | None:
    """One look at a lost turn: a refusal to say, or a state that names another incarnation."""
    response = app.post("/v1/turns/await", {**waiting(*handles(answer)), "wait_seconds": 0})
    if response.status_code == 503:
        assert response.json()["error"]["type"] == "runner_unavailable"
        assert int(response.headers["retry-after"]) > 0
        return None
    state = dict(response.json()["turns"][0])
    assert (response.status_code, state["state"]) == (200, "unknown")
    assert state["incarnation"] != answer["incarnation"]
    return state


def test_a_killed_runner_answers_as_another_incarnation(app: App, stand_in: StandIn, name: str) -> None:
    stand_in.script(name, {"hang": True})
    spec = turn(url=stand_in.url, model=name)
    answer = app.submit(spec)
    stand_in.until_called(name)
    os.kill(pid_of(app, answer["runner"]), signal.SIGKILL)
    process.until(lambda: bool(honest(app, answer)), "the runner is back")
    assert (honest(app, answer) or {})["incarnation"]
    stand_in.until_outcome(name, "disconnected")
    again = app.submit(spec)
    assert statuses(again) == ["accepted"]
    assert again["runner"] == answer["runner"]
    assert again["incarnation"] != answer["incarnation"]
    assert states(app.stop(*handles(again))) == ["cancelled"]


def test_a_runner_that_is_dead_for_good_is_created_again(app: App, stand_in: StandIn, name: str) -> None:
    stand_in.script(name, {"hang": True})
    spec = turn(url=stand_in.url, model=name)
    answer = app.submit(spec)
    app.in_ray(f"ray.kill(ray.get_actor({answer['runner']!r}, 'deliberation'), no_restart=True)")
    process.until(lambda: bool(honest(app, answer)), "its end is known")
    process.until(app.ready, "it is created again")
    stand_in.script(name, {"text": "done"})
    again = app.submit(spec)
    assert again["runner"] == answer["runner"]
    assert states(app.wait(*handles(again))) == ["completed"]


def test_a_runner_that_never_was(app: App) -> None:
    (state,) = app.wait({"submission_id": "t1", "runner": "runner/0a/7", "incarnation": "x"})
    assert (state["state"], state["incarnation"]) == ("unknown", "")
