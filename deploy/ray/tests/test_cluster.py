"""When a deploy leaves the application as it is."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from pydantic import SecretStr

from deliberation_ray.build import build_of
from deliberation_ray.cluster import Cluster
from deliberation_ray.settings import Settings


class App(ThreadingHTTPServer):
    """Answers /v1/info as the gateway does."""

    token = ""
    build = build_of(Settings())


class Answer(BaseHTTPRequestHandler):
    server: App

    def do_GET(self) -> None:
        if self.server.token and self.headers["Authorization"] != f"Bearer {self.server.token}":
            self.send_error(401)
            return
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps({"build": self.server.build}).encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def app() -> Iterator[App]:
    with App(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.mark.parametrize(
    ("running", "wanted", "stays"),
    [
        ("", "", True),
        ("one", "one", True),
        ("one", "other", False),
        ("one", "", False),
        ("", "one", False),  # whoever asks for no token accepts every one
    ],
)
def test_another_token_is_a_reason_to_deploy(app: App, running: str, wanted: str, stays: bool) -> None:
    app.token = running
    cluster = Cluster("auto", "127.0.0.1", app.server_port, Settings(ray_token=SecretStr(wanted)))
    assert cluster._as_wanted() is stays


def test_another_build_is_a_reason_to_deploy(app: App) -> None:
    app.build = "another"
    assert not Cluster("auto", "127.0.0.1", app.server_port, Settings())._as_wanted()
