"""Where the checkout and its stacks keep their files."""

import hashlib
import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
BIN = ROOT / "bin"
VENV = ROOT / ".dev" / "venv" / "bin"
TINY_VENV = ROOT / ".dev" / "tiny"


class Layout:
    """The files of one stack. Stacks with different homes run side by side."""

    def __init__(self, home: str | Path) -> None:
        # Relative to the repository, because a Go test runs in the folder of its package.
        self.home = (ROOT / home).resolve()
        self.logs = self.home / "logs"
        # A folder for Unix sockets: their paths may have 107 bytes, and Ray adds 70 of its own.
        self.short = Path("/tmp") / f"dlb-{hashlib.sha256(str(self.home).encode()).hexdigest()[:8]}"

    def log(self, program: str) -> Path:
        return self.logs / f"{program}.log"

    def create(self) -> None:
        """Makes the folders. Only their owner can read them, since they hold the token."""
        self.logs.mkdir(parents=True, exist_ok=True)
        self.home.chmod(0o700)
        self.short.mkdir(mode=0o700, exist_ok=True)
        if self.short.stat().st_uid != os.getuid():
            raise SystemExit(f"{self.short} belongs to another user")
