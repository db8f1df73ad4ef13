"""What runs in a stack, and how."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from stack import readiness
from stack.layout import BIN, ROOT, TINY_VENV, VENV, VENV_PYTHON
from stack.ports import HOST, RAY_WORKER_PORTS
from stack.record import STAND_IN_MODEL, TINY_MODEL, Record

STANDIN = ROOT / "deploy" / "dev" / "model" / "standin.py"
TINY = STANDIN.with_name("tiny.py")
# Turns wait for a model and compute nothing, so this may be more than the machine has.
RAY_CPUS = 4
RAY_OBJECT_STORE_BYTES = 100_000_000
RAY_ENVIRONMENT = {
    "RAY_AUTH_MODE": "disabled",
    "RAY_USAGE_STATS_ENABLED": "0",
    # Despite its name it works on Linux. Without it, Ray replaces 127.0.0.1 by the machine's address, and offers
    # an open cluster to the network.
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    # No other node could take over, so draining this one would only delay its end by 30 s.
    "RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S": "0",
    # With Ray's default of 15, a busy compiler keeps gateway and runners from answering.
    "RAY_worker_niceness": "0",
}


@dataclass(frozen=True)
class Program:
    """One supervised program."""

    name: str
    command: list[str]
    where: str
    ready: Callable[[], bool]
    hint: str
    environment: dict[str, str] = field(default_factory=dict)
    stop_seconds: int = 10
    # Whether SIGTERM goes to the whole process group. SIGKILL always does.
    stop_group: bool = True
    start_retries: int = 5


def all_programs(record: Record) -> dict[str, Program]:
    """Returns every program of the stack, in the order in which they are shown."""
    made = [_temporal(record), _nats(record), _ray(record), _ray_app(record)]
    if "ray2_gcs" in record.ports and "ray2_app" in record.ports:
        made += [_ray(record, "ray2"), _ray_app(record, "ray2", "rayapp2")]
    made += [_model(record), _worker(record)]
    return {program.name: program for program in made}


NAMES = ("temporal", "nats", "ray", "rayapp", "ray2", "rayapp2", "model", "worker")


# The dev server's database has one connection. With the default of 512 workers per queue, many starts at once
# make them time out on it and repeat their work, and little else gets done.
_TEMPORAL_SETTINGS = {
    "history.transferProcessorSchedulerWorkerCount": 16,
    "history.timerProcessorSchedulerWorkerCount": 8,
    "history.visibilityProcessorSchedulerWorkerCount": 8,
    "matching.numTaskqueueReadPartitions": 1,
    "matching.numTaskqueueWritePartitions": 1,
}


def _temporal(record: Record) -> Program:
    urls, ports = record.urls(), record.ports
    command = [str(BIN / "temporal"), "server", "start-dev", "--ip", HOST, "--log-level", "warn"]
    # A write-ahead log allows several times the writes of a journal. It survives a killed server, not a power cut.
    command += ["--db-filename", str(record.layout.home / "temporal.db")]
    command += ["--sqlite-pragma", "journal_mode=WAL", "--sqlite-pragma", "synchronous=NORMAL"]
    command += [f for key, value in _TEMPORAL_SETTINGS.items() for f in ("--dynamic-config-value", f"{key}={value}")]
    command += ["--port", str(ports["temporal"]), "--ui-port", str(ports["temporal_ui"])]
    return Program(
        name="temporal",
        command=command,
        where=f"{urls['temporal_address']}, Web UI {urls['temporal_ui']}",
        ready=lambda: readiness.temporal_answers(urls["temporal_address"]),
        hint="if it can't open its database: remove temporal.db in the stack's home (all history is lost)",
    )


def _nats(record: Record) -> Program:
    port = record.ports["nats"]
    command = [str(BIN / "nats-server"), "-js", "-sd", str(record.layout.home / "nats"), "-a", HOST, "-p", str(port)]
    return Program(
        name="nats",
        command=command,
        where=record.urls()["nats_url"],
        ready=lambda: readiness.nats_answers(HOST, port),
        hint="if it can't open its store: remove nats/ in the stack's home (all events are lost)",
    )


def _ray_options(record: Record, ray: str) -> list[str]:
    """Names every port, so that two Rays on one machine don't collide."""
    ports = record.ports
    options = {
        "node-ip-address": HOST,
        "port": ports[f"{ray}_gcs"],
        "dashboard-host": HOST,
        "dashboard-port": ports[f"{ray}_dashboard"],
        "dashboard-agent-listen-port": ports[f"{ray}_agent"],
        "dashboard-agent-grpc-port": ports[f"{ray}_agent_grpc"],
        "metrics-export-port": ports[f"{ray}_metrics"],
        "ray-client-server-port": ports[f"{ray}_client"],
        "node-manager-port": ports[f"{ray}_node_manager"],
        "object-manager-port": ports[f"{ray}_object_manager"],
        "runtime-env-agent-port": ports[f"{ray}_runtime_env"],
        "min-worker-port": ports[f"{ray}_workers"],
        "max-worker-port": ports[f"{ray}_workers"] + RAY_WORKER_PORTS - 1,
        "temp-dir": record.layout.ray_dir(ray),
        "num-cpus": RAY_CPUS,
        "object-store-memory": RAY_OBJECT_STORE_BYTES,
        # The monitor copies logs to drivers; ours reads none.
        "include-log-monitor": "false",
    }
    return [f"--{option}={value}" for option, value in options.items()]


