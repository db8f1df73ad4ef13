"""Finding and ending what belongs to one stack, and nothing else."""

from __future__ import annotations

import os
import shutil
import signal
import time
from pathlib import Path

from stack.layout import Layout

# Every program inherits this from the supervisor. Ray's workers leave their parents' process group, so a group
# alone doesn't find them.
MARK = "DEV_STACK_HOME"


def belonging(layout: Layout) -> dict[int, str]:
    """Living processes of this stack, by pid: those that carry its mark, and the rest of their sessions.

    The session matters because a process that renames itself (Ray's dashboard) overwrites its environment.
    """
    mark = f"{MARK}={layout.home}".encode()
    everything = {pid: session for pid in _pids() if (session := _session(pid)) is not None}
    marked = {pid for pid in everything if mark in _read(pid, "environ").split(b"\0")}
    sessions = {everything[pid] for pid in marked} - {os.getsid(0)}
    return {pid: _name(pid) for pid, session in everything.items() if pid in marked or session in sessions}


def sweep(layout: Layout, grace: float = 5.0) -> list[str]:
    """Ends what is left of the stack: waits, asks, insists. Returns what had to be asked."""
    # Ray's workers notice by themselves that their node is gone, a few seconds later.
    found = _outlast(layout, 5.0)
    asked = sorted(f"{name} (pid {pid})" for pid, name in found.items())
    for sign, patience in ((signal.SIGTERM, grace), (signal.SIGKILL, 5.0)):
        if found:
            _signal(found, sign)
            found = _outlast(layout, patience)
    shutil.rmtree(layout.short, ignore_errors=True)
    return asked


def _outlast(layout: Layout, seconds: float) -> dict[int, str]:
    """What still lives when all are gone or the time is over."""
    deadline = time.monotonic() + seconds
    while (found := belonging(layout)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return found


def kill_tree(root: int) -> list[int]:
    """SIGKILL for a process, its group, and its descendants in other groups: as if its machine had lost power."""
    parents = {pid: _stat(pid)[1] for pid in _pids() if _stat(pid)}
    tree = {root}
    while more := {pid for pid, parent in parents.items() if parent in tree and pid not in tree}:
        tree |= more
    groups = {group for pid in tree if (group := _group(pid)) in tree}
    for group in groups:
        try:
            os.killpg(group, signal.SIGKILL)
        except ProcessLookupError:
            continue
    return sorted(tree)


def _signal(pids: dict[int, str], sign: signal.Signals) -> None:
    for pid in pids:
        try:
            os.kill(pid, sign)
        except (ProcessLookupError, PermissionError):
            continue


def _pids() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").glob("[0-9]*") if int(entry.name) != os.getpid()]


def _read(pid: int, what: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{what}").read_bytes()
    except OSError:
        return b""


def _stat(pid: int) -> tuple[str, int, int, int] | None:
    """State, parent, group and session; None for a process that is gone or only waits to be reaped."""
    fields = _read(pid, "stat").rpartition(b")")[2].split()
    if len(fields) < 4 or fields[0] in (b"Z", b"X"):
        return None
    return fields[0].decode(), int(fields[1]), int(fields[2]), int(fields[3])


def _session(pid: int) -> int | None:
    stat = _stat(pid)
    return stat[3] if stat else None


def _group(pid: int) -> int:
    stat = _stat(pid)
    return stat[2] if stat else 0


def _name(pid: int) -> str:
    return _read(pid, "comm").decode(errors="replace").strip()
