"""When the watching deployer deploys again, on a clock of its own."""

from typing import Any
from unittest.mock import Mock

import pytest

from deliberation_ray import watch


class Watched:
    """Cluster and clock in one: in the given status from the first look on, until it is deployed again."""

    def __init__(self, status: str, answers: bool) -> None:
        self._status = status
        self._answers = answers
        self.now = 0.0
        self.deployed_after = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        if self.now > 3600:
            raise TimeoutError("not deployed again within an hour")

    def deploy(self, again: bool = False) -> None:
        if again:
            self.deployed_after = self.now
            raise InterruptedError

    def status(self) -> str:
        return self._status

    def answers(self) -> bool:
        self.now += 5 if not self._answers else 0
        return self._answers


def deployed_after(monkeypatch: pytest.MonkeyPatch, status: str, answers: bool, error: type[Exception]) -> float:
    watched: Any = Watched(status, answers)
    monkeypatch.setattr(watch, "time", watched)
    with pytest.raises(error):
        watch._keep(watched, watch.Limit())
    return float(watched.deployed_after)


@pytest.mark.parametrize(
    ("status", "earliest", "latest"),
    [
        ("", 0, 5),
        ("DEPLOY_FAILED", 30, 40),
        ("UNHEALTHY", 30, 40),
        ("RUNNING", 600, 620),
        ("DEPLOYING", 600, 620),
    ],
)
def test_how_long_it_waits_for_an_answer(
    monkeypatch: pytest.MonkeyPatch, status: str, earliest: float, latest: float
) -> None:
    assert earliest <= deployed_after(monkeypatch, status, False, InterruptedError) <= latest


def test_an_application_that_is_well_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    assert deployed_after(monkeypatch, "RUNNING", True, TimeoutError) == 0


def test_a_call_that_never_returns_ends_the_watch(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Ray that was restarted within seconds is reachable again, and never answers what it was asked before."""
    clock = Watched("RUNNING", True)
    limit, reachable, exits = watch.Limit(), Mock(reachable=lambda: True), Mock(side_effect=InterruptedError)
    monkeypatch.setattr(watch, "time", clock)
    monkeypatch.setattr(watch, "_exit", exits)
    with limit.within(watch._DEPLOY_SECONDS), pytest.raises(InterruptedError):
        watch._leave_with_ray(reachable, limit)
    assert watch._DEPLOY_SECONDS <= clock.now <= watch._DEPLOY_SECONDS + 10
    clock.now = 0
    with limit.within(watch._STATUS_SECONDS), pytest.raises(InterruptedError):
        watch._leave_with_ray(reachable, limit)
    assert watch._STATUS_SECONDS <= clock.now <= watch._STATUS_SECONDS + 10
    with pytest.raises(TimeoutError, match="within an hour"):
        watch._leave_with_ray(reachable, limit)
