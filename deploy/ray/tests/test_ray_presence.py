"""A runner that stands still: new deliberations go to its neighbour, and it keeps what it holds."""

import os
import signal
from collections.abc import Iterator
from typing import Any

import process
import pytest
from ray_app import App, handles, states, statuses
from stand_in import StandIn
from submission import submit, turn

from deliberation_ray import placement

pytestmark = pytest.mark.ray


class Paused:
    """A current runner whose process is stopped, as a debugger or swapping does."""

    def __init__(self, app: App, name: str) -> None:
        self.name = name
        info = app.get("/v1/info")
        self._runners = [runner["name"] for runner in app.current(info)]
        (self._pid,) = [int(runner["pid"]) for runner in info["runners"] if runner["name"] == name]
        self._next = 0
        os.kill(self._pid, signal.SIGSTOP)

    def go_on(self) -> None:
        os.kill(self._pid, signal.SIGCONT)

    def new_deliberation(self) -> str:
        """One that this runner would take."""
        while True:
            self._next += 1
            deliberation = f"paused-{os.getpid()}-{self._next}"
            if placement.in_order(self._runners, deliberation)[0] == self.name:
                return deliberation


@pytest.fixture
def running(app: App, stand_in: StandIn, name: str) -> dict[str, Any]:
    """A turn in flight."""
    stand_in.script(name, {"hang": True})
    answer = app.submit(turn(url=stand_in.url, model=name, run_seconds=3600))
    stand_in.until_called(name)
    return answer


@pytest.fixture
def paused(app: App, running: dict[str, Any]) -> Iterator[Paused]:
    paused = Paused(app, running["runner"])
    yield paused
    paused.go_on()


def test_new_deliberations_pass_over_it(
    app: App, stand_in: StandIn, name: str, running: dict[str, Any], paused: Paused
) -> None:
    spec = turn(url=stand_in.url, model=name)
    sent = submit(spec, deliberation=paused.new_deliberation())
    first = app.post("/v1/turns", sent)
    assert (first.status_code, first.json()["error"]["type"]) == (503, "runner_unavailable")

    def taken_by_the_neighbour() -> bool:
        response = app.post(
            "/v1/turns", submit(turn(url=stand_in.url, model=name), deliberation=paused.new_deliberation())
        )
        return response.status_code == 200 and response.json()["runner"] != paused.name

    process.until(taken_by_the_neighbour, "a neighbour takes new deliberations", seconds=40)
    again = app.post("/v1/turns", sent)
    assert again.status_code == 503, "it may have taken this one before it stood still"
    elsewhere = submit(turn(url=stand_in.url, model=name), deliberation=paused.new_deliberation(), repeated=True)
    assert app.post("/v1/turns", elsewhere).status_code == 503, "another gateway may have sent it there"

    paused.go_on()
    process.until(lambda: app.post("/v1/turns", sent).status_code == 200, "it goes on", seconds=40)
    attached = app.submit(*sent["turns"], deliberation=sent["deliberation"])
    assert attached["runner"] == paused.name
    assert statuses(attached) == ["attached"]
    assert attached["incarnation"] == running["incarnation"], "it was not replaced"
    assert states(app.wait(*handles(running), seconds=0)) == ["running"]
    app.clear()
