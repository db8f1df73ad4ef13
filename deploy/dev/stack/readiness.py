"""Whether a program is ready, as opposed to merely started."""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
from urllib.parse import urlsplit

from stack.layout import BIN

PATIENCE_SECONDS = 2.0


def answers(url: str) -> bool:
    """Reports whether a GET is answered by 200, without any proxy that the shell may name."""
    return _body(url) is not None


def worker_ready(url: str, with_ray: bool) -> bool:
    """Reports whether a deliberation would start at once: the worker is ready, and has heard from Ray."""
    body = _body(f"{url}/readyz")
    clusters = json.loads(body).get("clusters", []) if body is not None else []
    heard = all(cluster["breaker"] == "closed" and not cluster.get("fault") for cluster in clusters)
    return body is not None and (heard or not with_ray)


def _body(url: str) -> bytes | None:
    """Returns the body of a GET that is answered by 200."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=PATIENCE_SECONDS)
    try:
        connection.request("GET", parts.path)
        answer = connection.getresponse()
        body = answer.read()
        return body if answer.status == 200 else None
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def nats_answers(host: str, port: int) -> bool:
    """Reads the greeting of NATS, which also says whether JetStream is on."""
    try:
        with socket.create_connection((host, port), timeout=PATIENCE_SECONDS) as connection:
            greeting = connection.makefile("rb").readline()
    except OSError:
        return False
    return greeting.startswith(b"INFO ") and json.loads(greeting[5:]).get("jetstream", False)


def temporal_answers(address: str) -> bool:
    command = [BIN / "temporal", "operator", "cluster", "health", "--address", address, "--command-timeout", "2s"]
    try:
        return subprocess.run(command, capture_output=True, check=False, timeout=10).returncode == 0
    except subprocess.TimeoutExpired:
        return False
