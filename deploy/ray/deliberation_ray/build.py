"""The build: a hash of the code and settings that a runner has."""

import hashlib
from pathlib import Path

from deliberation_ray.settings import Settings


def build_of(settings: Settings) -> str:
    """Returns the same build on every node for the same code and settings. Each build has its own pool of runners."""
    digest = hashlib.sha256(settings.fingerprint().encode())
    package = Path(__file__).parent
    for source in sorted(package.rglob("*.py")):
        digest.update(source.relative_to(package).as_posix().encode())
        digest.update(source.read_bytes())
    return digest.hexdigest()[:12]
