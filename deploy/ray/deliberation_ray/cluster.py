"""The Ray cluster, as the deployer sees it."""

import logging
import socket

import ray
from ray import serve

from deliberation_ray.app import NAME, ROUTE_PREFIX, application
from deliberation_ray.build import build_of
from deliberation_ray.ray_internals import serve_address
from deliberation_ray.settings import Settings

_TIMEOUT_SECONDS = 5.0
_EVERY_INTERFACE = ("", "0.0.0.0", "::")


class DeployError(Exception):
    """The application was deployed and doesn't start."""


class Cluster:
    """Asks the application through Ray, which needs no token and no HTTP port."""

    def __init__(self, address: str, http_host: str, http_port: int, settings: Settings) -> None:
        self.address = address
        self._http_host = http_host
        self._http_port = http_port
        self._settings = settings

    @property
    def url(self) -> str:
        """The URL of the application, with the host and port that Serve really has."""
        host, port = serve_address() or (self._http_host, self._http_port)
        if host in _EVERY_INTERFACE:
            host = self.address.rpartition(":")[0].strip("[]") or "127.0.0.1"
        return f"http://[{host}]:{port}{ROUTE_PREFIX}" if ":" in host else f"http://{host}:{port}{ROUTE_PREFIX}"

    def reachable(self) -> bool:
        """Reports whether something listens at Ray's address; `auto` is only known after connecting."""
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

    def deploy(self, again: bool = False) -> None:
        """Deploys the application unless this build already runs; with `again`, always. Others stay as they are."""
        if not again and self.status() == "RUNNING" and self._build() == build_of(self._settings):
            print(f"{self.url} already runs this build", flush=True)
            return
        serve.start(http_options={"host": self._http_host, "port": self._http_port})
        try:
            serve.run(application(self._settings), name=NAME, route_prefix=ROUTE_PREFIX)
        except RuntimeError as error:
            raise DeployError(self._failure() or str(error)) from error
        print(f"{self.url} is up", flush=True)

    def _failure(self) -> str:
        """Returns the last line of Serve's message about each deployment that doesn't start: it has the error."""
        known = serve.status().applications.get(NAME)
        messages = [each.message.strip() for each in known.deployments.values()] if known else []
        return "\n".join(message.splitlines()[-1] for message in messages if message)

    def status(self) -> str:
        """Returns Serve's status of the application; empty if Serve doesn't know it."""
        known = serve.status().applications.get(NAME)
        return str(known.status.value) if known else ""

    def answers(self) -> bool:
        return self._build() != ""

    def _build(self) -> str:
        """Returns the build that answers; empty if none does."""
        try:
            return str(serve.get_app_handle(NAME).build.remote().result(timeout_s=_TIMEOUT_SECONDS))
        except Exception:  # Serve and Ray raise many types, and each means that no build answers
            return ""
