"""Finds everything that would stop a start, within two seconds."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping

from stack import ports
from stack.layout import ROOT, VENV_PYTHON

OLDEST_GO_THAT_FETCHES_ANOTHER = (1, 21)
PYTHON_OF_RAY = ((3, 11), (3, 13))  # and of what the Ray app depends on
GIGABYTE = 1 << 30


def tools() -> list[str]:
    """Returns what the set-up needs and doesn't have: programs, versions, disk space."""
    return [*_missing(), *_go(), *_python(), *_disk()]


def taken(chosen: Mapping[str, int], programs: Iterable[str]) -> list[str]:
    """Returns the ports of these programs that something else listens on."""
    programs, problems = set(programs), []
    for name, known in ports.KNOWN.items():
        if known.program in programs and not ports.is_free(port := chosen[name]):
            problems.append(
                f"port {port} for {_words(name)} is taken by {ports.listener(port)}: "
                f"end that, or choose another port with {known.variable}=…"
            )
    return problems


def equal(chosen: Mapping[str, int], programs: Iterable[str]) -> list[str]:
    """Returns the ports that two of these programs would share."""
    programs, owners, problems = set(programs), {}, []
    for name in (name for name in chosen if ports.owner_program(name) in programs):
        span = ports.span(name, chosen[name])
        if others := {owners[port] for port in span if port in owners}:
            variables = " or ".join(f"{ports.KNOWN[one].variable}=…" for one in (*others, name) if one in ports.KNOWN)
            both = f"{_words(name)} and for {_words(others.pop())} too"
            problems.append(f"port {chosen[name]} can't be for {both}: change one with {variables}")
        owners.update(dict.fromkeys(span, name))
    return problems


def _words(name: str) -> str:
    return name.replace("_", " ")


def _missing() -> list[str]:
    advice = {
        "go": "install Go, https://go.dev/dl/",
        "make": "install make",
        "git": "install git",
        "curl": "install curl",
    }
    return [f"{name} isn't on PATH: {advice[name]}" for name in advice if shutil.which(name) is None]


def _go() -> list[str]:
    if shutil.which("go") is None:
        return []
    wanted = _version(re.search(r"^go (.*)$", (ROOT / "go.mod").read_text(), re.MULTILINE))
    answer = subprocess.run(["go", "version"], capture_output=True, text=True, check=False, cwd="/")
    found = _version(re.search(r"go(\d+\.\d+(?:\.\d+)?)", answer.stdout))
    if found >= wanted or (found >= OLDEST_GO_THAT_FETCHES_ANOTHER and _fetches_toolchains()):
        return []
    return [f"go is {_text(found)}, {_text(wanted)} or newer is needed: https://go.dev/dl/ (or set GOTOOLCHAIN=auto)"]


def _fetches_toolchains() -> bool:
    answer = subprocess.run(["go", "env", "GOTOOLCHAIN"], capture_output=True, text=True, check=False, cwd="/")
    return answer.stdout.strip() != "local"


def _python() -> list[str]:
    problems = []
    oldest, newest = PYTHON_OF_RAY
    if not oldest <= sys.version_info[:2] <= newest:
        problems.append(f"python3 is {_text(sys.version_info[:2])}: Ray needs {_text(oldest)} to {_text(newest)}")
    absent = [name for name in ("venv", "ensurepip") if importlib.util.find_spec(name) is None]
    if absent:
        problems.append(f"python3 has no {' and no '.join(absent)}: install it (Debian, Ubuntu: python3-venv)")
    return problems


def _disk() -> list[str]:
    wanted = 1 if VENV_PYTHON.exists() else 6
    free = shutil.disk_usage(ROOT).free / GIGABYTE
    if free >= wanted:
        return []
    return [f"{free:.1f} GB free on the disk of {ROOT}: about {wanted} GB are needed"]


def _version(match: re.Match[str] | None) -> tuple[int, ...]:
    return tuple(int(part) for part in match.group(1).split(".")) if match else (0,)


def _text(version: tuple[int, ...]) -> str:
    return ".".join(str(part) for part in version)
