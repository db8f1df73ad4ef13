"""When a program really answers, as opposed to having been started."""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
from urllib.parse import urlsplit

from stack.layout import BIN

PATIENCE_SECONDS = 2.0


def answers(url: str) -> bool:
    """A GET brings 200; never through a proxy that the shell may have configured."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=PATIENCE_SECONDS)
    try:
        connection.request("GET", parts.path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def nats_answers(host: str, port: int) -> bool:
    """NATS speaks first: INFO, which also says whether JetStream is on."""
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
