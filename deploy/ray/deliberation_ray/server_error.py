"""A model server's error: its status and its own words, read from any shape of body."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from deliberation_ray import untrusted

_WORDS_CHARACTERS = 1000
_NAME_CHARACTERS = 200
_STATUS = re.compile(r"[1-5][0-9]{2}")
# Keys of messages, without case and underscores. The first one with a text counts.
_MESSAGE_KEYS = (
    "message",
    "errordescription",
    "errormessage",
    "errormsg",
    "error",
    "errors",
    "detail",
    "msg",
    "errmsg",
    "description",
    "reason",
    "fault",
    "faultstring",
    "title",
)
_CODE_KEYS = ("code", "type", "status", "errorcode")
_STATUS_KEYS = ("code", "status", "statuscode", "httpstatus", "errorcode")
_BARE_ERROR_KEYS = frozenset({*_STATUS_KEYS, "detail", "errors", "success", "fault"})
_MOST_KEYS = 50
_INVISIBLE = [
    (re.compile(opening, re.IGNORECASE), re.compile(closing, re.IGNORECASE))
    for opening, closing in (("<!--", "-->"), (r"<script\b", r"</script[^<>]*>"), (r"<style\b", r"</style[^<>]*>"))
]
_TAG = re.compile(r"<[^<>]*>")
# Validators quote their input. A prompt in it must not be taken for the server's words.
_ECHO = re.compile(r"""['"]?(input|input_value|body)['"]?\s*[:=]\s*['"{\[].*""", re.DOTALL)


@dataclass(eq=False)
class ServerError(Exception):
    """`status` is None if the error came within a stream and names none. `data` is the parsed body."""

    status: int | None
    words: str
    code: str = ""
    parameter: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    data: Any = None

    def own_words(self) -> str:
        """Returns the server's words, without what it quotes from the request."""
        return _ECHO.sub("", f"{self.words} {self.code} {self.parameter}")


def error_in_body(status: int | None, body: bytes, headers: Mapping[str, str], reason: str = "") -> ServerError:
    """Reads the error in an HTTP answer: JSON of any shape, a page, or plain text."""
    text = body.decode(errors="replace").strip()
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        data = None
    if isinstance(data, dict | list):
        return error_in_data(status, data, headers, reason)
    shown = _without_tags(text) if text.startswith("<") else text
    return ServerError(status, untrusted.text(shown, _WORDS_CHARACTERS) or reason, headers=headers)


def error_in_data(
    status: int | None, data: Any, headers: Mapping[str, str] | None = None, reason: str = ""
) -> ServerError:
    """Reads the error in JSON: the body of an HTTP error, or an event."""
    words = untrusted.text("; ".join(dict.fromkeys(_messages(data, 4))), _WORDS_CHARACTERS)
    code = " ".join(dict.fromkeys(_names(data, _CODE_KEYS)))
    parameter = " ".join(dict.fromkeys(_names(data, ("param",))))
    named = status if status is not None else _status_in(data)
    return ServerError(named, words or reason, code, parameter, headers or {}, data)


def _without_tags(page: str) -> str:
    page = page[: 16 * _WORDS_CHARACTERS]
    for opening, closing in _INVISIBLE:
        page = _without(page, opening, closing)
    return " ".join(_TAG.sub(" ", page).split())


def _without(page: str, opening: re.Pattern[str], closing: re.Pattern[str]) -> str:
    """Returns the page without the marked parts. It reads the page once, even if many parts have no end."""
    kept, at = [], 0
    while begins := opening.search(page, at):
        kept.append(page[at : begins.start()])
        ends = closing.search(page, begins.end())
        at = ends.end() if ends else len(page)
    return " ".join([*kept, page[at:]])


def _objects(data: Any) -> Iterator[dict[str, Any]]:
    """Yields the object and those that it wraps: Google wraps errors in a list, most others in `error`."""
    if isinstance(data, list):
        data = next((each for each in data if isinstance(each, dict)), None)
    while isinstance(data, dict):
        yield data
        data = data.get("error")


def is_bare_error(event: dict[str, Any]) -> bool:
    """Reports whether the event is an error that some servers send without an `error` around it."""
    if "choices" in event or "usage" in event or not _by_key(event).keys() & _BARE_ERROR_KEYS:
        return False
    status = _status_in(event)
    return (status is None or status >= 400) and any(_messages(event, 4))


def _by_key(data: dict[str, Any]) -> dict[str, Any]:
    return {key.lower().replace("_", ""): value for key, value in list(data.items())[:_MOST_KEYS]}


def _messages(data: Any, depth: int) -> Iterator[str]:
    if isinstance(data, str):
        yield data.strip()
    elif isinstance(data, list):
        for each in data[:5]:
            yield from _messages(each, depth - 1)
    elif isinstance(data, dict) and depth:
        place, values = _place(data), _by_key(data)
        for key in _MESSAGE_KEYS:
            found = [message for message in _messages(values.get(key), depth - 1) if message]
            if found:
                yield f"{place}{found[0]}"
                yield from found[1:]
                break
        metadata = data.get("metadata")
        if isinstance(metadata, dict) and isinstance(metadata.get("raw"), str):
            yield metadata["raw"].strip()  # OpenRouter: the words of the provider


def _place(fault: dict[str, Any]) -> str:
    """Returns the field that a message is about. FastAPI names it in `loc`."""
    place = fault.get("loc")
    if not isinstance(place, list) or not place:
        return ""
    return ".".join(str(step)[:_NAME_CHARACTERS] for step in place[:8]) + ": "


def _names(data: Any, keys: tuple[str, ...]) -> Iterator[str]:
    for each in map(_by_key, _objects(data)):
        for key in keys:
            if isinstance(each.get(key), str) and not _STATUS.fullmatch(each[key]):
                yield untrusted.text(each[key], _NAME_CHARACTERS)


def _status_in(data: Any) -> int | None:
    """Returns the status that an error within a stream gives as its code, as a number or as text."""
    for each in map(_by_key, _objects(data)):
        for key in _STATUS_KEYS:
            value = each.get(key)
            if isinstance(value, int | str) and not isinstance(value, bool) and _STATUS.fullmatch(str(value)):
                return int(value)
    return None


def violations(data: Any) -> Iterator[str]:
    """Yields the names of the limits that were exceeded. Google lists them in the details of an error."""
    for each in _objects(data):
        details = each.get("details")
        for detail in details[:20] if isinstance(details, list) else ():
            listed = detail.get("violations") if isinstance(detail, dict) else None
            for violation in listed[:20] if isinstance(listed, list) else ():
                if isinstance(violation, dict) and isinstance(violation.get("quotaId"), str):
                    yield violation["quotaId"][:_NAME_CHARACTERS]
