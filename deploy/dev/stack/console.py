"""What the terminal shows while something takes its time."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from pathlib import Path

HEARTBEAT_SECONDS = 15


class Failed(Exception):
    """A failure that is printed as it is, without a traceback."""


def say(text: str) -> None:
    print(text, flush=True)


def took(since: float) -> str:
    seconds = time.monotonic() - since
    return f"{seconds:.1f} s" if seconds < 60 else f"{int(seconds) // 60} min {int(seconds) % 60} s"


def tail(path: Path, lines: int = 15, since: int = 0) -> str:
    """Returns the end of a log, indented: at most its last 64 KiB, and nothing written before `since`."""
    try:
        with path.open("rb") as log:
            size = path.stat().st_size
            # A log that has become shorter was rotated.
            log.seek(max(since if since <= size else 0, size - 65536))
            text = log.read().decode(errors="replace")
    except OSError:
        return "    (no log yet)"
    return "\n".join(f"    {line}" for line in text.splitlines()[-lines:]) or "    (the log is empty)"


def run_step(title: str, expected: str, command: Sequence[str], log: Path, **options: object) -> None:
    """Runs one long command: its output goes to a log, a heartbeat to the terminal, and Ctrl-C ends it."""
    started = time.monotonic()
    say(f"  {title} ({expected})")
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        child = subprocess.Popen(
            list(command), stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True, **options
        )
        finished = threading.Event()
        threading.Thread(target=_heartbeat, args=(title, started, finished), daemon=True).start()
        try:
            code = child.wait()
        except BaseException:
            os.killpg(child.pid, signal.SIGTERM)
            child.wait()
            raise
        finally:
            finished.set()
    if code != 0:
        raise Failed(f"{title}: failed with exit code {code}; the end of {log}:\n{tail(log, 25)}")
    say(f"  {title}: done in {took(started)}")


def _heartbeat(title: str, started: float, finished: threading.Event) -> None:
    while not finished.wait(HEARTBEAT_SECONDS):
        say(f"    … {title}: {took(started)} so far")
