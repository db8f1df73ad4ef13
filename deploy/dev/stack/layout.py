"""Where the checkout and its stacks keep their files."""

import hashlib
import os
from pathlib import Path
from typing import Self

ROOT = Path(__file__).resolve().parents[3]
BIN = ROOT / "bin"
VENV = ROOT / ".dev" / "venv" / "bin"
TINY_VENV = ROOT / ".dev" / "tiny"


class Layout:
    """The files of one stack. Stacks with different homes run side by side."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.logs = home / "logs"
        # A folder for Unix sockets: their paths may have 107 bytes, and Ray adds 70 of its own.
        self.short = Path("/tmp") / f"dlb-{hashlib.sha256(str(home).encode()).hexdigest()[:8]}"

    @classmethod
    def at(cls, home: str) -> Self:
        # Relative to the repository, because a Go test runs in the folder of its package.
        return cls((ROOT / home).resolve())

    def log(self, program: str) -> Path:
        return self.logs / f"{program}.log"

    def create(self) -> None:
        """Makes the folders, and refuses a short one that another user made."""
        self.logs.mkdir(parents=True, exist_ok=True)
        self.short.mkdir(mode=0o700, exist_ok=True)
        if self.short.stat().st_uid != os.getuid():
            raise PermissionError(f"{self.short} belongs to another user")
