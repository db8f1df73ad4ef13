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
from stack.layout import BIN, LOCK, RAY_APP, ROOT, TOOLS, VENV, VENV_PYTHON

MODULES = ROOT / "deploy" / "dev" / "tools"
STEP_LOGS = ROOT / ".dev" / "prepare"
TEMPORAL_VERSION = "1.5.1"


@dataclass(frozen=True)
class Tool:
    """A program built from a module file of its own, so that its dependencies never meet ours."""

    module: str
    binaries: dict[str, str]
    expected: str
    flags: tuple[str, ...] = ()
    oldest: tuple[int, ...] = ()

    @property
    def title(self) -> str:
        return f"building {' and '.join(self.binaries)} from source"


TEMPORAL = Tool(
    module="temporal",
    binaries={"temporal": "github.com/temporalio/cli/cmd/temporal"},
    expected="about 5 minutes on 2 cores, once; 250 MB",
    flags=("-ldflags", f"-X github.com/temporalio/cli/temporalcli.Version={TEMPORAL_VERSION}"),
    oldest=(1, 5, 1),
)
NATS = Tool(
    module="nats",
    binaries={"nats-server": "github.com/nats-io/nats-server/v2"},
    expected="about 30 seconds on 2 cores, once; 25 MB",
    oldest=(2, 11),
)
LINT = Tool(
    module="lint",
    binaries={
        "golangci-lint": "github.com/golangci/golangci-lint/v2/cmd/golangci-lint",
        "workflowcheck": "go.temporal.io/sdk/contrib/tools/workflowcheck",
    },
    expected="about 3 minutes on 2 cores, once",
)
PROMETHEUS = Tool(
    module="prometheus",
    binaries={"promtool": "github.com/prometheus/prometheus/cmd/promtool"},
    expected="about 3 minutes on 2 cores, once; 50 MB",
    # Testing rules discovers nothing, and each cloud's discovery would bring that cloud's SDK.
    flags=("-tags", "remove_all_sd", "-ldflags", "-s -w"),
    oldest=(2, 42),
)


def prepare(items: Iterable[str]) -> None:
    """Makes what is missing; does nothing, quickly, when all of it is there and current."""
    steps: dict[str, Callable[[], None]] = {
        "venv": _environment,
        "nats": lambda: _adopt(NATS, "nats-server"),
        "temporal": lambda: _adopt(TEMPORAL, "temporal"),
        "lint": lambda: _build(LINT),
        "promtool": lambda: _adopt(PROMETHEUS, "promtool"),
        "binaries": _binaries,
    }
    wanted = list(items)
    if unknown := [item for item in wanted if item not in steps]:
        raise ValueError(f"nothing to prepare by the name of {unknown[0]!r}; there are {', '.join(steps)}")
    with _one_at_a_time():
        for item, step in steps.items():
            if item in wanted:
                step()


def _adopt(tool: Tool, name: str) -> None:
    """Links bin/<name> to the one on PATH if that is new enough, else to one built here."""
    found = _on_path(tool, name)
    if found is None:
        _build(tool)
        found = TOOLS / name
    link = BIN / name
    if not link.is_symlink() or Path(os.readlink(link)) != _from_bin(found):
        BIN.mkdir(exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(_from_bin(found))


def _from_bin(program: Path) -> Path:
    return program.relative_to(BIN) if program.is_relative_to(BIN) else program


def _on_path(tool: Tool, name: str) -> Path | None:
    found = shutil.which(name)
    if found is None or Path(found).absolute().is_relative_to(BIN):
        return None
    answer = subprocess.run([found, "--version"], capture_output=True, text=True, check=False, timeout=10)
    version = re.search(r"(\d+)\.(\d+)\.(\d+)", answer.stdout)
    if version and tuple(int(part) for part in version.groups()) >= tool.oldest:
        return Path(found).absolute()
    return None


def _build(tool: Tool) -> None:
    module = MODULES / tool.module
    fingerprint = _fingerprint(module / "go.mod", module / "go.sum", extra=" ".join(tool.flags))
    stamp = TOOLS / f".{tool.module}"
    if _current(stamp, fingerprint) and all((TOOLS / name).exists() for name in tool.binaries):
        return
    TOOLS.mkdir(parents=True, exist_ok=True)
    # Next to its place first: an interrupted build must not leave half a program where a whole one was.
    fresh = TOOLS / f".fresh-{tool.module}"
    fresh.mkdir(exist_ok=True)
    command = ["go", "build", *tool.flags, "-o", f"{fresh}{os.sep}", *tool.binaries.values()]
    run_step(tool.title, tool.expected, command, STEP_LOGS / f"{tool.module}.log", cwd=module)
    for name, package in tool.binaries.items():
        built = fresh / name
        # Go names a binary after the last element of the path, a major version aside.
        (built if built.exists() else fresh / Path(package).parent.name).replace(TOOLS / name)
    fresh.rmdir()
    stamp.write_text(fingerprint)


def _environment() -> None:
    """The Python environment: exactly the lock, and our package where it lies."""
    fingerprint = _fingerprint(LOCK, extra=f"{sys.version} {RAY_APP}")
    stamp = VENV / ".lock-hash"
    if VENV_PYTHON.exists() and _current(stamp, fingerprint):
        return
    say("  setting up Python: Ray and what belongs to it (about 1 minute, once; 200 MB to download, 700 MB on disk)")
    if VENV.exists():
        shutil.rmtree(VENV)
    base = [getattr(sys, "_base_executable", None) or sys.executable, "-m", "venv", str(VENV)]
    run_step("making .dev/venv", "a few seconds", base, STEP_LOGS / "venv.log")
    # pip needs minutes where uv needs seconds, so pip only brings uv, of the version and the hashes in the lock.
    only_uv = STEP_LOGS / "uv.txt"
    only_uv.write_text(_pin("uv", LOCK.read_text()))
    pip = [str(VENV_PYTHON), "-m", "pip", "install", "--require-hashes", "--no-deps", "-r", str(only_uv)]
    run_step("installing uv", "a few seconds", pip, STEP_LOGS / "pip.log")
    uv = [str(VENV / "bin" / "uv"), "pip", "install", "--python", str(VENV_PYTHON), "--require-hashes", "-r", str(LOCK)]
    run_step("installing deploy/ray/requirements.lock", "up to a minute", uv, STEP_LOGS / "uv.log")
    # What an editable install comes to, without a build backend that the lock would have to carry.
    answer = subprocess.run(
        [VENV_PYTHON, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        capture_output=True,
        text=True,
        check=True,
    )
    (Path(answer.stdout.strip()) / "deliberation_ray.pth").write_text(f"{RAY_APP}\n")
    stamp.write_text(fingerprint)


def _binaries() -> None:
    command = ["make", "--no-print-directory", "build"]
    run_step(
        "building bin/worker and bin/starter",
        "about a minute the first time",
        command,
        STEP_LOGS / "build.log",
        cwd=ROOT,
    )


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
    """Two stacks of one checkout share bin/ and .dev/venv: the second waits for the first, then finds all made."""
    STEP_LOGS.mkdir(parents=True, exist_ok=True)
    with (STEP_LOGS / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("  waiting for another set-up in this checkout to end")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
