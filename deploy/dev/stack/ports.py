"""Who listens where."""

import glob
import os
import random
import socket
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path

HOST = "127.0.0.1"
# Below the ephemeral range, so that no outgoing connection takes one between two starts.
PICKED = range(20000, 32000)
# The ports that people use, by name: the program that listens, and the default. `TEMPORAL_UI_PORT` and the like are
# the variables that change them.
KNOWN = {
    "temporal": ("temporal", 7233),
    "temporal_ui": ("temporal", 8233),
    "nats": ("nats", 4222),
    "ray_dashboard": ("ray", 8265),
    "ray_app": ("rayapp", 8000),
    "ray2_dashboard": ("ray2", 8266),
    "ray2_app": ("rayapp2", 8002),
    "model": ("model", 8001),
    "worker": ("worker", 9464),
}
# The second Ray needs as much memory as everything else together, so it starts only on request.
OPTIONAL = ("ray2", "rayapp2")
RAYS = ("ray", "ray2")
# The program that listens on each port. Ray's other ports are those with a fixed default, or that others must know; it
# takes any free port for the rest.
OWNERS = {name: program for name, (program, _) in KNOWN.items()} | {"nats_monitor": "nats"}
for ray in RAYS:
    OWNERS |= {f"{ray}_{port}": ray for port in ("gcs", "agent", "client", "metrics", "dashboard_metrics")}


def is_free(port: int) -> bool:
    try:
        socket.create_server((HOST, port)).close()
    except OSError:
        return False
    return True


def choose(remembered: Mapping[str, int], running: Collection[str], free_ports: bool) -> dict[str, int]:
    """Returns the ports of every program.

    A running program keeps its ports. A picked port stays the same while it is free.
    """
    given = {name: _given(name) for name in KNOWN if _variable(name) in os.environ or not free_ports}
    chosen: dict[str, int] = {}
    for name, program in OWNERS.items():
        old = remembered.get(name)
        if old is not None and (program in running or (name not in given and is_free(old))):
            chosen[name] = old
        elif name in given:
            chosen[name] = given[name]
        else:
            chosen[name] = _pick({*remembered.values(), *given.values(), *chosen.values()})
    return chosen


def _variable(name: str) -> str:
    return f"{name.upper()}_PORT"


def _given(name: str) -> int:
    text = os.environ.get(_variable(name), "") or str(KNOWN[name][1])
    if not text.isdigit() or not 1 <= int(text) <= 65535:
        raise SystemExit(f"{_variable(name)} must be a port, 1..65535, got {text!r}")
    return int(text)


def _pick(taken: Collection[int]) -> int:
    return next(port for port in random.sample(PICKED, len(PICKED)) if port not in taken and is_free(port))


def problems(chosen: Mapping[str, int], programs: Collection[str], starting: Collection[str]) -> list[str]:
    """Returns the ports that two programs would share, and those of starting ones that something else listens on."""
    owners: dict[int, str] = {}
    found = []
    for name in (name for name in chosen if OWNERS[name] in programs):
        port, words = chosen[name], name.replace("_", " ")
        other = owners.setdefault(port, name)
        if other != name:
            variables = " or ".join(f"{_variable(one)}=…" for one in (other, name) if one in KNOWN)
            both = f"{words} and for {other.replace('_', ' ')} too"
            found.append(f"port {port} can't be for {both}: change one with {variables}")
        elif name in KNOWN and OWNERS[name] in starting and not is_free(port):
            advice = f"end that, or choose another port with {_variable(name)}=…"
            found.append(f"port {port} for {words} is taken by {_listener(port)}: {advice}")
    return found


def _listener(port: int) -> str:
    """Names the process that listens on a port, if /proc lets this user see it."""
    sockets = set()
    for table in glob.glob("/proc/net/tcp*"):
        for fields in map(str.split, Path(table).read_text().splitlines()):
            if fields[3] == "0A" and fields[1].endswith(f":{port:04X}"):
                sockets.add(f"socket:[{fields[9]}]")
    for opened in glob.glob("/proc/[0-9]*/fd/*"):
        with suppress(OSError):
            if os.readlink(opened) in sockets:
                process = Path(opened).parents[1]
                return f"{(process / 'comm').read_text().strip()} (pid {process.name})"
    return "a process of another user" if sockets else "a process that can't be seen from here"
