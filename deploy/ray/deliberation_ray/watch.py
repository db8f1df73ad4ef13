"""Watches the application, and deploys it again when it is gone."""

import math
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from deliberation_ray.cluster import Cluster

_PERIOD_SECONDS = 2.0
# Serve restarts a failed replica or proxy by itself. A redeploy meanwhile would only make it begin again.
_PATIENCE_SECONDS = 30.0
# An application that Serve calls healthy, and that doesn't answer, is overloaded rather than broken.
_LONG_PATIENCE_SECONDS = 600.0
_HEALTHY_TO_SERVE = ("RUNNING", "DEPLOYING")
# If Ray is restarted during a call, the call never returns, although Ray's address is reachable again.
_STATUS_SECONDS = 15.0
_DEPLOY_SECONDS = 900.0


class Limit:
    """The time by which the current call must have returned."""

    def __init__(self) -> None:
        self._until = math.inf

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        self._until = time.monotonic() + seconds
        yield
        self._until = math.inf

    @property
    def over(self) -> bool:
        return time.monotonic() > self._until


def run(cluster: Cluster) -> int:
    """Ends the process when Ray is gone: only a new process can connect to another Ray."""
    signal.signal(signal.SIGTERM, _leave)
    signal.signal(signal.SIGINT, _leave)
    _connect(cluster)
    # Connecting installs Ray's own handler.
    signal.signal(signal.SIGTERM, _leave)
    limit = Limit()
    threading.Thread(target=_leave_with_ray, args=(cluster, limit), daemon=True).start()
    try:
        _keep(cluster, limit)
    except Exception as error:
        print(f"Ray no longer answers: {type(error).__name__}: {error}", flush=True)
    _exit(1)


def _connect(cluster: Cluster) -> None:
    said = False
    while True:
        try:
            if cluster.reachable():
                return cluster.connect()
        except ConnectionError:
            pass
        if not said:
            print(f"waiting for Ray at {cluster.address}", flush=True)
            said = True
        time.sleep(_PERIOD_SECONDS / 2)


def _keep(cluster: Cluster, limit: Limit) -> NoReturn:
    with limit.within(_DEPLOY_SECONDS):
        cluster.deploy()
    healthy_at = time.monotonic()
    while True:
        time.sleep(_PERIOD_SECONDS)
        with limit.within(_STATUS_SECONDS):
            status = cluster.status()
        if status == "RUNNING" and cluster.answers():
            healthy_at = time.monotonic()
        elif time.monotonic() - healthy_at >= _patience(status):
            print(f"the application is {status or 'gone'}: deploying it again", flush=True)
            with limit.within(_DEPLOY_SECONDS):
                cluster.deploy(again=True)
            healthy_at = time.monotonic()


def _patience(status: str) -> float:
    if not status:
        return 0.0
    return _LONG_PATIENCE_SECONDS if status in _HEALTHY_TO_SERVE else _PATIENCE_SECONDS


def _leave_with_ray(cluster: Cluster, limit: Limit) -> None:
    """Runs in a thread of its own: calls to a Ray that is gone or was restarted may block for ever."""
    misses = 0
    while misses < 2 and not limit.over:
        time.sleep(_PERIOD_SECONDS)
        misses = 0 if cluster.reachable() else misses + 1
    print(f"Ray at {cluster.address} is gone or was restarted", flush=True)
    _exit(1)


def _leave(*_: object) -> None:
    _exit(0)


def _exit(code: int) -> NoReturn:
    """Skips Ray's own shutdown, which waits for a Ray that may be gone. The application stays as it is."""
    os._exit(code)
