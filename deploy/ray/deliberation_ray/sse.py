"""Server-sent events as model servers write them: a reader of the few fields that count."""

import json
import re
from typing import Any, Final

_BOM = b"\xef\xbb\xbf"
# No model server spreads an object over more data lines than this.
_MOST_DATA_LINES = 64
# Some proxies write the field's name twice.
_DATA_AGAIN = re.compile(rb"(?:\s*data:)+\s*")
_DONE_BYTES = len(b'"[DONE]"')
_FIELDS = frozenset({b"", b"data", b"event", b"id", b"retry"})
# Even a long string is parsed quickly. A million small objects would hold up the event loop for half a second.
_MOST_BRACKETS = 100_000


class TooLarge(Exception):  # noqa: N818 — becomes the failure AnswerTooLarge
    """The server sends more than any permitted answer needs."""


class Lines:
    """Cuts blocks of bytes into lines. A line may end with LF, CR or both."""

    def __init__(self, most_bytes: int, longest_line: int) -> None:
        self._left = most_bytes
        self._longest = longest_line
        self._unfinished: list[bytes] = []
        self._unfinished_bytes = 0
        self._first = True
        self._ended_with_cr = False

    def of(self, block: bytes) -> list[bytes]:
        """Returns the lines that this block completes."""
        self._count(block)
        if self._ended_with_cr:
            block = block.removeprefix(b"\n")  # CR LF, in two blocks
        self._ended_with_cr = block.endswith(b"\r")
        if self._first:
            self._first = False
            block = block.removeprefix(_BOM)
        if b"\r" in block:
            block = block.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        head, end, tail = block.rpartition(b"\n")
        if not end:
            self._keep(tail)
            return []
        lines = head.split(b"\n")
        if self._unfinished:
            lines[0] = b"".join([*self._unfinished, lines[0]])
            self._unfinished.clear()
            self._unfinished_bytes = 0
        self._keep(tail)
        return lines

    def rest(self) -> list[bytes]:
        """Returns the last line, if the stream ended without a line end."""
        last = b"".join(self._unfinished)
        self._unfinished.clear()
        return [last] if last else []

    def _count(self, block: bytes) -> None:
        self._left -= len(block)
        if self._left < 0:
            raise TooLarge("the response is longer than any permitted answer needs")

    def _keep(self, tail: bytes) -> None:
        if not tail:
            return
        self._unfinished.append(tail)
        self._unfinished_bytes += len(tail)
        if self._unfinished_bytes > self._longest:
            raise TooLarge(f"one event of the response is larger than {self._longest} bytes")


class Malformed(Exception):  # noqa: N818 — becomes the failure ModelUnavailable
    """An event is an object that is not JSON: a piece of the answer may be lost."""


class Done:
    """The type of `DONE`."""


DONE: Final = Done()


class Events:
    """Turns lines into the JSON objects that the events carry.

    It is lenient where servers are careless. Each `data:` line that is JSON by itself is an event, since some servers
    leave out the blank line between events. Some write `data:` twice, or only before the first line of an object.
    Comments, ids, `retry:` and data that is no object are ignored.
    """

    def __init__(self) -> None:
        self.words = ""  # the last text that was no event: possibly an error message
        self._pending: list[bytes] = []
        self._names_error = False

    def of(self, line: bytes) -> dict[str, Any] | Done | None:
        """Returns the event that this line completes, if any. An error is an object with the key `error`."""
        if line.startswith(b"data:"):
            return self._data(line[5:].strip())
        if not line:
            self._blank()
            return None
        name, _, value = line.partition(b":")
        if name == b"event":
            self._names_error = value.strip() == b"error"
        elif name == b"error":
            return {"error": _parsed(value.strip()) or value.decode(errors="replace").strip()}
        elif self._pending and name not in _FIELDS:
            return self._data(line)
        elif name not in _FIELDS:
            self._say(line)
        return None

    def end(self) -> None:
        """Raises Malformed if the stream ended within an object."""
        self._blank()

    def _data(self, data: bytes) -> dict[str, Any] | Done | None:
        if repeated := _DATA_AGAIN.match(data):
            data = data[repeated.end() :]
        if len(data) <= _DONE_BYTES and data.strip(b'"[]').upper() == b"DONE":
            return DONE
        if self._pending:
            data = b"\n".join([*self._pending, data])
        if not data:
            return None
        value = _parsed(data)
        if value is None and data[:1] in b"{[":
            self._wait_for_more(data)
            return None
        self._pending.clear()
        if value is None and data != b"null":
            self._say(data)
        if self._names_error:
            return {"error": value if value is not None else self.words}
        if isinstance(value, list) and value and isinstance(value[0], dict) and value[0].get("error"):
            value = value[0]
        return value if isinstance(value, dict) else None

    def _say(self, text: bytes) -> None:
        self.words = text[:1000].decode(errors="replace").strip()

    def _wait_for_more(self, data: bytes) -> None:
        """The object may continue on the next data line."""
        self._pending = data.split(b"\n")
        if len(self._pending) > _MOST_DATA_LINES:
            self._blank()

    def _blank(self) -> None:
        self._names_error = False
        if self._pending:
            self._pending.clear()
            raise Malformed("an event of the stream is not JSON")


def check_parts(data: bytes | bytearray) -> None:
    """Raises TooLarge if the JSON would take long to parse."""
    if data.count(b"{") + data.count(b"[") > _MOST_BRACKETS:
        raise TooLarge("the response has more parts than any answer")


def _parsed(data: bytes) -> Any:
    check_parts(data)
    try:
        return json.loads(data.decode(errors="replace"))
    except (ValueError, RecursionError):
        return None
