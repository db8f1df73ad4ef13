"""Which runner takes a new deliberation."""

import hashlib
from collections.abc import Iterable


def runner_names(build: str, count: int) -> list[str]:
    return [f"runner/{build}/{index}" for index in range(count)]


def in_order(names: Iterable[str], deliberation: str) -> list[str]:
    """Returns the deliberation's order by rendezvous hashing: the same in every gateway. The first is its home."""
    return sorted(names, key=lambda name: _weight(name, deliberation), reverse=True)


def _weight(name: str, deliberation: str) -> bytes:
    return hashlib.sha256(f"{name}|{deliberation}".encode()).digest()
