"""stack.json and env: what others read about a stack."""

from __future__ import annotations

import json
import os
import secrets
import shlex
from dataclasses import dataclass, field
from pathlib import Path

from stack.layout import Layout
from stack.ports import HOST, RAYS

NAMESPACE = "default"
STAND_IN_MODEL = "canned/stand-in"
TINY_MODEL = "gemma-3-270m"


@dataclass
class Record:
    """What is kept from one start to the next."""

    layout: Layout
    ports: dict[str, int]
    free_ports: bool = False
    wanted: list[str] = field(default_factory=list)
    pids: dict[str, int] = field(default_factory=dict)
    # Empty: the stand-in.
    vllm_url: str = ""
    vllm_model: str = ""
    # A real small model in place of the stand-in.
    tiny: bool = False

    @classmethod
    def load(cls, layout: Layout) -> Record:
        try:
            kept = json.loads(layout.record.read_text())
        except (OSError, ValueError):
            return cls(layout, {})
        server, model = kept.get("vllm_url", ""), kept.get("vllm_model", "") if kept.get("vllm_url") else ""
        record = cls(layout, kept["ports"], kept["free_ports"], kept["wanted"], kept["pids"], server, model)
        record.tiny = kept.get("tiny", False)
        return record

    def urls(self) -> dict[str, str]:
        ports = self.ports
        known = {
            "temporal_address": f"{HOST}:{ports['temporal']}",
            "temporal_ui": f"http://{HOST}:{ports['temporal_ui']}",
            "nats_url": f"nats://{HOST}:{ports['nats']}",
            "model_url": self.vllm_url or f"http://{HOST}:{ports['model']}",
            "worker_url": f"http://{HOST}:{ports['worker']}",
        }
        for ray in (ray for ray in RAYS if f"{ray}_app" in ports):
            known[f"{ray}_dashboard"] = f"http://{HOST}:{ports[f'{ray}_dashboard']}"
            known[f"{ray}_app_url"] = f"http://{HOST}:{ports[f'{ray}_app']}/deliberation"
            known[f"{ray}_address"] = f"{HOST}:{ports[f'{ray}_gcs']}"
        return known

    def token(self) -> str:
        """Returns the bearer token of the Ray app: the user's, else one that is made once per stack."""
        if given := os.environ.get("DELIBERATION_RAY_TOKEN"):
            return given
        if not self.layout.token.exists():
            _write_private(self.layout.token, secrets.token_urlsafe(24))
        return self.layout.token.read_text().strip()

    def environment(self) -> dict[str, str]:
        """Returns the variables that a worker needs."""
        urls = self.urls()
        return {
            "TEMPORAL_ADDRESS": urls["temporal_address"],
            "TEMPORAL_NAMESPACE": NAMESPACE,
            "DELIBERATION_RAY_CLUSTERS": f"local={urls['ray_app_url']}",
            "DELIBERATION_RAY_TOKEN": self.token(),
            "NATS_URL": urls["nats_url"],
            "DELIBERATION_HTTP_ADDR": f"{HOST}:{self.ports['worker']}",
        }

    def model(self) -> dict[str, str]:
        """Returns the variables that a request needs as well: the model, ours unless the user names one."""
        return {
            "DELIBERATION_VLLM_URL": self.urls()["model_url"],
            "DELIBERATION_VLLM_MODEL": self.vllm_model or (TINY_MODEL if self.tiny else STAND_IN_MODEL),
        }

    def save(self) -> None:
        known = {
            "home": str(self.layout.home),
            "free_ports": self.free_ports,
            "wanted": self.wanted,
            "ports": self.ports,
            **self.urls(),
            "namespace": NAMESPACE,
            "vllm_url": self.vllm_url,
            "tiny": self.tiny,
            "vllm_model": self.model()["DELIBERATION_VLLM_MODEL"],
            "ray_token": self.token(),
            "pids": self.pids,
        }
        _write_private(self.layout.record, json.dumps(known, indent=2) + "\n")
        lines = (f"{name}={shlex.quote(value)}\n" for name, value in {**self.environment(), **self.model()}.items())
        _write_private(self.layout.env, "".join(lines))


def variables(layout: Layout) -> dict[str, str]:
    """Reads the stack's env file."""
    return dict(line.split("=", 1) for line in shlex.split(layout.env.read_text()))


def _write_private(path: Path, text: str) -> None:
    """Replaces a file in one step. Only its owner can read it, since it holds the token."""
    fresh = path.with_name(f".{path.name}.fresh")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    fresh.replace(path)
