"""What runs in a stack, how, and when it is ready."""

import http.client
import json
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field

from stack.layout import BIN, ROOT, TINY_VENV, VENV
from stack.ports import HOST
from stack.record import STAND_IN_MODEL, TINY_MODEL, Record

NAMES = ("temporal", "nats", "ray", "rayapp", "ray2", "rayapp2", "model", "worker")
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
        return all((body := _get(url)) is not None and self.accepts(body) for url in self.ready)


def all_programs(record: Record) -> dict[str, Program]:
    """Returns every program of the stack, in the order in which they are shown."""
    rays = {"ray": _ray(record, "ray"), "rayapp": _ray_app(record, "ray")}
    if "ray2_gcs" in record.ports and "ray2_app" in record.ports:
        rays |= {"ray2": _ray(record, "ray2"), "rayapp2": _ray_app(record, "ray2")}
    return {
        "temporal": _temporal(record),
        "nats": _nats(record),
        **rays,
        "model": _model(record),
        "worker": _worker(record),
    }


def _temporal(record: Record) -> Program:
    urls, ports = record.urls(), record.ports
    settings = [("--dynamic-config-value", f"{name}={value}") for name, value in TEMPORAL_SETTINGS.items()]
    # A write-ahead log allows several times the writes of a journal. It survives a killed server, not a power cut.
    settings += [("--sqlite-pragma", "journal_mode=WAL"), ("--sqlite-pragma", "synchronous=NORMAL")]
    return Program(
        command=[
            *(BIN / "temporal", "server", "start-dev", "--log-level", "warn", "--ip", HOST),
            *("--port", ports["temporal"], "--ui-port", ports["temporal_ui"]),
            *("--db-filename", record.layout.home / "temporal.db"),
            *(word for setting in settings for word in setting),
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
            *("-js", "-sd", record.layout.home / "nats"),
        ],
        where=record.urls()["nats_url"],
        ready=[f"http://{HOST}:{monitor}/healthz?js-enabled-only=true"],
        hint="if it can't open its store: remove nats/ in the stack's home (all events are lost)",
    )


def _ray(record: Record, ray: str) -> Program:
    ports, dashboard = record.ports, record.urls()[f"{ray}_dashboard"]
    folder = record.layout.short / ray
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
    return {**RAY_ENVIRONMENT, "DELIBERATION_RAY_TOKEN": record.token()}


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
        environment={**_ray_environment(record), "DELIBERATION_STREAM_NATS_URL": urls["nats_url"]},
        # It starts at the same time as Ray, and fails until Ray is there.
        start_retries=30,
    )


def _model(record: Record) -> Program:
    listens = ["--host", HOST, "--port", record.ports["model"]]
    ours = f"http://{HOST}:{record.ports['model']}"
    if record.tiny and not record.vllm_url:
        return Program(
            command=[TINY_VENV / "bin" / "python", MODELS / "tiny.py", *listens, "--file", TINY_VENV / "model.gguf"],
            where=f"{ours} ({TINY_MODEL}: real, slow and simple-minded)",
            ready=[f"{ours}/v1/models"],
            hint="it needs 1 GB of memory",
        )
    where = f"{ours} (a stand-in: its answers are CANNED)"
    if record.vllm_url:
        where = f"{record.vllm_url}, {record.vllm_model} (not of this stack)"
    return Program(
        command=[VENV / "python", MODELS / "standin.py", *listens, "--model", STAND_IN_MODEL],
        where=where,
        ready=[f"{ours}/healthz"],
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
        environment=record.environment(),
        # A worker first hands over what it waits for.
        stop_seconds=30,
        start_retries=30,
    )


def _heard_from_ray(body: bytes) -> bool:
    """Reports whether a deliberation would start at once: a worker is ready before it has asked Ray."""
    clusters = json.loads(body).get("clusters", [])
    return all(cluster["breaker"] == "closed" and not cluster.get("fault") for cluster in clusters)


def _get(url: str) -> bytes | None:
    """Returns what a GET is answered, without any proxy that the shell may name; None for an error."""
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=2) as answer:
            return answer.read()
    except (OSError, http.client.HTTPException):
        return None
