"""A Ray head of the tests' own: free ports, a short temporary folder, ended by its process group."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import process

_PORTS = (
    "port",
    "ray-client-server-port",
    "node-manager-port",
    "object-manager-port",
    "runtime-env-agent-port",
    "metrics-export-port",
    "dashboard-agent-listen-port",
    "dashboard-agent-grpc-port",
)
_WORKERS = 40


class Head:
    def __init__(self) -> None:
        # Ray puts sockets below it, and their paths are limited to about 100 characters.
        self.folder = Path(tempfile.mkdtemp(prefix="dr", dir="/tmp"))
        ports = process.free_ports(len(_PORTS) + _WORKERS)
        named = dict(zip(_PORTS, ports, strict=False))
        self.address = f"127.0.0.1:{named['port']}"
        arguments = [
            *(str(Path(sys.executable).parent / "ray"), "start", "--head", "--block"),
            *("--node-ip-address=127.0.0.1", "--include-dashboard=false", "--num-cpus=4"),
            *("--disable-usage-stats", f"--temp-dir={self.folder}", "--object-store-memory=100000000"),
            *(f"--{name}={port}" for name, port in named.items()),
            "--worker-port-list=" + ",".join(map(str, ports[len(_PORTS) :])),
        ]
        environment = {"RAY_AUTH_MODE": "disabled", "RAY_USAGE_STATS_ENABLED": "0"}
        self._process: subprocess.Popen[bytes] = process.start(arguments, self.folder / "head.log", **environment)
        process.until(self._started, "the Ray head has started")

    def _started(self) -> bool:
        log = (self.folder / "head.log").read_text()
        assert self._process.poll() is None, log
        return "Ray runtime started" in log

    def end(self) -> None:
        process.end(self._process, seconds=4)
        if not os.environ.get("KEEP_RAY_LOGS"):
            shutil.rmtree(self.folder, ignore_errors=True)
