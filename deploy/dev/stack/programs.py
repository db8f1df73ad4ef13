"""What runs in a stack, how, and when it is ready."""

import http.client
import json
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from stack.layout import BIN, ROOT, TINY_VENV, VENV, Layout
from stack.ports import HOST
from stack.record import STAND_IN_MODEL, TINY_MODEL, Record

MODELS = ROOT / "deploy" / "dev" / "model"
# The dev server's database has one connection. With the default of 512 workers per queue, many starts at once
# make them time out on it and repeat their work, and little else gets done.
TEMPORAL_SETTINGS = {
    "history.transferProcessorSchedulerWorkerCount": 16,
    "history.timerProcessorSchedulerWorkerCount": 8,
    "history.visibilityProcessorSchedulerWorkerCount": 8,
    "matching.numTaskqueueReadPartitions": 1,
    "matching.numTaskqueueWritePartitions": 1,
}
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

    command: list[object]
    where: str
    # It is ready when all these answer 200, and what they answer is accepted.
    ready: list[str]
    hint: str
    accepts: Callable[[bytes], bool] = lambda body: True
    environment: dict[str, str] = field(default_factory=dict)
    stop_seconds: int = 10
    # Whether SIGTERM goes to the whole process group. SIGKILL always does.
    stop_group: bool = True
    start_retries: int = 5

    def is_ready(self) -> bool:
        try:
            return all(self.accepts(urllib.request.urlopen(url, timeout=2).read()) for url in self.ready)
        except (OSError, http.client.HTTPException):
            return False


def _temporal(record: Record) -> Program:
    urls, ports = record.urls(), record.ports
    return Program(
        command=[
            *(BIN / "temporal", "server", "start-dev", "--log-level", "warn", "--ip", HOST),
            *("--port", ports["temporal"], "--ui-port", ports["temporal_ui"]),
            *("--db-filename", f"{record.home}/temporal.db"),
            # A write-ahead log allows several times the writes of a journal. A killed server loses none of it.
            *("--sqlite-pragma=journal_mode=WAL", "--sqlite-pragma=synchronous=NORMAL"),
            *(f"--dynamic-config-value={name}={value}" for name, value in TEMPORAL_SETTINGS.items()),
        ],
        where=f"{urls['temporal_address']}, Web UI {urls['temporal_ui']}",
        # The Web UI asks the server.
        ready=[f"{urls['temporal_ui']}/api/v1/namespaces/default"],
        hint="if it can't open its database: remove temporal.db in the stack's home (all history is lost)",
    )


def _nats(record: Record) -> Program:
    port, monitor = record.ports["nats"], record.ports["nats_monitor"]
    return Program(
        command=[
            *(BIN / "nats-server", "-a", HOST, "-p", port, "-m", monitor),
            *("-js", "-sd", f"{record.home}/nats"),
        ],
        where=record.urls()["nats_url"],
        ready=[f"http://{HOST}:{monitor}/healthz?js-enabled-only=true"],
        hint="if it can't open its store: remove nats/ in the stack's home (all events are lost)",
    )


