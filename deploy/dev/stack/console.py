"""What the terminal shows, and how long commands run."""

import difflib
import fcntl
import os
import signal
import subprocess
import time
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

HEARTBEAT_SECONDS = 15


class Failed(Exception):
    """A failure that is printed as it is, without a traceback."""


def say(text: str) -> None:
    print(text, flush=True)


def took(since: float) -> str:
    seconds = time.monotonic() - since
    return f"{seconds:.1f} s" if seconds < 60 else f"{int(seconds) // 60} min {int(seconds) % 60} s"


def check_names(names: Iterable[str], known: Collection[str], what: str = "program", option: str = "") -> None:
    """Fails at a name that isn't known, and suggests the nearest one."""
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f" (did you mean {near[0]}?)" if near else ""
            raise Failed(f"{option}{name}: there is no such {what}{hint}; there are {', '.join(known)}")


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


@contextmanager
def locked(file: Path, waiting: str) -> Iterator[None]:
    """Lets one process at a time do something. The others say what they wait for."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(waiting)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def run_step(title: str, expected: str, command: list[str], log: Path, cwd: Path) -> None:
    """Runs one long command: its output goes to a log, a heartbeat to the terminal, and Ctrl-C ends it."""
    started = time.monotonic()
    say(f"  {title} ({expected})")
    with log.open("wb") as output:
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True, cwd=cwd
        )
    try:
        while child.returncode is None:
            try:
                child.wait(HEARTBEAT_SECONDS)
            except subprocess.TimeoutExpired:
                say(f"    … {title}: {took(started)} so far")
    except BaseException:
        os.killpg(child.pid, signal.SIGTERM)
        child.wait()
        raise
    if child.returncode != 0:
        raise Failed(f"{title}: failed with exit code {child.returncode}; the end of {log}:\n{tail(log, 25)}")
    say(f"  {title}: done in {took(started)}")
