"""When a deploy leaves the application as it is, and whom it asks."""

from types import SimpleNamespace
from typing import Any

import pytest

from deliberation_ray import cluster
from deliberation_ray.build import build_of
from deliberation_ray.cluster import Cluster
from deliberation_ray.settings import Settings

SETTINGS = Settings(ray_open=True)


class Serve:
    """Serve with the application in some build, which may be none, and its HTTP server somewhere."""

    def __init__(self, build: str, host: str = "10.0.0.7", port: int = 9000) -> None:
        self.build = SimpleNamespace(remote=lambda: self)
        self.address = host, port
        self.deployed = 0
        self._build = build

    def result(self, timeout_s: float) -> str:
        if not self._build:
            raise TimeoutError
        return self._build

    def get_app_handle(self, name: str) -> Any:
        return self

    def status(self) -> Any:
        state = SimpleNamespace(status=SimpleNamespace(value="RUNNING"))
        return SimpleNamespace(applications={"deliberation": state} if self._build else {})

    def start(self, http_options: dict[str, Any]) -> None:
        pass

    def run(self, application: Any, name: str, route_prefix: str) -> None:
        self.deployed += 1


def deployed_over(monkeypatch: pytest.MonkeyPatch, serve: Serve, again: bool = False) -> int:
    monkeypatch.setattr(cluster, "serve", serve)
    monkeypatch.setattr(cluster, "serve_address", lambda: serve.address)
    Cluster("10.0.0.1:6379", "127.0.0.1", 8000, SETTINGS).deploy(again)
    return serve.deployed


def test_the_same_build_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    assert deployed_over(monkeypatch, Serve(build_of(SETTINGS))) == 0
    assert deployed_over(monkeypatch, Serve(build_of(SETTINGS)), again=True) == 1


@pytest.mark.parametrize("build", ["", "another"])
def test_another_build_is_deployed_over(monkeypatch: pytest.MonkeyPatch, build: str) -> None:
    assert deployed_over(monkeypatch, Serve(build)) == 1


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("10.0.0.7", "http://10.0.0.7:9000/deliberation"),
        ("0.0.0.0", "http://10.0.0.1:9000/deliberation"),
        ("fe80::7", "http://[fe80::7]:9000/deliberation"),
    ],
)
def test_the_address_is_serves_own(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], host: str, url: str
) -> None:
    """Serve listens where it did when it was started, not where this deploy asks for."""
    deployed_over(monkeypatch, Serve("another", host))
    assert capsys.readouterr().out == f"{url} is up\n"


def test_a_deploy_that_fails_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    class Failing(Serve):
        def run(self, application: Any, name: str, route_prefix: str) -> None:
            raise RuntimeError("Deploying application deliberation failed")

        def status(self) -> Any:
            why = "Traceback:\n  File\nSettingsError: DELIBERATION_RAY_TOKEN_FILE: the file is empty\n"
            deployments = {"gateway": SimpleNamespace(message=why)}
            state = SimpleNamespace(status=SimpleNamespace(value="DEPLOY_FAILED"), deployments=deployments)
            return SimpleNamespace(applications={"deliberation": state})

    with pytest.raises(cluster.DeployError, match=r"^SettingsError: DELIBERATION_RAY_TOKEN_FILE: the file is empty$"):
        deployed_over(monkeypatch, Failing(""))


def test_health_is_asked_through_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "serve", Serve("some"))
    assert Cluster("auto", "127.0.0.1", 8000, SETTINGS).answers()
    monkeypatch.setattr(cluster, "serve", Serve(""))
    assert not Cluster("auto", "127.0.0.1", 8000, SETTINGS).answers()
