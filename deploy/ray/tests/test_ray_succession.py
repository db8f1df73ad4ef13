"""A redeploy with another build: what runs goes on, what is kept stays, and neighbours are left alone."""

import sys
from pathlib import Path
from typing import Any

import process
import pytest
from ray_app import App, handles, states, statuses
from stand_in import StandIn
from submission import new_id, submit, turn

pytestmark = pytest.mark.ray

ANOTHER_BUILD = {"RUNNERS": "1", "RUNNER_CAPACITY": "2"}


@pytest.fixture(scope="module")
def other(app: App) -> str:
    arguments = [sys.executable, str(Path(__file__).parent / "other_app.py"), app.head.address, str(app.port)]
    program = process.start(arguments, app.logs / "other.log", RAY_AUTH_MODE="disabled")
    assert program.wait(120) == 0, (app.logs / "other.log").read_text()
    return f"{app.url}/other"


class Running:
    """A turn of the first build, in flight through all the redeploys, and one that was stopped before its submit."""

    def __init__(self, app: App, stand_in: StandIn) -> None:
        app.clear()
        self.model = new_id()
        stand_in.script(self.model, {"hang": True})
        # The redeploys that the turn must outlive take more than its usual minute on a busy machine.
        self.spec, self.stopped = (turn(url=stand_in.url, model=self.model, run_seconds=600) for _ in range(2))
        self.answer = app.submit(self.spec)
        stand_in.until_called(self.model)
        app.stop({"submission_id": self.stopped["submission_id"], "runner": self.answer["runner"]})

    def is_where_it_was(self, answer: dict[str, Any]) -> bool:
        return all(answer[key] == self.answer[key] for key in ("runner", "incarnation"))


@pytest.fixture(scope="module")
def running(app: App, stand_in: StandIn) -> Running:
    return Running(app, stand_in)


def test_another_build_takes_over(app: App, stand_in: StandIn, other: str, running: Running) -> None:
    assert app.http.get(other).text == "1"
    app.deploy(**ANOTHER_BUILD)

    assert app.http.get(other).text == "2", "the other application was restarted"
    assert app.get("/v1/info")["build"] not in running.answer["runner"]

    def drains() -> bool:
        # Asked among many others, a runner may be shown as one that does not answer.
        runners = app.get("/v1/info")["runners"]
        (old,) = [runner for runner in runners if runner["name"] == running.answer["runner"]]
        return (old["draining"], old["in_flight"]) == (True, 1)

    process.until(drains, "the older runner drains, and its turn goes on")

    attached = app.submit(running.spec)
    assert statuses(attached) == ["attached"]
    assert running.is_where_it_was(attached)
    assert statuses(app.submit(running.stopped)) == ["cancelled"]
    assert states(app.wait(*handles(running.answer), seconds=0)) == ["running"]
    assert len(stand_in.calls(running.model)) == 1


def test_a_full_runner_refuses_as_a_whole(app: App, stand_in: StandIn, running: Running, name: str) -> None:
    app.deploy(**ANOTHER_BUILD)
    kept = app.submit(turn(url=stand_in.url, model=name), deliberation="full")
    app.wait(*handles(kept))
    both = submit(turn(url=stand_in.url, model=name), turn(url=stand_in.url, model=name), deliberation="full")
    response = app.post("/v1/turns", both)
    assert (response.status_code, response.json()["error"]["type"]) == (429, "full")
    assert int(response.headers["retry-after"]) > 0
    assert states(app.wait(*handles(kept))) == ["completed"]
    app.forget(*handles(kept))
    taken = app.post("/v1/turns", both)
    assert taken.status_code == 200
    app.forget(*handles(taken.json()))


def test_an_older_build_may_become_the_current_one_again(
    app: App, stand_in: StandIn, running: Running, name: str
) -> None:
    app.deploy(**ANOTHER_BUILD)
    late = turn(url=stand_in.url, model=name)
    end = {"submission_id": late["submission_id"], "deliberation": "late"}
    assert states(app.stop(end)) == ["unknown"]
    app.deploy()

    fresh = turn(url=stand_in.url, model=name)
    again = app.submit(running.spec, fresh)
    assert statuses(again) == ["attached", "accepted"]
    assert running.is_where_it_was(again)
    process.until(lambda: len(app.get("/v1/info")["runners"]) == 2, "the other build has left")
    assert statuses(app.submit(late, deliberation="late")) == ["cancelled"], "its tombstones went with it"
    lost = {"submission_id": running.spec["submission_id"], "deliberation": "deliberation-1"}
    assert states(app.forget(lost)) == ["cancelled"]
    stand_in.until_outcome(running.model, "disconnected")
    assert len(stand_in.calls(running.model)) == 1
