"""supervisord: its configuration, and the calls that are made to it."""

import configparser
import http.client
import os
import shlex
import socket
import subprocess
import time
import xmlrpc.client
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from stack.console import tail
from stack.layout import ROOT, VENV, Layout
from stack.processes import MARK
from stack.programs import Program

UP = ("STARTING", "RUNNING", "BACKOFF")


class Supervisor:
    """The supervisor of one stack."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._socket = layout.short / "supervisor.sock"
        self._calls: Any = xmlrpc.client.ServerProxy("http://local", transport=_Transport(self._socket)).supervisor

    def states(self) -> dict[str, dict[str, Any]]:
        """Returns what supervisord knows, by program; nothing if it doesn't answer, or shuts down."""
        try:
            return {info["name"]: info for info in self._calls.getAllProcessInfo()}
        except (OSError, http.client.HTTPException, xmlrpc.client.Error):
            return {}

    def alive(self) -> bool:
        return bool(self.states())

    def running(self) -> set[str]:
        return {name for name, info in self.states().items() if info["statename"] in UP}

    def load(self, programs: Mapping[str, Program]) -> None:
        """Starts supervisord if it doesn't run. Programs that run keep running as they are, and no other starts."""
        config = self._layout.home / "supervisord.conf"
        with config.open("w") as file:
            _configuration(self._layout, self._socket, programs).write(file)
        if self.alive():
            _, changed, _ = self._calls.reloadConfig()[0]
            for name in set(changed) - self.running():
                self._calls.removeProcessGroup(name)
                self._calls.addProcessGroup(name)
            return
        # The daemon must not hold our standard output open: a caller that reads it to its end would hang.
        command = [VENV / "supervisord", "-c", config]
        path = os.pathsep.join([str(VENV), os.environ.get("PATH", os.defpath)])
        environment = {**os.environ, "PATH": path, "PYTHONUNBUFFERED": "1", MARK: str(self._layout.home)}
        done = subprocess.run(command, env=environment, cwd=ROOT, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 10
        while not self.alive():
            if done.returncode or time.monotonic() > deadline:
                raise SystemExit(f"supervisord didn't start:\n{tail(self._layout.log('supervisord'))}")
            time.sleep(0.1)

    def start(self, names: Iterable[str]) -> None:
        """Starts programs without waiting for them. One that can't start, or runs already, shows that in its state."""
        for name in names:
            with suppress(xmlrpc.client.Fault):
                self._calls.startProcess(name, False)

    def stop(self, names: Iterable[str]) -> None:
        """Stops what runs of these programs, one after the other."""
        for name in names:
            with suppress(xmlrpc.client.Fault):
                self._calls.stopProcess(name)

    def shutdown(self) -> None:
        # The programs that use the others stop first, while those still answer.
        self.stop(("worker", "rayapp", "rayapp2"))
        self._calls.stopAllProcesses()
        self._calls.shutdown()


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


def _configuration(layout: Layout, listens: Path, programs: Mapping[str, Program]) -> configparser.RawConfigParser:
    config = configparser.RawConfigParser()
    config["supervisord"] = {
        **_log("logfile", layout.log("supervisord")),
        "pidfile": str(layout.short / "supervisord.pid"),
    }
    config["unix_http_server"] = {"file": str(listens)}
    # For people and tests: `supervisorctl -c supervisord.conf`.
    config["supervisorctl"] = {"serverurl": f"unix://{listens}"}
    interface = "supervisor.rpcinterface:make_main_rpcinterface"
    config["rpcinterface:supervisor"] = {"supervisor.rpcinterface_factory": interface}
    for name, program in programs.items():
        settings = {
            "command": shlex.join(map(str, program.command)),
            "environment": ",".join(f'{variable}="{value}"' for variable, value in program.environment.items()),
            "autostart": "false",
            "autorestart": "true",
            "startretries": program.start_retries,
            "stopwaitsecs": program.stop_seconds,
            "stopasgroup": str(program.stop_group).lower(),
            "killasgroup": "true",
            "redirect_stderr": "true",
            **_log("stdout_logfile", layout.log(name)),
        }
        # supervisord expands %(…)s in every value.
        config[f"program:{name}"] = {setting: str(value).replace("%", "%%") for setting, value in settings.items()}
    return config


def _log(setting: str, path: Path) -> dict[str, str]:
    return {setting: str(path), f"{setting}_maxbytes": "10MB", f"{setting}_backups": "1"}
