"""When a server that refuses a call wants the next one: the forms in which servers say so."""

import math
import re
import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

# `6m0s`, `1.5s`, `250ms`, as Go prints a duration.
_DURATION = re.compile(r"(?=.)(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+(?:\.\d+)?)s)?(?:(\d+(?:\.\d+)?)ms)?")
_WORDS = re.compile(
    r"(?:try again|retry)(?: your request)? (?:in|after) (?:about )?"
    r"((?:\d+(?:\.\d+)?(?:ms|[dhms])?)+)(?:\s+(seconds?|minutes?))?",
    re.IGNORECASE,
)
_UNITS = (86_400.0, 3_600.0, 60.0, 1.0, 0.001)
_DELAY_KEYS = ("retryDelay", "retry_delay", "estimated_time", "retry_after")
# A number beyond this is a moment, in seconds or milliseconds since 1970, and not a time to wait.
_EARLIEST_MOMENT = 1_000_000_000.0
_EARLIEST_MILLISECONDS = _EARLIEST_MOMENT * 1000
_LIMITS = ("requests", "tokens", "input-tokens", "output-tokens")
_RESET_HEADERS = (
    "x-ratelimit-reset",
    "ratelimit-reset",
    "x-rate-limit-reset",
    *(f"x-ratelimit-reset-{limit}" for limit in _LIMITS),
    *(f"anthropic-ratelimit-{limit}-reset" for limit in _LIMITS),
)


def named_seconds(headers: Mapping[str, str], data: Any, words: str = "") -> float | None:
    """Seconds until the server wants a call again; None when it names no time."""
    for header in ("retry-after-ms", "x-ms-retry-after-ms"):
        if (milliseconds := _number(headers.get(header, ""))) is not None:
            return max(0.0, milliseconds / 1000)
    for header in ("retry-after", "x-retry-after"):
        if (seconds := _seconds(headers.get(header, ""))) is not None:
            return seconds
    if (seconds := _delay_in(data)) is not None:
        return seconds
    if (seconds := _delay_in_words(words)) is not None:
        return seconds
    return _reset(headers)


def _delay_in_words(words: str) -> float | None:
    """Of "Please try again in 7m59.56s" or "retry after 20 seconds"."""
    found = _WORDS.search(words)
    if found is None:
        return None
    duration, unit = found.groups()
    seconds = _seconds(duration)
    if seconds is None or unit is None:
        return seconds
    return seconds * (60 if unit.lower().startswith("min") else 1)


def _reset(headers: Mapping[str, str]) -> float | None:
    """The reset of the limit that is used up; of several limits the latest, when the server doesn't say which."""
    named: list[float] = []
    used_up: list[float] = []
    for header in _RESET_HEADERS:
        seconds = _seconds(headers.get(header, ""))
        if seconds is None:
            continue
        named.append(seconds)
        if _number(headers.get(header.replace("reset", "remaining"), "")) == 0:
            used_up.append(seconds)
    return max(used_up or named, default=None)


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
    return None if math.isnan(number) else number


def _until(text: str) -> float | None:
    """Of a date, as HTTP or ISO 8601 writes it."""
    for read in (parsedate_to_datetime, datetime.fromisoformat):
        try:
            return max(0.0, read(text).timestamp() - time.time())
        except (ValueError, OverflowError):
            continue
    return None


def _delay_in(data: Any) -> float | None:
    """Google's `retryDelay` and Hugging Face's `estimated_time`, which stand in the body."""
    for found in _values(data, 5):
        if (seconds := _seconds(str(found))) is not None:
            return seconds
    return None


def _values(data: Any, depth: int) -> Iterator[Any]:
    if isinstance(data, list) and depth:
        for each in data[:20]:
            yield from _values(each, depth - 1)
    elif isinstance(data, dict) and depth:
        for key, value in list(data.items())[:50]:
            if key in ("retryDelay", "retry_delay", "estimated_time", "retry_after") and isinstance(
                value, int | float | str
            ):
                yield value
            else:
                yield from _values(value, depth - 1)
