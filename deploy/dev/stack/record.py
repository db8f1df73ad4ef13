"""stack.json and env: what others read about a stack."""

import json
import shlex
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Self

from stack.layout import Layout
from stack.ports import HOST, RAYS

STAND_IN_MODEL = "canned/stand-in"
TINY_MODEL = "gemma-3-270m"


@dataclass
class Record:
    """What is kept from one start to the next."""

    home: str
    ports: dict[str, int] = field(default_factory=dict)
    free_ports: bool = False
    wanted: list[str] = field(default_factory=list)
    # The user's model server; empty for a model of ours.
    vllm_url: str = ""
    vllm_model: str = STAND_IN_MODEL
    ray_token: str = ""

    @classmethod
    def load(cls, layout: Layout) -> Self:
        try:
            kept = json.loads((layout.home / "stack.json").read_text())
        except (OSError, ValueError):
            return cls(str(layout.home))
        return cls(**{each.name: kept[each.name] for each in fields(cls) if each.name in kept})

    def urls(self) -> dict[str, str]:
        ports = self.ports
        known = {
            "temporal_address": f"{HOST}:{ports['temporal']}",
            "temporal_ui": f"http://{HOST}:{ports['temporal_ui']}",
            "nats_url": f"nats://{HOST}:{ports['nats']}",
            "model_url": self.vllm_url or f"http://{HOST}:{ports['model']}",
            "worker_url": f"http://{HOST}:{ports['worker']}",
        }
        for ray in RAYS:
            known[f"{ray}_dashboard"] = f"http://{HOST}:{ports[f'{ray}_dashboard']}"
            known[f"{ray}_app_url"] = f"http://{HOST}:{ports[f'{ray}_app']}/deliberation"
            known[f"{ray}_address"] = f"{HOST}:{ports[f'{ray}_gcs']}"
        return known

    def variables(self) -> dict[str, str]:
        """Returns the variables that a worker and a request need."""
        urls = self.urls()
        return {
            "TEMPORAL_ADDRESS": urls["temporal_address"],
            "TEMPORAL_NAMESPACE": "default",
            "DELIBERATION_RAY_CLUSTERS": f"local={urls['ray_app_url']}",
            "DELIBERATION_RAY_TOKEN": self.ray_token,
            "NATS_URL": urls["nats_url"],
            "DELIBERATION_HTTP_ADDR": f"{HOST}:{self.ports['worker']}",
            "DELIBERATION_VLLM_URL": urls["model_url"],
            "DELIBERATION_VLLM_MODEL": self.vllm_model,
        }

    def save(self) -> None:
        known = json.dumps({**asdict(self), **self.urls()}, indent=2) + "\n"
        env = "".join(f"{name}={shlex.quote(value)}\n" for name, value in self.variables().items())
        for name, text in (("stack.json", known), ("env", env)):
            # A file is replaced in one step, since others may read it meanwhile.
            fresh = Path(self.home) / f"{name}.fresh"
            fresh.write_text(text)
            fresh.replace(fresh.with_name(name))
