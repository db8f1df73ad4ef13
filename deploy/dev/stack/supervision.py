"""supervisord: its configuration, and the calls that are made to it."""

import configparser
import http.client
import io
import os
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
from stack.ports import HOST
from stack.processes import MARK
from stack.programs import Program
from stack.record import write_private

UP = ("STARTING", "RUNNING", "BACKOFF")
# Fault codes of supervisord.
ALREADY_STARTED, NOT_RUNNING = 60, 70


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
        text = io.StringIO()
        _configuration(self._layout, self._socket, programs).write(text)
        write_private(config, text.getvalue())
        if self.alive():
            added, changed, removed = self._calls.reloadConfig()[0]
            running = self.running()
            for name in {*changed, *removed} - running:
                self._calls.removeProcessGroup(name)
            for name in {*added, *changed} - running:
                self._calls.addProcessGroup(name)
        else:
            self._launch(config)

    def _launch(self, config: Path) -> None:
        # The daemon must not hold our standard output open: a caller that reads it to its end would hang.
        command = [VENV / "supervisord", "-c", config]
        environment = {**_environment(), MARK: str(self._layout.home)}
        done = subprocess.run(command, env=environment, cwd=ROOT, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 10
        while not self.alive():
            if done.returncode or time.monotonic() > deadline:
                raise Failed(f"supervisord didn't start:\n{tail(self._layout.log('supervisord'))}")
            time.sleep(0.1)

    def start(self, names: Iterable[str]) -> None:
        for name in names:
            self._call(self._calls.startProcess, name)

    def stop(self, names: Iterable[str]) -> None:
        """Stops programs at the same time, and waits for all of them."""
        names = self.states().keys() & set(names)
        for name in names:
            self._call(self._calls.stopProcess, name)
        while any(self.states().get(name, {}).get("pid") for name in names):
            time.sleep(0.1)

    def shutdown(self) -> None:
        self._calls.shutdown()
        while self.alive():
            time.sleep(0.1)

    @staticmethod
    def _call(method: Any, name: str) -> None:
        """Starts or stops a program without waiting for it. It may run already, or not any more."""
        try:
            method(name, False)
        except xmlrpc.client.Fault as fault:
            if fault.faultCode not in (ALREADY_STARTED, NOT_RUNNING):
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


def _environment() -> dict[str, str]:
    """Returns the caller's environment, without what would lead to another cluster or through a proxy."""
    kept = {name: value for name, value in os.environ.items() if name not in ("RAY_ADDRESS", "VIRTUAL_ENV")}
    for name in ("NO_PROXY", "no_proxy"):
        kept[name] = ",".join(filter(None, (kept.get(name), HOST, "localhost")))
    return {**kept, "PATH": os.pathsep.join([str(VENV), kept.get("PATH", os.defpath)]), "PYTHONUNBUFFERED": "1"}


def _configuration(layout: Layout, listens: Path, programs: Mapping[str, Program]) -> configparser.RawConfigParser:
    config = configparser.RawConfigParser()
    config["supervisord"] = {
        **_log("logfile", layout.log("supervisord")),
        "pidfile": str(layout.short / "supervisord.pid"),
    }
    config["unix_http_server"] = {"file": str(listens), "chmod": "0700"}
    interface = "supervisor.rpcinterface:make_main_rpcinterface"
    config["rpcinterface:supervisor"] = {"supervisor.rpcinterface_factory": interface}
    for name, program in programs.items():
        environment = (f'{variable}="{value}"' for variable, value in program.environment.items())
        settings = {
            "command": shlex.join(map(str, program.command)),
            "directory": ROOT,
            "environment": ",".join(environment),
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
