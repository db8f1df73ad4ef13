"""supervisord: the configuration it gets, and the few calls that are made to it."""

from __future__ import annotations

import http.client
import shlex
import subprocess
import time
import xmlrpc.client
from collections.abc import Iterable, Mapping
from typing import Any

from supervisor.xmlrpc import Faults, SupervisorTransport

from stack.console import Failed, tail
from stack.layout import ROOT, VENV, Layout
from stack.processes import MARK
from stack.programs import Program, supervisor_environment

LOG_BYTES = "10MB"
UNREACHABLE = (OSError, http.client.HTTPException, xmlrpc.client.ProtocolError)
UP = ("STARTING", "RUNNING", "BACKOFF")


class Supervisor:
    """The supervisor of one stack."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    @property
    def _calls(self) -> Any:
        # Anew for every call: supervisor's transport keeps its connection, and a failed one spoils it for good.
        transport = SupervisorTransport(None, None, f"unix://{self._layout.socket}")
        return xmlrpc.client.ServerProxy("http://supervisor", transport=transport).supervisor

    def alive(self) -> bool:
        try:
            return self._calls.getState()["statename"] == "RUNNING"
        except UNREACHABLE:
            return False

    def launch(self) -> None:
        """Starts supervisord, in a session of its own and with nothing running yet."""
        command = [str(VENV / "bin" / "supervisord"), "-c", str(self._layout.supervisor_config)]
        environment = {**supervisor_environment(), MARK: str(self._layout.home)}
        # Not its standard output: the daemon would hold it open, and a caller that reads us to the end would hang.
        done = subprocess.run(command, env=environment, cwd=ROOT, stdout=subprocess.DEVNULL, check=False)
        deadline = time.monotonic() + 10
        while done.returncode == 0 and time.monotonic() < deadline:
            if self.alive():
                return
            time.sleep(0.1)
        raise Failed(f"supervisord didn't start:\n{tail(self._layout.supervisor_log)}")

    def states(self) -> dict[str, dict[str, Any]]:
        """What supervisord knows, by program; empty when it isn't there."""
        try:
            return {info["name"]: info for info in self._calls.getAllProcessInfo()}
        except UNREACHABLE:
            return {}

    def running(self) -> set[str]:
        return {name for name, info in self.states().items() if info["statename"] in UP}

    def adopt(self) -> None:
        """Takes over a rewritten configuration, without touching what runs."""
        added, changed, removed = self._calls.reloadConfig()[0]
        running = self.running()
        for name in [name for name in (*changed, *removed) if name not in running]:
            self._calls.removeProcessGroup(name)
        for name in [*added, *(name for name in changed if name not in running)]:
            self._calls.addProcessGroup(name)

    def start(self, names: Iterable[str]) -> None:
        for name in names:
            self._tolerating(Faults.ALREADY_STARTED, self._calls.startProcess, name, False)

    def stop(self, names: Iterable[str]) -> None:
        """Stops programs together and waits for all of them."""
        known = self.states()
        names = [name for name in names if name in known]
        for name in names:
            self._tolerating(Faults.NOT_RUNNING, self._calls.stopProcess, name, False)
        while any(self.states().get(name, {}).get("pid") for name in names):
            time.sleep(0.1)

    def shutdown(self) -> None:
        self._calls.shutdown()
        while self.states():
            time.sleep(0.1)

    @staticmethod
    def _tolerating(code: int, call: Any, *arguments: object) -> None:
        try:
            call(*arguments)
        except xmlrpc.client.Fault as fault:
            if fault.faultCode != code:
                raise


def write_configuration(layout: Layout, programs: Mapping[str, Program]) -> None:
    short = layout.short
    sections = [
        _section(
            "supervisord",
            logfile=layout.supervisor_log,
            logfile_maxbytes=LOG_BYTES,
            logfile_backups=1,
            pidfile=short / "supervisord.pid",
            childlogdir=layout.logs,
        ),
        _section("unix_http_server", file=layout.socket, chmod="0700"),
        "[rpcinterface:supervisor]\nsupervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface\n",
        *(_program(layout, program) for program in programs.values()),
    ]
    layout.supervisor_config.write_text("\n".join(sections))
    layout.supervisor_config.chmod(0o600)


def _program(layout: Layout, program: Program) -> str:
    return _section(
        f"program:{program.name}",
        command=shlex.join(program.command),
        directory=ROOT,
        environment=",".join(f'{name}="{value}"' for name, value in program.environment.items()),
        autostart="false",
        autorestart="true",
        startsecs=1,
        startretries=program.start_retries,
        stopsignal="TERM",
        stopwaitsecs=program.stop_seconds,
        stopasgroup=str(program.stop_group).lower(),
        killasgroup="true",
        redirect_stderr="true",
        stdout_logfile=layout.log(program.name),
        stdout_logfile_maxbytes=LOG_BYTES,
        stdout_logfile_backups=1,
    )


def _section(title: str, **settings: object) -> str:
    # supervisord expands %(…)s in every value.
    lines = [f"{name} = {str(value).replace('%', '%%')}" for name, value in settings.items() if value != ""]
    return "\n".join([f"[{title}]", *lines, ""])
