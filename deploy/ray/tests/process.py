"""Programs that the tests start and end: by process group, never by name."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path


def free_ports(count: int) -> list[int]:
    """All held at once while choosing, so that none is given twice."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def start(arguments: list[str], log: Path, **environment: str) -> "subprocess.Popen[bytes]":
    with log.open("ab") as output:
        return subprocess.Popen(
            arguments, stdout=output, stderr=output, env={**os.environ, **environment}, start_new_session=True
        )


def end(process: "subprocess.Popen[bytes]", seconds: float = 10) -> int:
    """Asks the group, then insists; a group that is gone is what was wanted."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            break
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            continue
    return process.wait()


def until(condition: Callable[[], bool], what: str, seconds: float = 120) -> None:
    """For what only another process can tell."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.05)


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
