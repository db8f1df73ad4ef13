"""Starting and stopping: the whole stack, and single programs."""

import os
import time
from collections.abc import Collection
from contextlib import AbstractContextManager

from stack import ports, preflight, prepare, processes, programs
from stack.console import HEARTBEAT_SECONDS, Failed, locked, say, tail, took
from stack.layout import Layout
from stack.programs import Program
from stack.record import Record
from stack.supervision import UP, Supervisor

# Ten times what an idle machine needs: a slow start isn't a failure, and a failed one is seen at once.
READY_SECONDS = 300
POLL_SECONDS = 0.3


class Stack:
    """One stack and what can be done with it."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.supervisor = Supervisor(layout)
        self._log_starts: dict[str, int] = {}  # the size of each log when its program was started

    def up(self, wanted: list[str], free_ports: bool, tiny: bool) -> None:
        """Prepares and starts what is missing, and returns when every wanted program is ready."""
        with self._locked():
            fresh = not self.supervisor.alive()
            if fresh and (left := processes.belonging(self.layout)):
                # Nothing restarts programs whose supervisor was killed, and they hold the ports.
                say(f"  ending {len(left)} processes that an earlier stack left behind")
                processes.sweep(self.layout)
            running = self.supervisor.running()
            missing = [name for name in wanted if name not in running]
            problems = [*preflight.tools(), *preflight.model()]
            record = self._record(wanted, free_ports, running)
            if "model" in running and record.tiny != tiny:
                raise Failed("the stack runs with another model; stop it first: make down")
            record.tiny = tiny
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
            self._save_pids(record)

    def down(self) -> bool:
        """Ends everything, and reports whether anything ran."""
        if not self.layout.home.exists():
            return False
        with self._locked():
            ended = self._end()
            record = Record.load(self.layout)
            if record.pids:
                record.pids = {}  # the system may give them to other processes
                record.save()
            return ended

    def start(self, name: str) -> None:
        record = self._running_record(name)
        self._start(record, [name], [name])
        self._save_pids(record)

    def stop(self, name: str) -> None:
        record = self._running_record(name)
        self.supervisor.stop([name])
        self._save_pids(record)

    def _start(self, record: Record, names: list[str], missing: Collection[str]) -> None:
        """Starts those of the programs that are missing, and returns when all of them are ready."""
        everything, starting = programs.all_programs(record), [name for name in names if name in missing]
        for log in map(self.layout.log, starting):
            self._log_starts[log.stem] = log.stat().st_size if log.exists() else 0
        self.supervisor.start(starting)
        begun = said = time.monotonic()
        waiting = {name: everything[name] for name in names}
        while waiting:
            states = self.supervisor.states()
            up = [name for name in waiting if states.get(name, {}).get("statename") in UP]
            for name in [name for name in up if waiting[name].is_ready()]:
                what = f"ready in {took(begun)}" if name in starting else "is running"
                say(f"  {name:<9} {what:<17} {waiting.pop(name).where}")
            self._fail_on({name: waiting[name] for name in waiting if name not in up}, "doesn't stay up")
            if time.monotonic() - begun > READY_SECONDS:
                self._fail_on(waiting, f"isn't ready after {READY_SECONDS} s")
            if waiting and time.monotonic() - said >= HEARTBEAT_SECONDS:
                said = time.monotonic()
                say(f"    … waiting for {', '.join(waiting)}: {took(begun)} so far")
            time.sleep(POLL_SECONDS if waiting else 0)

    def _fail_on(self, failed: dict[str, Program], what: str) -> None:
        if not failed:
            return
        parts = []
        for name, program in failed.items():
            log = self.layout.log(name)
            end = tail(log, since=self._log_starts.get(name, 0))
            parts.append(f"{name} {what}; the end of {log}:\n{end}\n  what to do: {program.hint}")
        raise Failed("\n".join([*parts, "the rest keeps running; the same command tries again, `down` ends it all"]))

    def _record(self, wanted: list[str], free_ports: bool, running: set[str]) -> Record:
        record = Record.load(self.layout)
        self.layout.create()
        record.free_ports = record.free_ports or free_ports
        record.wanted = [name for name in programs.NAMES if name in wanted or name in running]
        record.ports = ports.choose(record.ports, running, record.free_ports, wanted)
        record.vllm_url, record.vllm_model = os.environ.get("VLLM_URL", ""), os.environ.get("VLLM_MODEL", "")
        return record

    def _running_record(self, name: str) -> Record:
        if not self.supervisor.alive():
            raise Failed(f"no stack is running in {self.layout.home}")
        record = Record.load(self.layout)
        if name not in programs.all_programs(record):
            raise Failed(f"{name} isn't part of this stack: start it with `up --with {name}`")
        return record

    def _save_pids(self, record: Record) -> None:
        record.pids = {name: info["pid"] for name, info in self.supervisor.states().items() if info["pid"]}
        record.save()

    def _end(self) -> bool:
        supervised = self.supervisor.alive()
        if supervised:
            # The programs that use the others stop first, while those still answer.
            self.supervisor.stop(["worker", "rayapp", "rayapp2"])
            self.supervisor.stop(programs.NAMES)
            self.supervisor.shutdown()
        found = bool(processes.belonging(self.layout)) or supervised
        for left in processes.sweep(self.layout):
            say(f"  ended {left}, which was left over")
        return found

    def _locked(self) -> AbstractContextManager[None]:
        return locked(self.layout.home / "lock", "  waiting until another command of this stack is done")