def _ray(record: Record, ray: str = "ray") -> Program:
    ports = record.ports
    dashboard = record.urls()[f"{ray}_dashboard"]
    node_health = f"http://{HOST}:{ports[f'{ray}_agent']}/api/local_raylet_healthz"
    return Program(
        name=ray,
        command=[
            str(VENV / "bin" / "ray"),
            # The monitor is part of the autoscaler, which a single node doesn't need.
            *("start", "--head", "--block", "--disable-usage-stats", "--no-monitor"),
            *_ray_options(record, ray),
        ],
        where=f"dashboard {dashboard}",
        # The dashboard alone proves little: it answers half a minute before a node fails to start.
        ready=lambda: readiness.answers(node_health) and readiness.answers(f"{dashboard}/api/version"),
        hint=f"read {record.layout.ray_dir(ray)}/session_latest/logs; Ray needs about 1 GB of memory",
        environment={
            **_ray_environment(record),
            # A minute is too short for a dashboard that starts while a compiler runs.
            "RAY_DASHBOARD_STARTUP_TIMEOUT_S": "300",
            "DASHBOARD_METRIC_PORT": str(ports[f"{ray}_dashboard_metrics"]),
        },
        # `ray start` ends its processes in order and asks the GCS meanwhile: for a minute, if the GCS is gone.
        stop_group=False,
    )


def _ray_environment(record: Record) -> dict[str, str]:
    """Ray needs the token as well: gateway and runners inherit their variables from its node."""
    return {**RAY_ENVIRONMENT, "DELIBERATION_RAY_TOKEN": record.token(), "PYTHONUNBUFFERED": "1"}


def _ray_app(record: Record, ray: str = "ray", name: str = "rayapp") -> Program:
    urls = record.urls()
    url = urls[f"{ray}_app_url"]
    command = [str(VENV_PYTHON), "-m", "deliberation_ray.deploy", "--address", urls[f"{ray}_address"]]
    command += ["--http-host", HOST, "--http-port", str(record.ports[f"{ray}_app"]), "--watch"]
    return Program(
        name=name,
        command=command,
        where=url,
        ready=lambda: readiness.answers(f"{url}/healthz"),
        hint="look at the Ray dashboard and the log of ray",
        environment={**_ray_environment(record), "DELIBERATION_STREAM_NATS_URL": record.urls()["nats_url"]},
        # It starts at the same time as Ray, and fails until Ray is there.
        start_retries=30,
    )


def _tiny_model(record: Record) -> Program:
    port, python = record.ports["model"], str(TINY_VENV / "bin" / "python")
    return Program(
        name="model",
        command=[python, str(TINY), "--host", HOST, "--port", str(port), "--file", str(TINY_VENV / "model.gguf")],
        where=f"http://{HOST}:{port} ({TINY_MODEL}: real, slow and simple-minded)",
        ready=lambda: readiness.answers(f"http://{HOST}:{port}/v1/models"),
        hint="it needs 1 GB of memory",
        environment={"PYTHONUNBUFFERED": "1"},
    )


def _model(record: Record) -> Program:
    if record.tiny and not record.vllm_url:
        return _tiny_model(record)
    port, stand_in = record.ports["model"], f"http://{HOST}:{record.ports['model']}"
    where = f"{stand_in} (a stand-in: its answers are CANNED)"
    if record.vllm_url:
        where = f"{record.vllm_url}, {record.vllm_model} (not of this stack)"
    return Program(
        name="model",
        command=[str(VENV_PYTHON), str(STANDIN), "--host", HOST, "--port", str(port), "--model", STAND_IN_MODEL],
        where=where,
        ready=lambda: readiness.answers(f"{stand_in}/healthz"),
        hint="VLLM_URL=… VLLM_MODEL=… use a model of yours instead",
        environment={"PYTHONUNBUFFERED": "1"},
    )


def _worker(record: Record) -> Program:
    url = record.urls()["worker_url"]
    return Program(
        name="worker",
        command=[str(BIN / "worker")],
        where=f"health and metrics {url}",
        ready=lambda: readiness.worker_ready(url, with_ray="rayapp" in record.wanted),
        hint="`bin/worker --check-config` explains a configuration that it refuses",
        environment=record.environment(),
        # A worker first hands over what it waits for.
        stop_seconds=30,
        start_retries=30,
    )


def supervisor_environment() -> dict[str, str]:
    """Returns the caller's environment, without what would lead to another cluster or through a proxy."""
    kept = {name: value for name, value in os.environ.items() if name not in ("RAY_ADDRESS", "VIRTUAL_ENV")}
    local = f"{HOST},localhost"
    for name in ("NO_PROXY", "no_proxy"):
        kept[name] = f"{kept[name]},{local}" if kept.get(name) else local
    kept["PATH"] = os.pathsep.join([str(Path(VENV / "bin")), kept.get("PATH", os.defpath)])
    return kept
