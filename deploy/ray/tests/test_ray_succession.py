"""A redeploy with another build: what runs goes on, what is kept stays, and neighbours are left alone."""

import sys
from collections.abc import Iterator
from pathlib import Path

import process
import pytest
from ray_app import App, handles, states, statuses
from stand_in import StandIn
from submission import new_id, submit, turn

pytestmark = pytest.mark.ray


@pytest.fixture
def other(app: App) -> Iterator[str]:
    arguments = [sys.executable, str(Path(__file__).parent / "other_app.py"), app.head.address, str(app.port)]
    program = process.start(arguments, app.logs / "other.log", RAY_AUTH_MODE="disabled")
    assert program.wait(120) == 0, (app.logs / "other.log").read_text()
    yield f"{app.url}/other"
    app.in_ray("serve.delete('other')")


def test_another_build_takes_over(app: App, stand_in: StandIn, name: str, other: str) -> None:
    app.clear()
    assert app.http.get(other).text == "1"
    stand_in.script(name, {"hang": True})
    running, buried = turn(url=stand_in.url, model=name), turn(url=stand_in.url, model=name)
    before = app.submit(running)
    app.stop({"submission_id": buried["submission_id"], "runner": before["runner"]}, deliberation="deliberation-1")
    app.deploy(RUNNERS="1", RUNNER_CAPACITY="2")

    assert app.http.get(other).text == "2", "the other application was restarted"
    info = app.get("/v1/info")
    assert before["runner"].split("/")[1] != info["build"]
    (old,) = [runner for runner in info["runners"] if runner["name"] == before["runner"]]
    assert (old["draining"], old["in_flight"]) == (True, 1)

    attached = app.submit(running)
    assert statuses(attached) == ["attached"]
    assert {key: attached[key] for key in ("runner", "incarnation")} == {
        key: before[key] for key in ("runner", "incarnation")
    }
    assert states(app.wait(*handles(before), seconds=0)) == ["running"]
    assert len(stand_in.calls(name)) == 1

    assert states(
        app.forget({"submission_id": running["submission_id"], "runner": ""}, deliberation="deliberation-1")
    ) == ["cancelled"]
    stand_in.until_outcome(name, "disconnected")
    process.until(lambda: len(app.get("/v1/info")["runners"]) == 1, "the older runners have left")
    assert statuses(app.submit(running, buried)) == ["cancelled", "cancelled"]
    assert states(app.wait(*handles(before))) == ["unknown"]
    assert len(stand_in.calls(name)) == 1


def test_a_full_runner_refuses_as_a_whole(app: App, stand_in: StandIn, name: str) -> None:
    app.deploy(RUNNERS="1", RUNNER_CAPACITY="2")
    kept = app.submit(turn(url=stand_in.url, model=name))
    app.wait(*handles(kept))
    both = submit(turn(url=stand_in.url, model=name), turn(url=stand_in.url, model=name))
    response = app.post("/v1/turns", both)
    assert (response.status_code, response.json()["error"]["type"]) == (429, "full")
    assert int(response.headers["retry-after"]) > 0
    assert states(app.wait(*handles(kept))) == ["completed"]
    app.forget(*handles(kept))
    taken = app.post("/v1/turns", both)
    assert taken.status_code == 200
    app.forget(*handles(taken.json()))


def test_an_older_build_may_become_the_current_one_again(app: App, stand_in: StandIn, name: str) -> None:
    app.deploy(RUNNERS="1", RUNNER_CAPACITY="2")
    stand_in.script(name, {"hang": True})
    running = turn(new_id(), url=stand_in.url, model=name)
    before = app.submit(running)
    app.deploy(RUNNERS="1", RUNNER_CAPACITY="3")
    app.deploy(RUNNERS="1", RUNNER_CAPACITY="2")
    attached = app.submit(running, turn(url=stand_in.url, model=name))
    assert statuses(attached) == ["attached", "accepted"]
    assert attached["incarnation"] == before["incarnation"]
    app.forget(*handles(attached))
