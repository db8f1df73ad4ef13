"""supervisord: its configuration, and the calls that are made to it."""

from __future__ import annotations

import http.client
import shlex
import socket
import subprocess
import time
import xmlrpc.client
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from stack.console import Failed, tail
from stack.layout import ROOT, VENV, Layout
from stack.processes import MARK
from stack.programs import Program, supervisor_environment

LOG_BYTES = "10MB"
UNREACHABLE = (OSError, http.client.HTTPException, xmlrpc.client.ProtocolError)
UP = ("STARTING", "RUNNING", "BACKOFF")
# Fault codes of supervisord.
ALREADY_STARTED, NOT_RUNNING = 60, 70


class Supervisor:
    """The supervisor of one stack."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._calls: Any = xmlrpc.client.ServerProxy("http://local", transport=_Transport(layout.socket)).supervisor

    def alive(self) -> bool:
        try:
            return self._calls.getState()["statename"] == "RUNNING"
        except UNREACHABLE:
            return False

    def launch(self) -> None:
        """Starts supervisord in a session of its own, with no program running yet."""
        command = [str(VENV / "bin" / "supervisord"), "-c", str(self._layout.supervisor_config)]
        environment = {**supervisor_environment(), MARK: str(self._layout.home)}
        # The daemon must not hold our standard output open: a caller that reads it to its end would hang.
        done = subprocess.run(command, env=environment, cwd=ROOT, stdout=subprocess.DEVNULL, check=False)
        deadline = time.monotonic() + 10
        while done.returncode == 0 and time.monotonic() < deadline:
            if self.alive():
                return
            time.sleep(0.1)
        raise Failed(f"supervisord didn't start:\n{tail(self._layout.supervisor_log)}")

    def states(self) -> dict[str, dict[str, Any]]:
        """Returns what supervisord knows, by program; nothing if supervisord doesn't answer."""
        try:
            return {info["name"]: info for info in self._calls.getAllProcessInfo()}
        except UNREACHABLE:
            return {}

    def running(self) -> set[str]:
        return {name for name, info in self.states().items() if info["statename"] in UP}

    def adopt(self) -> None:
        """Reads the rewritten configuration; programs that run keep running as they are."""
        added, changed, removed = self._calls.reloadConfig()[0]
        running = self.running()
        for name in [name for name in (*changed, *removed) if name not in running]:
            self._calls.removeProcessGroup(name)
        for name in [*added, *(name for name in changed if name not in running)]:
            self._calls.addProcessGroup(name)

    def start(self, names: Iterable[str]) -> None:
        for name in names:
            self._tolerating(ALREADY_STARTED, self._calls.startProcess, name, False)

    def stop(self, names: Iterable[str]) -> None:
        """Stops programs at the same time, and waits for all of them."""
        known = self.states()
        names = [name for name in names if name in known]
        for name in names:
            self._tolerating(NOT_RUNNING, self._calls.stopProcess, name, False)
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


class _Transport(xmlrpc.client.Transport):
    """XML-RPC over a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def make_connection(self, host: str) -> http.client.HTTPConnection:
        # One connection per call: supervisord closes them, and a kept one fails at the next call.
        connection = http.client.HTTPConnection(host)
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.connect(str(self._path))
        return connection


def write_configuration(layout: Layout, programs: Mapping[str, Program]) -> None:
    sections = [
        _section(
            "supervisord",
            logfile=layout.supervisor_log,
            logfile_maxbytes=LOG_BYTES,
            logfile_backups=1,
            pidfile=layout.short / "supervisord.pid",
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
