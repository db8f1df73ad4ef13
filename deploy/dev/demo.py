"""The demo: a reviewed deliberation, one during which worker and runner are killed, with a receipt, and a report."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import httpx2

from stack.console import say
from stack.layout import ROOT, Layout
from stack.record import STAND_IN_MODEL, Record
from stack.supervision import Supervisor

STARTER = str(ROOT / "bin" / "starter")
AGENTS = 3
# The stand-in's councils of this model agree only after a revision, so that there is one to show: see model/canned.py.
THOROUGH = "canned/thorough"
PATIENCE_SECONDS = 60


class Demo:
    """The two acts, on a running stack."""

    def __init__(self, home: str) -> None:
        self.home = home
        self.layout = Layout(home)
        self.known = json.loads((self.layout.home / "stack.json").read_text())
        self.environment = {**os.environ, **Record.load(self.layout).variables()}
        self.canned = self.known["vllm_model"] == STAND_IN_MODEL
        self.http = httpx2.Client(trust_env=False, timeout=10)
        self.reviewed = f"demo-{time.strftime('%H%M%S')}"  # the task of the first act

    def first_act(self) -> None:
        say("\n── 1. A deliberation: three agents, on Ray, who review, revise and rank ──\n")
        if self.canned:
            say(
                "(the model is a stand-in: every answer is CANNED; VLLM_URL=… VLLM_MODEL=… make demo uses a real one)\n"
            )
        task = f"Add rate limiting to the login API, {_stamp()}"
        command = [STARTER, "run", task, "--role", "DEV", "--agents", str(AGENTS), "--review", "peer"]
        if self.canned:
            command += ["--model", THOROUGH]
        self._run([*command, "--task-id", self.reviewed])  # the command itself says how many calls that takes

    def second_act(self) -> None:
        say("\n── 2. The same, while the worker and a runner are killed with SIGKILL in mid-turn ──\n")
        say("(a dead worker is noticed 30 s after its last heartbeat; then its turns are polled again)\n")
        model = self.known["vllm_model"]
        if self.canned:
            model = f"canned/slow-{_stamp()}"
            slow = {"steps": [{"delay_seconds": 8, "chunk_delay_seconds": 0.05}]}
            script = f"{self.known['model_url']}/control/script"
            self.http.put(script, params={"model": model}, json=slow).raise_for_status()
        task = f"Find why the nightly import loses rows, {_stamp()}"
        command = [STARTER, "run", task, "--role", "QA", "--agents", str(AGENTS), "--model", model, "--review", "none"]
        command.append("--no-view")  # the view would hide the line about the kills
        started = time.monotonic()
        with subprocess.Popen(command, env=self.environment, cwd=ROOT) as running:
            self._wait_for_turns(model, running)
            worker = self._kill_worker()
            runner = self._kill_runner()
            killed = time.monotonic()
            say(f"  ✗ SIGKILL: worker (pid {worker}) and {runner[0]} (pid {runner[1]})\n")
            if running.wait() != 0:
                raise SystemExit("the deliberation of the second act failed; `make logs` shows why")
        self._receipt(model, worker, runner, killed, started)

    def _receipt(self, model: str, worker: int, runner: tuple[str, int], killed: float, started: float) -> None:
        say("\n── receipt ──")
        say(f"  killed          worker (pid {worker}), {runner[0]} (pid {runner[1]}), both with SIGKILL")
        now = time.monotonic()
        say(f"  recovered in    {now - killed:.1f} s after the kill, {now - started:.1f} s in all")
        if self.canned:
            self._count_calls(model)
        else:
            say("  model calls     only the stand-in counts them: unset VLLM_URL to see that none is paid for twice")

    def _count_calls(self, model: str) -> None:
        calls = self._calls(model)
        ids = [call["request_id"] for call in calls]
        answered = [call for call in calls if call["outcome"] == "completed"]
        lost = [call for call in calls if call["outcome"] != "completed"]
        again = len(ids) - len(set(ids))
        say(f"  model calls     {AGENTS} needed, {len(calls)} made: {len(lost)} died with their runner unanswered")
        say(f"  paid twice      {len(answered) - AGENTS} answers; {again} turns called twice (by X-Request-Id)")
        if len(answered) != AGENTS or again:
            raise SystemExit("an answer was paid for twice")

    def farewell(self) -> None:
        say("\n── look further ──")
        say(f"  Web UI          {self.known['temporal_ui']}/namespaces/default/workflows")
        say("  the list        bin/temporal workflow list --query \"WorkflowType='Deliberation'\"")
        say("  how one stands  bin/starter status ID        bin/temporal workflow query --workflow-id ID --type status")
        say("  statistics      bin/starter stats            bin/starter jobs")
        say("                  (ID is deliberation-<task_id>, as above)")
        say(f'  your own task   set -a; . {self.home}/env; set +a; bin/starter run "…" --role DEV --agents 3')
        say("  the end         make down")
        say("\n── the first deliberation on one page: who won, why, who disagreed, what changed ──\n")
        report = ROOT / self.home / f"report-{self.reviewed}.html"
        self._run([STARTER, "report", self.reviewed, "--output", str(report)])

    def _kill_worker(self) -> int:
        pid = Supervisor(self.layout).states()["worker"]["pid"]
        os.kill(pid, signal.SIGKILL)
        return pid

    def _kill_runner(self) -> tuple[str, int]:
        """Kills the runner that has the turns: those of one deliberation are all on one runner."""
        busy = max(self._runners(), key=lambda runner: runner["in_flight"])
        os.kill(busy["pid"], signal.SIGKILL)
        return busy["name"], busy["pid"]

    def _runners(self) -> list[dict]:
        headers = {"Authorization": f"Bearer {self.known['ray_token']}"}
        answer = self.http.get(f"{self.known['ray_app_url']}/v1/info", headers=headers)
        return answer.raise_for_status().json()["runners"]

    def _wait_for_turns(self, model: str, running: subprocess.Popen) -> None:
        """Waits until the turns are in flight. The stand-in knows that; for another model, the runner does."""
        until = time.monotonic() + PATIENCE_SECONDS
        while self._in_mid_turn(model) < AGENTS:
            if running.poll() is not None:
                raise SystemExit(
                    "the deliberation ended before anything could be killed: the model is too fast for this act"
                )
            if time.monotonic() > until:
                raise SystemExit(
                    f"there were no {AGENTS} turns in flight within {PATIENCE_SECONDS} s; `make status` shows what runs"
                )
            time.sleep(0.1)

    def _in_mid_turn(self, model: str) -> int:
        if self.canned:
            return sum(call["outcome"] == "open" for call in self._calls(model))
        return max(runner["in_flight"] for runner in self._runners())

    def _calls(self, model: str) -> list[dict[str, str]]:
        answer = self.http.get(f"{self.known['model_url']}/control/calls", params={"model": model})
        return answer.raise_for_status().json()["calls"]

    def _run(self, command: list[str]) -> None:
        if subprocess.run(command, env=self.environment, cwd=ROOT, check=False).returncode != 0:
            raise SystemExit("the deliberation failed; `make logs` shows why")


def _stamp() -> str:
    return time.strftime("%H:%M:%S")


def main() -> int:
    try:
        demo = Demo(os.environ.get("STACK_HOME", ".dev/stack"))
        demo.first_act()
        demo.second_act()
        demo.farewell()
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
