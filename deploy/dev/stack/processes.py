"""Finding and ending the processes of one stack, and no others."""

import os
import shutil
import signal
import time
from contextlib import suppress
from pathlib import Path

from stack.console import say
from stack.layout import Layout

# Every program inherits this variable from the supervisor. Ray's workers leave the process group of their
# parent, so groups alone don't find them.
MARK = "DEV_STACK_HOME"


def belonging(layout: Layout) -> dict[int, str]:
    """Returns the names of this stack's living processes, by pid: the marked ones, and the rest of their sessions.

    The session matters because a process that renames itself (Ray's dashboard) overwrites its environment.
    """
    mark, sessions = f"{MARK}={layout.home}".encode(), _sessions()
    marked = {pid for pid in sessions if mark in _read(pid, "environ").split(b"\0")}
    ours = {sessions[pid] for pid in marked} - {os.getsid(0)}
    mine = [pid for pid, session in sessions.items() if pid in marked or session in ours]
    return {pid: _read(pid, "comm").decode(errors="replace").strip() for pid in mine}


def sweep(layout: Layout, wait: float = 5.0) -> dict[int, str]:
    """Waits for what is left of the stack, then ends it. Returns the processes that had to be ended."""
    # Ray's workers notice by themselves that their node is gone, a few seconds later.
    ended = found = _wait(layout, wait)
    for pid, name in ended.items():
        say(f"  ending {name} (pid {pid}), which was left over")
    for sign in (signal.SIGTERM, signal.SIGKILL):
        for pid in found:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, sign)
        found = found and _wait(layout, 5.0)
    shutil.rmtree(layout.short, ignore_errors=True)
    return ended


def _wait(layout: Layout, seconds: float) -> dict[int, str]:
    """Returns what is still alive when the time is over, or nothing as soon as nothing is."""
    deadline = time.monotonic() + seconds
    while (found := belonging(layout)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return found


def _sessions() -> dict[int, int]:
    """Returns the session of each living process other than this one. A dead one that waits to be reaped has none."""
    found = {}
    for pid in (int(entry.name) for entry in Path("/proc").glob("[0-9]*")):
        # The fields after the name are the state, the parent, the group and the session.
        fields = _read(pid, "stat").rpartition(b")")[2].split()
        if fields and fields[0] not in (b"Z", b"X") and pid != os.getpid():
            found[pid] = int(fields[3])
    return found


def _read(pid: int, what: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{what}").read_bytes()
    except OSError:
        return b""
