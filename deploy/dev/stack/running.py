"""Starting and stopping: the whole stack, and single programs."""

import os
import secrets
import time
from collections.abc import Collection, Iterable

from stack import ports, preflight, prepare, processes, programs
from stack.console import HEARTBEAT_SECONDS, locked, say, tail, took
from stack.layout import Layout
from stack.record import STAND_IN_MODEL, TINY_MODEL, Record
from stack.supervision import Supervisor

# Ten times what an idle machine needs: a slow start isn't a failure, and a failed one is seen at once.
READY_SECONDS = 300


class Stack:
    """One stack and what can be done with it."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.supervisor = Supervisor(layout)
        self._log_starts: dict[str, int] = {}  # the size of each log when its program was started

    def up(self, wanted: list[str], free_ports: bool, tiny: bool) -> Record:
        """Prepares and starts what is missing, and returns when every wanted program is ready."""
        with locked(self.layout.home):
            fresh = not self.supervisor.alive()
            if fresh:
                # Nothing restarts programs whose supervisor was killed, and they hold the ports.
                processes.sweep(self.layout)
            running = self.supervisor.running()
            missing = [name for name in wanted if name not in running]
            problems = [*preflight.tools(), *preflight.model()]
            record = self._record(wanted, running, free_ports, tiny)
            preflight.check([*problems, *ports.problems(record.ports, record.wanted, missing)])
            extra = {"tiny": tiny, "binaries": "worker" in wanted}
            prepare.prepare(["venv", "nats", "temporal", *(name for name, needed in extra.items() if needed)])
            record.save()
            try:
                self.supervisor.load(programs.all_programs(record))
                # The worker comes last: when its first look finds no Ray, its circuit breaker opens, and the first
                # deliberation would wait until that closes again.
                self._start(record, [name for name in wanted if name != "worker"], missing)
                self._start(record, [name for name in wanted if name == "worker"], missing)
            except KeyboardInterrupt:
                say("\ninterrupted: stopping what this call has started")
                self._end() if fresh else self.supervisor.stop(missing)
                raise
            return record

    def down(self) -> bool:
        """Ends everything, and reports whether anything ran."""
        if not self.layout.home.exists():
            return False
        with locked(self.layout.home):
            return self._end()

    def start(self, names: list[str]) -> None:
        if not self.supervisor.alive():
            raise SystemExit(f"no stack is running in {self.layout.home}")
        self._start(Record.load(self.layout), names, names)

    def _start(self, record: Record, names: list[str], missing: Collection[str]) -> None:
        """Starts those of the programs that are missing, and returns when all of them are ready."""
        everything, starting = programs.all_programs(record), [name for name in names if name in missing]
        for log in map(self.layout.log, starting):
            self._log_starts[log.stem] = log.stat().st_size if log.exists() else 0
        self.supervisor.start(starting)
        begun = said = time.monotonic()
        waiting = {name: everything[name] for name in names}
        while waiting:
            up = self.supervisor.running()
            for name in [name for name in waiting if name in up and waiting[name].is_ready()]:
                what = f"ready in {took(begun)}" if name in starting else "is running"
                say(f"  {name:<9} {what:<17} {waiting.pop(name).where}")
            if failed := [name for name in waiting if name not in up]:
                self._fail(failed, "doesn't stay up", everything)
            if waiting and time.monotonic() - begun > READY_SECONDS:
                self._fail(waiting, f"isn't ready after {READY_SECONDS} s", everything)
            if waiting and time.monotonic() - said >= HEARTBEAT_SECONDS:
                said = time.monotonic()
                say(f"    … waiting for {', '.join(waiting)}: {took(begun)} so far")
            time.sleep(0.3 if waiting else 0)

    def _fail(self, failed: Iterable[str], what: str, everything: dict[str, programs.Program]) -> None:
        parts = []
        for name in failed:
            log = self.layout.log(name)
            end = tail(log, since=self._log_starts.get(name, 0))
            parts.append(f"{name} {what}; the end of {log}:\n{end}\n  what to do: {everything[name].hint}")
        raise SystemExit(
            "\n".join([*parts, "the rest keeps running; the same command tries again, `down` ends it all"])
        )

    def _record(self, wanted: list[str], running: set[str], free_ports: bool, tiny: bool) -> Record:
        record = Record.load(self.layout)
        self.layout.create()
        record.free_ports = record.free_ports or free_ports
        record.wanted = [name for name in programs.PROGRAMS if name in wanted or name in running]
        record.ports = ports.choose(record.ports, running, record.free_ports)
        model = os.environ.get("VLLM_MODEL") or (TINY_MODEL if tiny else STAND_IN_MODEL)
        if "model" in running and tiny != (record.vllm_model == TINY_MODEL):
            raise SystemExit("the stack runs with another model; stop it first: make down")
        record.vllm_url, record.vllm_model = os.environ.get("VLLM_URL", ""), model
        record.ray_token = os.environ.get("DELIBERATION_RAY_TOKEN") or record.ray_token or secrets.token_urlsafe(24)
        return record

    def _end(self) -> bool:
        supervised = self.supervisor.alive()
        if supervised:
            self.supervisor.shutdown()
        return bool(processes.sweep(self.layout)) or supervised
