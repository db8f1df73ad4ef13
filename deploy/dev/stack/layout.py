"""Where a stack keeps its files."""

from __future__ import annotations

import hashlib
import os
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


class Layout:
    """The files of one stack. Stacks with different homes run side by side."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.record = home / "stack.json"
        self.env = home / "env"
        self.token = home / "ray-token"
        self.logs = home / "logs"
        self.supervisor_config = home / "supervisord.conf"
        self.supervisor_log = self.logs / "supervisord.log"
        # A folder for Unix sockets: their paths may have 107 bytes, and Ray adds 70 of its own.
        self.short = Path("/tmp") / f"dlb-{hashlib.sha256(str(home).encode()).hexdigest()[:8]}"
        self.socket = self.short / "supervisor.sock"

    @classmethod
    def at(cls, home: str) -> Layout:
        # Relative to the repository, because a Go test runs in the folder of its package.
        return cls((ROOT / home).resolve())

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
