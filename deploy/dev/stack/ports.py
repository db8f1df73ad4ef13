"""Who listens where: the ports that people use, and the other ports of Ray."""

from __future__ import annotations

import os
import random
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

HOST = "127.0.0.1"


@dataclass(frozen=True)
class Known:
    """A port with a name, a default, and the variable that changes it."""

    program: str
    variable: str
    default: int


KNOWN = {
    "temporal": Known("temporal", "TEMPORAL_PORT", 7233),
    "temporal_ui": Known("temporal", "TEMPORAL_UI_PORT", 8233),
    "nats": Known("nats", "NATS_PORT", 4222),
    "ray_dashboard": Known("ray", "RAY_DASHBOARD_PORT", 8265),
    "ray_app": Known("rayapp", "RAY_APP_PORT", 8000),
    "ray2_dashboard": Known("ray2", "RAY2_DASHBOARD_PORT", 8266),
    "ray2_app": Known("rayapp2", "RAY2_APP_PORT", 8002),
    "model": Known("model", "MODEL_PORT", 8001),
    "worker": Known("worker", "WORKER_PORT", 9464),
}
# The second Ray needs as much memory as everything else together, so it starts only on request.
OPTIONAL = ("ray2", "rayapp2")
RAYS = ("ray", "ray2")
RAY_INTERNAL = (
    "gcs",
    "agent",
    "agent_grpc",
    "metrics",
    "client",
    "node_manager",
    "object_manager",
    "runtime_env",
    "dashboard_metrics",
)
RAY_WORKERS = tuple(f"{ray}_workers" for ray in RAYS)
NAMES = (*KNOWN, *(f"{ray}_{name}" for ray in RAYS for name in RAY_INTERNAL), *RAY_WORKERS)
# A Ray worker without a free port in its range fails to start; idle workers and drivers take one each too.
RAY_WORKER_PORTS = 200
# Below the ephemeral range, so that no outgoing connection takes one between two starts.
LOWEST, HIGHEST = 20000, 32000


def owner_program(name: str) -> str:
    return KNOWN[name].program if name in KNOWN else name.partition("_")[0]


def span(name: str, port: int) -> range:
    return range(port, port + (RAY_WORKER_PORTS if name in RAY_WORKERS else 1))


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def choose(
    remembered: dict[str, int], running: Iterable[str], free_ports: bool, wanted: Iterable[str] = ()
) -> dict[str, int]:
    """Returns the ports of every program, and of an optional one as soon as it was wanted once.

    A running program keeps its ports. A picked port stays the same while it is free. New ports are picked last.
    """
    running, wanted = set(running), set(wanted)
    chosen: dict[str, int] = {}
    missing: list[str] = []
    for name in NAMES:
        old = remembered.get(name)
        if old is None and owner_program(name) in OPTIONAL and owner_program(name) not in wanted:
            continue
        if old is not None and owner_program(name) in running:
            chosen[name] = old
        elif name in KNOWN and (KNOWN[name].variable in os.environ or not free_ports):
            chosen[name] = _wanted(KNOWN[name])
        elif old is not None and all(is_free(port) for port in span(name, old)):
            chosen[name] = old
        else:
            missing.append(name)
    for name in missing:
        chosen[name] = _pick(name, chosen)
    return chosen


def _wanted(known: Known) -> int:
    text = os.environ.get(known.variable, "") or str(known.default)
    if not text.isdigit() or not 1 <= int(text) <= 65535:
        raise ValueError(f"{known.variable} must be a port, 1..65535, got {text!r}")
    return int(text)


def _pick(name: str, chosen: dict[str, int]) -> int:
    taken = {port for other, first in chosen.items() for port in span(other, first)}
    for _ in range(1000):
        candidate = random.randrange(LOWEST, HIGHEST - RAY_WORKER_PORTS)
        wanted = span(name, candidate)
        if taken.isdisjoint(wanted) and all(is_free(port) for port in wanted):
            return candidate
    raise OSError(f"no free port between {LOWEST} and {HIGHEST}")


def listener(port: int) -> str:
    """Names the process that listens on a port, if /proc lets this user see it."""
    inodes = {f"socket:[{inode}]" for inode in _listening_inodes(port)}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if any(os.readlink(fd) in inodes for fd in (entry / "fd").iterdir()):
                return f"{(entry / 'comm').read_text().strip()} (pid {entry.name})"
        except OSError:
            continue
    return "a process of another user" if inodes else "a process that can't be seen from here"


def _listening_inodes(port: int) -> list[str]:
    inodes = []
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        if not os.path.exists(table):
            continue
        for line in Path(table).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and int(fields[1].rsplit(":", 1)[1], 16) == port:
                inodes.append(fields[9])
    return inodes
