"""When the watching deployer deploys again, on a clock of its own."""

from typing import Any

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
        watch._keep(watched)
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
