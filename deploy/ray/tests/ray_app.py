"""The application on the tests' Ray, as a caller and as its operator see it."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx2
import process
from http_client import client
from ray_head import Head
from submission import submit

TOKEN = "secret"


class App:
    """`deploy` may be called again with other settings: that is a redeploy."""

    def __init__(self, head: Head, logs: Path) -> None:
        (self.port,) = process.free_ports(1)
        self.head = head
        self._deployed: dict[str, str] | None = None
        self.logs = logs
        self.token_file = logs / "token"
        self.token_file.write_text(TOKEN)
        self.url = f"http://127.0.0.1:{self.port}"
        self.base = f"{self.url}/deliberation"
        self.http = client(self.base, timeout=60, headers={"Authorization": f"Bearer {TOKEN}"})

    def deployer(self, *more: str, **settings: str) -> "subprocess.Popen[bytes]":
        arguments = ["--address", self.head.address, "--http-port", str(self.port), *more]
        # Without settings of its own it deploys what is deployed, as a supervised deployer would.
        chosen = settings or self._deployed or {}
        environment = {f"DELIBERATION_{name}": value for name, value in chosen.items()}
        return process.start(
            [sys.executable, "-m", "deliberation_ray.deploy", *arguments],
            self.logs / "deploy.log",
            **{"DELIBERATION_RAY_TOKEN_FILE": str(self.token_file), "RAY_AUTH_MODE": "disabled", **environment},
        )

    def deploy(self, **settings: str) -> None:
        if settings == self._deployed:
            return
        deployer = self.deployer(**settings)
        try:
            assert deployer.wait(120) == 0, (self.logs / "deploy.log").read_text()
        finally:
            process.end(deployer)
        process.until(self.ready, "every runner answers")
        self._deployed = settings

    def ready(self) -> bool:
        info = self.get("/v1/info")
        return all(runner["incarnation"] and not runner["draining"] for runner in self.current(info))

    def current(self, info: dict[str, Any]) -> list[dict[str, Any]]:
        return [runner for runner in info["runners"] if runner["name"].split("/")[1] == info["build"]]

    def program_in_ray(self, statement: str) -> "subprocess.Popen[bytes]":
        """A program of one statement, connected to the Ray."""
        code = f"import ray; from ray import serve; ray.init({self.head.address!r}, log_to_driver=False); {statement}"
        environment = {"RAY_AUTH_MODE": "disabled"}
        return process.start([sys.executable, "-c", code], self.logs / "in-ray.log", **environment)

    def in_ray(self, statement: str) -> None:
        program = self.program_in_ray(statement)
        try:
            assert program.wait(60) == 0, (self.logs / "in-ray.log").read_text()
        finally:
            process.end(program)

    def healthy(self) -> bool:
        try:
            return self.http.get("/healthz").status_code == 200
        except httpx2.HTTPError:
            return False

    def get(self, path: str, **query: str) -> dict[str, Any]:
        response = self.http.get(path, params=query)
        assert response.status_code == 200, response.text
        return dict(response.json())

    def post(self, path: str, body: dict[str, Any]) -> httpx2.Response:
        return self.http.post(path, json=body)

    def submit(self, *turns: dict[str, Any], **changes: Any) -> dict[str, Any]:
        response = self.post("/v1/turns", submit(*turns, **changes))
        assert response.status_code == 200, response.text
        return dict(response.json())

    def wait(self, *handles: dict[str, str], seconds: float = 20, **more: Any) -> list[dict[str, Any]]:
        response = self.post("/v1/turns/await", {**waiting(*handles), "wait_seconds": seconds, **more})
        assert response.status_code == 200, response.text
        return list(response.json()["turns"])

    def ends(self, path: str, *handles: dict[str, str], **more: Any) -> list[dict[str, Any]]:
        response = self.post(path, {"owner": "owner-1", "reason": "deadline", "turns": list(handles), **more})
        assert response.status_code == 200, response.text
        return list(response.json()["turns"])

    def clear(self) -> None:
        """Forgets all that earlier tests left."""
        while left := self.get("/v1/turns", owner="owner-1")["turns"]:
            self.forget(*left[:1000])

    def stop(self, *handles: dict[str, str], **more: Any) -> list[dict[str, Any]]:
        return self.ends("/v1/turns/stop", *handles, **more)

    def forget(self, *handles: dict[str, str], **more: Any) -> list[dict[str, Any]]:
        return self.ends("/v1/turns/forget", *handles, **more)


def handles(answer: dict[str, Any]) -> list[dict[str, str]]:
    where = {"runner": answer["runner"], "incarnation": answer["incarnation"]}
    return [{"submission_id": each["submission_id"], **where} for each in answer["turns"]]


def waiting(*handles: dict[str, str]) -> dict[str, Any]:
    """The body of an await of turns of one runner."""
    (where,) = {(handle["runner"], handle["incarnation"]) for handle in handles}
    return {"runner": where[0], "incarnation": where[1], "turns": [handle["submission_id"] for handle in handles]}


def statuses(answer: dict[str, Any]) -> list[str]:
    return [each["status"] for each in answer["turns"]]


def states(turns: list[dict[str, Any]]) -> list[str]:
    return [turn["state"] for turn in turns]
