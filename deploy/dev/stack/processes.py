"""Finding and ending the processes of one stack, and no others."""

from __future__ import annotations

import os
import shutil
import signal
import time
from pathlib import Path
from typing import NamedTuple

from stack.layout import Layout

# Every program inherits this variable from the supervisor. Ray's workers leave the process group of their
# parent, so groups alone don't find them.
MARK = "DEV_STACK_HOME"


class Process(NamedTuple):
    pid: int
    parent: int
    group: int
    session: int


def belonging(layout: Layout) -> dict[int, str]:
    """Returns the names of this stack's living processes, by pid: the marked ones, and the rest of their sessions.

    The session matters because a process that renames itself (Ray's dashboard) overwrites its environment.
    """
    mark, alive = f"{MARK}={layout.home}".encode(), _processes()
    marked = {process for process in alive if mark in _read(process.pid, "environ").split(b"\0")}
    sessions = {process.session for process in marked} - {os.getsid(0)}
    mine = [process.pid for process in alive if process in marked or process.session in sessions]
    return {pid: _read(pid, "comm").decode(errors="replace").strip() for pid in mine}


def sweep(layout: Layout, wait: float = 5.0) -> list[str]:
    """Waits for what is left of the stack, then ends it. Returns the processes that had to be ended."""
    # Ray's workers notice by themselves that their node is gone, a few seconds later.
    found = _wait(layout, wait)
    ended = sorted(f"{name} (pid {pid})" for pid, name in found.items())
    for sign, patience in ((signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0)):
        if found:
            _signal(found, sign)
            found = _wait(layout, patience)
    shutil.rmtree(layout.short, ignore_errors=True)
    return ended


def kill_tree(root: int) -> list[int]:
    """Sends SIGKILL to a process, its group, and its descendants in other groups, as a power cut would."""
    alive = _processes()
    tree = {root}
    while more := {process.pid for process in alive if process.parent in tree} - tree:
        tree |= more
    for group in {process.group for process in alive if process.pid in tree and process.group in tree}:
        try:
            os.killpg(group, signal.SIGKILL)
        except ProcessLookupError:
            continue
    return sorted(tree)


def _wait(layout: Layout, seconds: float) -> dict[int, str]:
    """Returns what is still alive when the time is over, or nothing as soon as nothing is."""
    deadline = time.monotonic() + seconds
    while (found := belonging(layout)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return found


def _signal(pids: dict[int, str], sign: signal.Signals) -> None:
    for pid in pids:
        try:
            os.kill(pid, sign)
        except (ProcessLookupError, PermissionError):
            continue


def _processes() -> list[Process]:
    """Returns all processes but this one, and but those that are dead and only wait to be reaped."""
    found = []
    for pid in (int(entry.name) for entry in Path("/proc").glob("[0-9]*")):
        state, *numbers = _read(pid, "stat").rpartition(b")")[2].split()[:4] or [b"X"]
        if state not in (b"Z", b"X") and pid != os.getpid():
            found.append(Process(pid, *(int(number) for number in numbers)))
    return found


def _read(pid: int, what: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{what}").read_bytes()
    except OSError:
        return b""
