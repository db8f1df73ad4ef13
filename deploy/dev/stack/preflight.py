"""What would stop a start, found within two seconds."""

import http.client
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import urllib.error
import urllib.request

from stack.console import Failed, say
from stack.layout import ROOT, VENV

ADVICE = {"go": "install Go, https://go.dev/dl/", "make": "install make", "git": "install git", "curl": "install curl"}
PYTHON_OF_RAY = ((3, 11), (3, 13))  # and of what the Ray app depends on
GIGABYTE = 1 << 30


def check(problems: list[str]) -> None:
    if problems:
        raise Failed("\n".join(["before anything can start:", *(f"  - {problem}" for problem in problems)]))


def tools() -> list[str]:
    """Returns what the set-up needs and doesn't have: programs, versions, disk space."""
    problems = [f"{name} isn't on PATH: {ADVICE[name]}" for name in ADVICE if shutil.which(name) is None]
    # Go itself says which version the module needs, and downloads that if it may.
    if shutil.which("go") and subprocess.run(["go", "list", "-m"], cwd=ROOT, stdout=subprocess.DEVNULL).returncode:
        problems.append("go can't build this module, see above: https://go.dev/dl/ (or set GOTOOLCHAIN=auto)")
    version = sys.version_info[:2]
    if not PYTHON_OF_RAY[0] <= version <= PYTHON_OF_RAY[1]:
        found, oldest, newest = (".".join(map(str, each)) for each in (version, *PYTHON_OF_RAY))
        problems.append(f"python3 is {found}: Ray needs {oldest} to {newest}")
    if absent := [name for name in ("venv", "ensurepip") if importlib.util.find_spec(name) is None]:
        problems.append(f"python3 has no {' and no '.join(absent)}: install it (Debian, Ubuntu: python3-venv)")
    wanted, free = 1 if VENV.exists() else 6, shutil.disk_usage(ROOT).free / GIGABYTE
    if free < wanted:
        problems.append(f"{free:.1f} GB free on the disk of {ROOT}: about {wanted} GB are needed")
    return problems


def model() -> list[str]:
    """Returns the problems with VLLM_URL, and sets VLLM_MODEL if it isn't set and the server has one model."""
    url, model = os.environ.get("VLLM_URL", ""), os.environ.get("VLLM_MODEL", "")
    if not url:
        return [f"VLLM_MODEL={model} needs VLLM_URL, the server that has it"] if model else []
    base = url.rstrip("/")
    page = f"{base}/models" if base.endswith("/v1") else f"{base}/v1/models"
    try:
        served = _served(page)
    except (OSError, http.client.HTTPException, ValueError) as failure:
        cause = f"VLLM_URL: {page} can't be read: {getattr(failure, 'reason', failure)}"
        return [f"{cause}; start the model server, or unset VLLM_URL for the stand-in"]
    if model:
        if served and model not in served:
            say(f"  note: {url} doesn't list the model {model!r}; it lists {', '.join(served)}")
        return []
    if len(served) != 1:
        return [f"VLLM_MODEL isn't set, and {url} serves {', '.join(served) or 'no model that it lists'}: name one"]
    os.environ["VLLM_MODEL"] = served[0]
    say(f"  model: {served[0]}, the only one of {url}")
    return []


def _served(page: str) -> list[str]:
    """Returns the models that the server lists; none if it doesn't show its list."""
    if not page.startswith(("http://", "https://")):
        raise ValueError("it must begin with http:// or https://")
    try:
        with urllib.request.urlopen(page, timeout=5) as answer:
            listed = json.load(answer)
    except urllib.error.HTTPError as refusal:
        if refusal.code in (401, 403, 404, 405):
            return []
        raise
    if not isinstance(listed, dict) or not isinstance(listed.get("data"), list):
        raise ValueError("the answer isn't a list of models")
    return [str(card["id"]) for card in listed["data"] if isinstance(card, dict) and "id" in card]