def _ray(record: Record, ray: str) -> Program:
    ports, dashboard = record.ports, record.urls()[f"{ray}_dashboard"]
    folder = Layout(record.home).short / ray
    options = {
        "node-ip-address": HOST,
        "dashboard-host": HOST,
        "port": ports[f"{ray}_gcs"],
        "dashboard-port": ports[f"{ray}_dashboard"],
        "dashboard-agent-listen-port": ports[f"{ray}_agent"],
        "metrics-export-port": ports[f"{ray}_metrics"],
        "ray-client-server-port": ports[f"{ray}_client"],
        # Any free ports: the workers of two Rays on one machine must not collide.
        "min-worker-port": 0,
        "max-worker-port": 0,
        "temp-dir": folder,
        # Turns wait for a model and compute nothing, so this may be more than the machine has.
        "num-cpus": 4,
        "object-store-memory": 100_000_000,
        # This monitor copies logs to drivers; ours reads none.
        "include-log-monitor": "false",
    }
    node = f"http://{HOST}:{ports[f'{ray}_agent']}/api/local_raylet_healthz"
    return Program(
        command=[
            # `--no-monitor` is about the autoscaler, which a single node doesn't need.
            *(VENV / "ray", "start", "--head", "--block", "--disable-usage-stats", "--no-monitor"),
            *(f"--{option}={value}" for option, value in options.items()),
        ],
        where=f"dashboard {dashboard}",
        # The dashboard alone proves little: it answers half a minute before a node fails to start.
        ready=[node, f"{dashboard}/api/version"],
        hint=f"read {folder}/session_latest/logs; Ray needs about 1 GB of memory",
        environment={
            **RAY_ENVIRONMENT,
            # Gateway and runners inherit it from their node.
            "DELIBERATION_RAY_TOKEN": record.ray_token,
            # A minute is too short for a dashboard that starts while a compiler runs.
            "RAY_DASHBOARD_STARTUP_TIMEOUT_S": "300",
            "DASHBOARD_METRIC_PORT": str(ports[f"{ray}_dashboard_metrics"]),
        },
        # `ray start` ends its processes in order and asks the GCS meanwhile: for a minute, if the GCS is gone.
        stop_group=False,
    )


def _ray_app(record: Record, ray: str) -> Program:
    urls = record.urls()
    url = urls[f"{ray}_app_url"]
    return Program(
        command=[
            *(VENV / "python", "-m", "deliberation_ray.deploy", "--watch", "--address", urls[f"{ray}_address"]),
            *("--http-host", HOST, "--http-port", record.ports[f"{ray}_app"]),
        ],
        where=url,
        ready=[f"{url}/healthz"],
        hint="look at the Ray dashboard and the log of ray",
        environment={
            **RAY_ENVIRONMENT,
            "DELIBERATION_RAY_TOKEN": record.ray_token,
            "DELIBERATION_STREAM_NATS_URL": urls["nats_url"],
        },
        # It starts at the same time as Ray, and fails until Ray is there.
        start_retries=30,
    )


def _model(record: Record) -> Program:
    url = f"http://{HOST}:{record.ports['model']}"
    where = f"{url} (a stand-in: its answers are CANNED)"
    command: list[object] = [VENV / "python", MODELS / "standin.py", "--model", STAND_IN_MODEL]
    if record.vllm_url:
        where = f"{record.vllm_url}, {record.vllm_model} (not of this stack)"
    elif record.vllm_model == TINY_MODEL:
        where = f"{url} ({TINY_MODEL}: real, slow and simple-minded; it needs 1 GB of memory)"
        command = [TINY_VENV / "bin" / "python", MODELS / "tiny.py", "--file", TINY_VENV / "model.gguf"]
    return Program(
        command=[*command, "--host", HOST, "--port", record.ports["model"]],
        where=where,
        ready=[f"{url}/v1/models"],
        hint="VLLM_URL=… VLLM_MODEL=… use a model of yours instead",
    )


def _worker(record: Record) -> Program:
    url = record.urls()["worker_url"]
    return Program(
        command=[BIN / "worker"],
        where=f"health and metrics {url}",
        ready=[f"{url}/readyz"],
        accepts=_heard_from_ray if "rayapp" in record.wanted else lambda body: True,
        hint="`bin/worker --check-config` explains a configuration that it refuses",
        environment=record.variables(),
        # A worker first hands over what it waits for.
        stop_seconds=30,
        start_retries=30,
    )


def _heard_from_ray(body: bytes) -> bool:
    """Reports whether a deliberation would start at once: a worker is ready before it has asked Ray."""
    clusters = json.loads(body).get("clusters", [])
    return all(cluster["breaker"] == "closed" and not cluster.get("fault") for cluster in clusters)


# In the order in which they are shown.
PROGRAMS = {
    "temporal": _temporal,
    "nats": _nats,
    "ray": partial(_ray, ray="ray"),
    "rayapp": partial(_ray_app, ray="ray"),
    "ray2": partial(_ray, ray="ray2"),
    "rayapp2": partial(_ray_app, ray="ray2"),
    "model": _model,
    "worker": _worker,
}


def all_programs(record: Record) -> dict[str, Program]:
    return {name: program(record) for name, program in PROGRAMS.items()}
