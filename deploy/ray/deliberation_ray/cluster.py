"""The Ray cluster, as the deployer sees it."""

import json
import logging
import socket
import urllib.request
from typing import Any

import ray
from ray import serve

from deliberation_ray.app import NAME, ROUTE_PREFIX, application
from deliberation_ray.build import build_of
from deliberation_ray.settings import Settings

_TIMEOUT_SECONDS = 5.0
_EVERY_INTERFACE = ("", "0.0.0.0", "::")


class Cluster:
    def __init__(self, address: str, http_host: str, http_port: int, settings: Settings) -> None:
        self.address = address
        self._http_host = http_host
        self._http_port = http_port
        self._settings = settings

    @property
    def url(self) -> str:
        host = "127.0.0.1" if self._http_host in _EVERY_INTERFACE else self._http_host
        return f"http://{host}:{self._http_port}{ROUTE_PREFIX}"

    def reachable(self) -> bool:
        """Whether something listens at Ray's address; `auto` is only known after connecting."""
        if self.address == "auto":
            return True
        host, _, port = self.address.rpartition(":")
        try:
            with socket.create_connection((host.strip("[]"), int(port)), timeout=_TIMEOUT_SECONDS):
                return True
        except OSError:
            return False

    def connect(self) -> None:
        """Raises ConnectionError when there is no Ray."""
        ray.init(address=self.address, log_to_driver=False, logging_level=logging.WARNING)
        self.address = ray.get_runtime_context().gcs_address

    def deploy(self, anew: bool = False) -> None:
        """Other applications stay as they are; so does ours when it is there in this very build."""
        if not anew and self.status() == "RUNNING" and self._as_wanted():
            print(f"{self.url} already runs this build", flush=True)
            return
        serve.start(http_options={"host": self._http_host, "port": self._http_port})
        serve.run(application(self._settings), name=NAME, route_prefix=ROUTE_PREFIX)
        print(f"{self.url} is up", flush=True)

    def status(self) -> str:
        """Serve's word for the application; empty when it has none."""
        known = serve.status().applications.get(NAME)
        return str(known.status.value) if known else ""

    def answers(self) -> bool:
        return self._get("/healthz").get("status") == "ok"

    def _as_wanted(self) -> bool:
        """Whether this very build runs, and asks for the token: the build doesn't tell of that one."""
        token = self._settings.ray_token.get_secret_value()
        return self._build(token) == build_of(self._settings) and not (token and self._build(""))

    def _build(self, token: str) -> str:
        return str(self._get("/v1/info", token).get("build", ""))

    def _get(self, path: str, token: str = "") -> dict[str, Any]:
        request = urllib.request.Request(self.url + path, headers={"Authorization": f"Bearer {token}"})
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=_TIMEOUT_SECONDS) as response:
                return dict(json.load(response))
        except (OSError, ValueError):
            return {}
