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
    "dashboard-port",
    "dashboard-agent-listen-port",
    "dashboard-agent-grpc-port",
)
_WORKERS = 40


class Head:
    """`address` is where it listens, `metrics` where Prometheus reads."""

    def __init__(self) -> None:
        # Ray puts sockets below it, and their paths are limited to about 100 characters.
        self.folder = Path(tempfile.mkdtemp(prefix="dr", dir="/tmp"))
        self._log = self.folder / "head.log"
        for _ in range(4):
            self._start()
            process.until(self._decided, "the Ray head has started or given up", seconds=300)
            if self._process.poll() is None:
                return
        # Ray gives its own parts a fixed time to come up, which a busy machine may not manage.
        raise AssertionError(self._log.read_text())

    def _start(self) -> None:
        ports = process.free_ports(len(_PORTS) + _WORKERS)
        named = dict(zip(_PORTS, ports, strict=False))
        self.address = f"127.0.0.1:{named['port']}"
        self.metrics = f"http://127.0.0.1:{named['metrics-export-port']}/metrics"
        arguments = [
            *(str(Path(sys.executable).parent / "ray"), "start", "--head", "--block"),
            # Each CPU is a worker started ahead, and nothing here needs the monitors: a busy machine starts sooner.
            *("--num-cpus=1", "--no-monitor", "--include-log-monitor=false", "--include-dashboard=false"),
            *(
                "--node-ip-address=127.0.0.1",
                "--disable-usage-stats",
                f"--temp-dir={self.folder}",
                "--object-store-memory=100000000",
            ),
            *(f"--{name}={port}" for name, port in named.items()),
            "--worker-port-list=" + ",".join(map(str, ports[len(_PORTS) :])),
        ]
        self._process: subprocess.Popen[bytes] = process.start(arguments, self._log, RAY_AUTH_MODE="disabled")

    def _decided(self) -> bool:
        return self._process.poll() is not None or "Ray runtime started" in self._log.read_text()

    def end(self) -> None:
        process.end(self._process, seconds=4)
        if not os.environ.get("KEEP_RAY_LOGS"):
            shutil.rmtree(self.folder, ignore_errors=True)
