"""The stand-in model, as the tests see it."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx2
import process
from http_client import client

SCRIPT = Path(__file__).parents[2] / "dev" / "model" / "standin.py"


class StandIn:
    def __init__(self, log: Path, delay: float = 0.1) -> None:
        (self.port,) = process.free_ports(1)
        self.url = f"http://127.0.0.1:{self.port}"
        self._http = client(self.url, timeout=30)
        arguments = [sys.executable, str(SCRIPT), "--port", str(self.port), "--delay", str(delay)]
        self._process: subprocess.Popen[bytes] = process.start(arguments, log)
        process.until(self._healthy, "the stand-in model answers")

    def _healthy(self) -> bool:
        try:
            return self._http.get("/healthz").status_code == 200
        except httpx2.HTTPError:
            return False

    def end(self) -> None:
        process.end(self._process)

    def script(self, model: str, *steps: dict[str, Any]) -> None:
        self._http.put("/control/script", params={"model": model}, json={"steps": list(steps)}).raise_for_status()

    def calls(self, model: str) -> list[dict[str, Any]]:
        return list(self._http.get("/control/calls", params={"model": model}).json()["calls"])

    def until_called(self, model: str, count: int = 1) -> None:
        process.until(lambda: len(self.calls(model)) >= count, f"{count} calls of {model}")

    def until_outcome(self, model: str, outcome: str, seconds: float = 120) -> None:
        def all_so() -> bool:
            calls = self.calls(model)
            return bool(calls) and all(call["outcome"] == outcome for call in calls)

        process.until(all_so, f"{model} {outcome}", seconds)
