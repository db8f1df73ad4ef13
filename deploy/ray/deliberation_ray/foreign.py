"""What a model server says is anybody's: its values are brought to the shape that callers were promised."""

_LARGEST_COUNT = 2**31 - 1


def text(value: object, limit: int) -> str:
    """At most `limit` characters, all of which UTF-8 has; empty for what is no text."""
    # A lone surrogate is legal in the server's JSON and in no UTF-8.
    return value[:limit].encode(errors="replace").decode() if isinstance(value, str) else ""


def count(value: object) -> int:
    """A number of tokens; 0 for what can't be one."""
    if not isinstance(value, int) or isinstance(value, bool):
        return 0
    return value if 0 <= value <= _LARGEST_COUNT else 0
