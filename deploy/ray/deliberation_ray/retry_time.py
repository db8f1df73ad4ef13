"""Reads when a server that refuses a call wants the next one, in all forms that servers use."""

import math
import re
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

# A duration as Go prints it: `6m0s`, `1.5s`, `250ms`.
_DURATION = re.compile(r"(?=.)(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+(?:\.\d+)?)s)?(?:(\d+(?:\.\d+)?)ms)?")
_WORDS = re.compile(
    r"(?:(?:again|retry|available)(?: your request)? (?:in|after)|wait(?: for| at least)*) (?:about )?"
    r"((?:\d{1,9}(?:\.\d{1,9})?(?:ms|[dhms](?![a-z]))){1,5}|\d{1,12}(?:\.\d{1,9})?)"
    r"(?:\s*(milliseconds?|seconds?|secs?|minutes?|mins?|hours?))?(?!\w)",
    re.IGNORECASE,
)
_WORD_UNITS = {"mil": 0.001, "sec": 1.0, "min": 60.0, "hou": 3600.0}
_UNITS = (86_400.0, 3_600.0, 60.0, 1.0, 0.001)
# Keys in the body, without case, underscores and hyphens: of Google, Hugging Face, and gateways that copy headers.
_DELAY_KEYS = frozenset({"retrydelay", "estimatedtime", "retryafter", "retryafterseconds", "retryafterms"})
# A larger number is a point in time, in seconds or milliseconds since 1970, and not a delay.
_EARLIEST_MOMENT = 1_000_000_000.0
_EARLIEST_MILLISECONDS = _EARLIEST_MOMENT * 1000
# `x-ratelimit-reset-requests`, `anthropic-ratelimit-tokens-reset`, `ratelimitbysize-reset`, and many more.
_RESET_HEADER = re.compile(r"(?=.*rate-?limit)(?=.*reset)[a-z-]+")
# `"default";r=0;t=30`, as in the draft of the IETF.
_LIMIT_LEFT = re.compile(r"(?:^|[;,\s])(?:r|remaining)=(\d+)")
_LIMIT_TIME = re.compile(r"(?:^|[;,\s])(?:t|reset)=(\d+)")


def named_seconds(headers: Mapping[str, str], data: Any, words: str = "") -> float | None:
    """Returns the seconds until the server wants another call; None if it names no time."""
    for seconds in (retry_after(headers), _delay_in(data), _delay_in_words(words), _reset(headers)):
        if seconds is not None:
            return seconds
    return None


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Returns the delay of a header that is about the next call, and not about a limit."""
    for header in ("retry-after-ms", "x-ms-retry-after-ms"):
        if (milliseconds := _number(headers.get(header, ""))) is not None:
            return max(0.0, milliseconds / 1000)
    for header in ("retry-after", "x-retry-after"):
        if (seconds := _seconds(headers.get(header, ""))) is not None:
            return seconds
    return None


def _delay_in_words(words: str) -> float | None:
    """Reads "Please try again in 7m59.56s" or "retry after 20 seconds"."""
    found = _WORDS.search(words)
    if found is None:
        return None
    duration, unit = found.groups()
    seconds = _seconds(duration)
    if seconds is None or unit is None:
        return seconds
    return seconds * _WORD_UNITS[unit.lower()[:3]]


def _reset(headers: Mapping[str, str]) -> float | None:
    """Returns the latest reset of the limits that are used up.

    A limit that doesn't say how much is left may be used up. If something is left of every limit, it is unknown which
    one was too small for the call.
    """
    used_up: list[float] = []
    unclear: list[float] = []
    for seconds, left in _limits(headers):
        if left == 0:
            used_up.append(seconds)
        elif left is None:
            unclear.append(seconds)
    return max(used_up or unclear, default=None)


def _limits(headers: Mapping[str, str]) -> Iterator[tuple[float, float | None]]:
    """Yields the seconds until each limit is reset, and how much is left of it."""
    for header, value in headers.items():
        if _RESET_HEADER.fullmatch(header) and (seconds := _seconds(value)) is not None:
            yield seconds, _number(headers.get(header.replace("reset", "remaining"), ""))
    for limit in headers.get("ratelimit", "").split(","):
        if found := _LIMIT_TIME.search(limit):
            left = _LIMIT_LEFT.search(limit)
            yield float(found[1]), float(left[1]) if left else None


def _seconds(text: str) -> float | None:
    text = text.strip()
    if (number := _number(text)) is not None:
        if number >= _EARLIEST_MILLISECONDS:
            number = number / 1000 - time.time()
        elif number >= _EARLIEST_MOMENT:
            number -= time.time()
        return max(0.0, number)
    duration = _DURATION.fullmatch(text)
    if duration:
        return sum(float(part) * unit for part, unit in zip(duration.groups(), _UNITS, strict=True) if part)
    return _until(text)


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _until(text: str) -> float | None:
    """Reads a date in the form of HTTP or ISO 8601. A date without a zone is in UTC."""
    for read in (parsedate_to_datetime, datetime.fromisoformat):
        try:
            moment = read(text)
        except (ValueError, TypeError, IndexError, OverflowError):
            continue
        return max(0.0, (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - time.time())
    return None


def _delay_in(data: Any) -> float | None:
    """Reads Google's `retryDelay` and similar keys in the body."""
    for name, found in _values(data, 6):
        if (seconds := _seconds(found)) is not None:
            return seconds / 1000 if name.endswith("ms") and _number(found) is not None else seconds
    return None


def _values(data: Any, depth: int) -> Iterator[tuple[str, str]]:
    if isinstance(data, list) and depth:
        for each in data[:20]:
            yield from _values(each, depth - 1)
    elif isinstance(data, dict) and depth:
        for key, value in list(data.items())[:50]:
            name = key.lower().replace("_", "").replace("-", "")
            if name in _DELAY_KEYS and isinstance(value, dict):  # a protobuf Duration
                value = value.get("seconds")
            if (name in _DELAY_KEYS or _RESET_HEADER.fullmatch(key.lower())) and isinstance(value, int | float | str):
                yield name, str(value)
            else:
                yield from _values(value, depth - 1)
