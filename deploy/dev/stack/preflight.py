"""What would stop a start, found within two seconds."""

import http.client
import importlib.util
import json
import os
import shutil
import subprocess
import urllib.error
import urllib.request

from stack.console import say
from stack.layout import ROOT, VENV


def check(problems: list[str]) -> None:
    if problems:
        raise SystemExit("\n".join(["before anything can start:", *(f"  - {problem}" for problem in problems)]))


def tools() -> list[str]:
    """Returns what the set-up needs and doesn't have: programs, versions, disk space."""
    problems = [f"{name} isn't on PATH: install it" for name in ("go", "make", "git") if shutil.which(name) is None]
    # Go itself says which version the module needs, and downloads that if it may.
    if shutil.which("go") and subprocess.run(["go", "list", "-m"], cwd=ROOT, stdout=subprocess.DEVNULL).returncode:
        problems.append("go can't build this module, see above: https://go.dev/dl/ (or set GOTOOLCHAIN=auto)")
    if absent := [name for name in ("venv", "ensurepip") if importlib.util.find_spec(name) is None]:
        problems.append(f"python3 has no {' and no '.join(absent)}: install it (Debian, Ubuntu: python3-venv)")
    wanted, free = 1 if VENV.exists() else 6, shutil.disk_usage(ROOT).free / 1e9
    if free < wanted:
        problems.append(f"{free:.1f} GB free on the disk of {ROOT}: about {wanted} GB are needed")
    return problems


def model() -> list[str]:
    """Returns the problems with VLLM_URL, and sets VLLM_MODEL if it isn't set and the server has one model."""
    url, model = os.environ.get("VLLM_URL", ""), os.environ.get("VLLM_MODEL", "")
    if not url:
        return [f"VLLM_MODEL={model} needs VLLM_URL, the server that has it"] if model else []
    page = url.rstrip("/").removesuffix("/v1") + "/v1/models"
    try:
        served = _served(page)
    except (OSError, http.client.HTTPException, ValueError, LookupError, TypeError) as failure:
        cause = f"VLLM_URL: {page} can't be read as a list of models: {getattr(failure, 'reason', failure)}"
        return [f"{cause}; start the model server, or unset VLLM_URL for the stand-in"]
    if not model and len(served) != 1:
        return [f"VLLM_MODEL isn't set, and {url} serves {', '.join(served) or 'no model that it lists'}: name one"]
    if not model:
        os.environ["VLLM_MODEL"] = served[0]
        say(f"  model: {served[0]}, the only one of {url}")
    elif served and model not in served:
        say(f"  note: {url} doesn't list the model {model!r}; it lists {', '.join(served)}")
    return []


def _served(page: str) -> list[str]:
    """Returns the models that the server lists; none if it doesn't show its list."""
    try:
        with urllib.request.urlopen(page, timeout=5) as answer:
            return [str(card["id"]) for card in json.load(answer)["data"]]
    except urllib.error.HTTPError as refusal:
        if refusal.code in (401, 403, 404, 405):
            return []
        raise
