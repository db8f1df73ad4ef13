"""stack.json and env: what others read about a stack."""

import json
import os
import secrets
import shlex
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Self

from stack.layout import Layout
from stack.ports import HOST, RAYS

STAND_IN_MODEL = "canned/stand-in"
TINY_MODEL = "gemma-3-270m"


@dataclass
class Record:
    """What is kept from one start to the next."""

    layout: Layout
    ports: dict[str, int] = field(default_factory=dict)
    free_ports: bool = False
    wanted: list[str] = field(default_factory=list)
    pids: dict[str, int] = field(default_factory=dict)
    # The user's model server and its model; both are empty for a model of ours.
    vllm_url: str = ""
    vllm_model: str = ""
    # A real small model in place of the stand-in.
    tiny: bool = False

    @classmethod
    def load(cls, layout: Layout) -> Self:
        try:
            kept = json.loads((layout.home / "stack.json").read_text())
        except (OSError, ValueError):
            return cls(layout)
        record = cls(layout, **{name: kept[name] for name in _kept() if name in kept})
        if not record.vllm_url:
            record.vllm_model = ""
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

    def model(self) -> str:
        return self.vllm_model or (TINY_MODEL if self.tiny else STAND_IN_MODEL)

    def token(self) -> str:
        """Returns the bearer token of the Ray app: the user's, else one that is made once per stack."""
        if given := os.environ.get("DELIBERATION_RAY_TOKEN"):
            return given
        file = self.layout.home / "ray-token"
        if not file.exists():
            write_private(file, secrets.token_urlsafe(24))
        return file.read_text().strip()

    def environment(self) -> dict[str, str]:
        """Returns the variables that a worker needs."""
        urls = self.urls()
        return {
            "TEMPORAL_ADDRESS": urls["temporal_address"],
            "TEMPORAL_NAMESPACE": "default",
            "DELIBERATION_RAY_CLUSTERS": f"local={urls['ray_app_url']}",
            "DELIBERATION_RAY_TOKEN": self.token(),
            "NATS_URL": urls["nats_url"],
            "DELIBERATION_HTTP_ADDR": f"{HOST}:{self.ports['worker']}",
        }

    def save(self) -> None:
        home = self.layout.home
        known = {"home": str(home), **{name: getattr(self, name) for name in _kept()}, **self.urls()}
        known |= {"vllm_model": self.model(), "ray_token": self.token()}
        write_private(home / "stack.json", json.dumps(known, indent=2) + "\n")
        # A request needs the model as well.
        model = {"DELIBERATION_VLLM_URL": self.urls()["model_url"], "DELIBERATION_VLLM_MODEL": self.model()}
        lines = (f"{name}={shlex.quote(value)}\n" for name, value in {**self.environment(), **model}.items())
        write_private(home / "env", "".join(lines))


def _kept() -> list[str]:
    """Returns the fields of a record that are in its file: all but the layout."""
    return [each.name for each in fields(Record)[1:]]


def variables(layout: Layout) -> dict[str, str]:
    """Reads the stack's env file."""
    return dict(line.split("=", 1) for line in shlex.split((layout.home / "env").read_text()))


def write_private(path: Path, text: str) -> None:
    """Replaces a file in one step. Only its owner can read it, since it holds the token."""
    fresh = path.with_name(f".{path.name}.fresh")
    fresh.unlink(missing_ok=True)
    fresh.touch(0o600)
    fresh.write_text(text)
    fresh.replace(path)
