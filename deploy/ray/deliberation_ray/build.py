"""The build: which code and settings a runner was made of."""

import hashlib
from pathlib import Path

from deliberation_ray.settings import Settings


def build_of(settings: Settings) -> str:
    """Equal code and equal settings give an equal build on every node; anything else is another pool of runners."""
    digest = hashlib.sha256(settings.fingerprint().encode())
    package = Path(__file__).parent
    for source in sorted(package.rglob("*.py")):
        digest.update(source.relative_to(package).as_posix().encode())
        digest.update(source.read_bytes())
    return digest.hexdigest()[:12]
