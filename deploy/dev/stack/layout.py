"""Where a stack keeps its files."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
BIN = ROOT / "bin"
TOOLS = BIN / "tools"
VENV = ROOT / ".dev" / "venv"
VENV_PYTHON = VENV / "bin" / "python"
TINY_VENV = ROOT / ".dev" / "tiny"
RAY_APP = ROOT / "deploy" / "ray"
LOCK = RAY_APP / "requirements.lock"
TINY_LOCK = ROOT / "deploy" / "dev" / "model" / "tiny.lock"


@dataclass(frozen=True)
class Layout:
    """The files of one stack. Stacks with different homes run side by side."""

    home: Path

    @classmethod
    def at(cls, home: str) -> Layout:
        # Relative to the repository, because a Go test runs in the folder of its package.
        return cls((ROOT / home).resolve())

    @property
    def record(self) -> Path:
        return self.home / "stack.json"

    @property
    def env(self) -> Path:
        return self.home / "env"

    @property
    def token(self) -> Path:
        return self.home / "ray-token"

    @property
    def logs(self) -> Path:
        return self.home / "logs"

    @property
    def supervisor_config(self) -> Path:
        return self.home / "supervisord.conf"

    @property
    def supervisor_log(self) -> Path:
        return self.logs / "supervisord.log"

    @property
    def short(self) -> Path:
        """A folder for Unix sockets: their paths may have 107 bytes, and Ray adds 70 of its own."""
        return Path("/tmp") / f"dlb-{hashlib.sha256(str(self.home).encode()).hexdigest()[:8]}"

    @property
    def socket(self) -> Path:
        return self.short / "supervisor.sock"

    def ray_dir(self, ray: str) -> Path:
        return self.short / ray

    def log(self, program: str) -> Path:
        return self.logs / f"{program}.log"

    def create(self) -> None:
        """Makes the folders, and refuses a short one that another user made."""
        self.logs.mkdir(parents=True, exist_ok=True)
        self.short.mkdir(mode=0o700, exist_ok=True)
        if self.short.stat().st_uid != os.getuid():
            raise PermissionError(f"{self.short} belongs to another user")
