"""What a caller may add to the body of a model call."""

import json
import re
from typing import Any

MOST_BYTES = 16 * 1024
# Keys that the call sets itself, and keys that would multiply its cost. The worker has the same rule
# (domain/protocol.go), and both read tests/extra_body_keys.json.
_RESERVED = re.compile(
    r"model|messages|temperature|response_format|extra_body"
    r"|n|best_of|num_return_sequences|candidate_count"
    r"|stream\w*"
    r"|max_?\w*(tokens?|length|len)|n(um)?_predict",
    re.IGNORECASE,
)


def check_extra_body(extra: dict[str, Any]) -> dict[str, Any]:
    """Returns the object, or raises a ValueError that says what is wrong with it."""
    for key in extra:
        if _RESERVED.fullmatch(key.strip()):
            raise ValueError(f"must not have the key {key[:100]!r}, which the call sets by itself")
    size = len(json.dumps(extra, ensure_ascii=False, separators=(",", ":")).encode(errors="replace"))
    if size > MOST_BYTES:
        raise ValueError(f"must be at most {MOST_BYTES} bytes in JSON, got {size}")
    return extra
