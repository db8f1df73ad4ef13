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


def say(text: str) -> None:
    print(text, flush=True)


def took(since: float) -> str:
    seconds = time.monotonic() - since
    return f"{seconds:.1f} s" if seconds < 60 else f"{int(seconds) // 60} min {int(seconds) % 60} s"


def check_names(names: Iterable[str], known: Collection[str], what: str) -> None:
    """Fails at a name that isn't known, and suggests the nearest one."""
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f" (did you mean {near[0]}?)" if near else ""
            raise SystemExit(f"{name}: there is no such {what}{hint}; there are {', '.join(known)}")


def tail(path: Path, lines: int = 15, since: int = 0) -> str:
    """Returns the end of a log, indented, without what was written before `since`."""
    text = path.read_bytes() if path.exists() else b""
    # A log that has become shorter was rotated.
    written = text[since if since <= len(text) else 0 :].decode(errors="replace").splitlines()
    return "\n".join(f"    {line}" for line in written[-lines:]) or "    (the log is empty)"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Lets one process at a time do something. The others say what they wait for."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"  waiting until another command is done with {folder}")
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
        raise SystemExit(f"{title}: failed with exit code {child.returncode}; the end of {log}:\n{tail(log, 25)}")
    say(f"  {title}: done in {took(started)}")
