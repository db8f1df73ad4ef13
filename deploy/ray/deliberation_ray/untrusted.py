"""Converts values from a model server to the type and size that callers expect."""

_LARGEST_COUNT = 2**31 - 1


def text(value: object, limit: int) -> str:
    """Returns at most `limit` characters that UTF-8 can encode; empty for anything that is not text."""
    # JSON may carry a lone surrogate, UTF-8 may not.
    return value[:limit].encode(errors="replace").decode() if isinstance(value, str) else ""


def count(value: object) -> int:
    """Returns a number of tokens; 0 for anything that cannot be one."""
    if not isinstance(value, int) or isinstance(value, bool):
        return 0
    return value if 0 <= value <= _LARGEST_COUNT else 0
