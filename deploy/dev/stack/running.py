"""Starting and stopping: the whole stack, and single programs."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from stack import ports, preflight, processes, programs
from stack.console import HEARTBEAT_SECONDS, Failed, say, tail, took
from stack.layout import Layout
from stack.programs import Program
from stack.record import Record
from stack.supervision import UP, Supervisor, write_configuration

# Ten times what an idle machine needs: a slow start isn't a failure, and a failed one is seen at once.
READY_SECONDS = 300
POLL_SECONDS = 0.3


class Stack:
    """One stack and what can be done with it."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.supervisor = Supervisor(layout)
        self._log_starts: dict[str, int] = {}  # the size of each log when its program was started

    def up(self, wanted: list[str], free_ports: bool, tiny: bool = False) -> None:
        """Starts what is missing, and returns when every wanted program is ready."""
        with self._locked():
            fresh = not self.supervisor.alive()
            if fresh:
                self._end_leftovers()
            running = self.supervisor.running()
            missing = [name for name in wanted if name not in running]
            record = self._record(wanted, free_ports, running)
            if "model" in running and record.tiny != tiny:
                raise Failed("the stack runs with another model; stop it first: make down")
            record.tiny = tiny
            if problems := [*preflight.equal(record.ports, record.wanted), *preflight.taken(record.ports, missing)]:
                raise Failed("\n".join(problems))
            record.save()
            try:
                self._start(programs.all_programs(record), wanted, missing, fresh)
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
            found = self._end()
            record = Record.load(self.layout)
            if record.ports:
                record.pids = {}
                record.save()
        return found

    def start(self, name: str) -> None:
        record = self._running_record(name)
        self._start_and_wait(programs.all_programs(record), [name], [name])
        self._save_pids(record)

    def stop(self, name: str) -> None:
        record = self._running_record(name)
        self.supervisor.stop([name])
        self._save_pids(record)

    def kill(self, name: str) -> list[int]:
        """Sends SIGKILL; the supervisor starts the program again, as after any crash."""
        self._running_record(name)
        pid = self.supervisor.states()[name]["pid"]
        if not pid:
            raise Failed(f"{name} isn't running")
        return processes.kill_tree(pid)

    def _start(self, everything: dict[str, Program], wanted: list[str], missing: list[str], fresh: bool) -> None:
        write_configuration(self.layout, everything)
        self.supervisor.launch() if fresh else self.supervisor.adopt()
        # The worker comes last: when its first look finds no Ray, its circuit breaker opens, and the first
        # deliberation would wait until that closes again.
        first = [name for name in wanted if name != "worker"]
        self._start_and_wait(everything, first, missing)
        self._start_and_wait(everything, [name for name in wanted if name == "worker"], missing)

    def _start_and_wait(self, everything: dict[str, Program], names: list[str], missing: list[str]) -> None:
        for name in (starting := [name for name in names if name in missing]):
            log = self.layout.log(name)
            self._log_starts[name] = log.stat().st_size if log.exists() else 0
        self.supervisor.start(starting)
        self._await({name: everything[name] for name in names}, starting)

    def _await(self, wanted: dict[str, Program], started: Iterable[str]) -> None:
        begun = said = time.monotonic()
        waiting = dict(wanted)
        while waiting:
            states = self.supervisor.states()
            for name, program in list(waiting.items()):
                if states.get(name, {}).get("statename") in UP and program.ready():
                    what = f"ready in {took(begun)}" if name in started else "is running"
                    say(f"  {name:<9} {what:<17} {program.where}")
                    del waiting[name]
            self._fail_on(waiting, states, late=time.monotonic() - begun > READY_SECONDS)
            if waiting and time.monotonic() - said >= HEARTBEAT_SECONDS:
                said = time.monotonic()
                say(f"    … waiting for {', '.join(waiting)}: {took(begun)} so far")
            time.sleep(POLL_SECONDS if waiting else 0)

    def _fail_on(self, waiting: dict[str, Program], states: dict, late: bool) -> None:
        gone = [name for name in waiting if states.get(name, {}).get("statename") not in UP]
        if not gone and not late:
            return
        parts = []
        for name in gone or waiting:
            what = "doesn't stay up" if name in gone else f"isn't ready after {READY_SECONDS} s"
            log = self.layout.log(name)
            end = tail(log, since=self._log_starts.get(name, 0))
            parts.append(f"{name} {what}; the end of {log}:\n{end}\n  what to do: {waiting[name].hint}")
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

    def _end_leftovers(self) -> None:
        """Ends programs whose supervisor was killed: nothing restarts them, and they hold the ports."""
        if left := processes.belonging(self.layout):
            say(f"  ending {len(left)} processes that an earlier stack left behind")
            processes.sweep(self.layout)

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

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Allows one `up` or `down` at a time per stack."""
        self.layout.home.mkdir(parents=True, exist_ok=True)
        with (self.layout.home / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
