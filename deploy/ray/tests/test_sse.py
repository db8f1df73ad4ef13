"""Lines and events, however their bytes are cut."""

import time
from typing import Any

import pytest

from deliberation_ray.sse import DONE, Events, Lines, Malformed, TooLarge


def events_of(sent: bytes, size: int, **bounds: int) -> list[Any]:
    lines, events = Lines(**{"most_bytes": 10_000, "longest_line": 1_000, **bounds}), Events()
    found = []
    for at in range(0, len(sent), size):
        found += [events.of(line) for line in lines.of(sent[at : at + size])]
    found += [events.of(line) for line in lines.rest()]
    events.end()
    return [event for event in found if event is not None]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_bytes_may_be_cut_anywhere(size: int, end: str) -> None:
    sent = '\ufeff: hi\nid: 7\ndata: {"a":"é"}\n\ndata:{"b":\ndata: 2}\n\nretry: 9\ndata: [DONE]'.replace("\n", end)
    assert events_of(sent.encode(), size) == [{"a": "é"}, {"b": 2}, DONE]


@pytest.mark.parametrize(
    ("sent", "events"),
    [
        (b'data: {"a":1}\ndata: {"a":2}\n', [{"a": 1}, {"a": 2}]),
        (b"data: \n\ndata\n\ndata: null\n\ndata: 7\n\ndata: []\n\n: x\n\nnonsense\n\n", []),
        (b'event: error\ndata: {"message":"m"}\n\ndata: {"a":1}\n\n', [{"error": {"message": "m"}}, {"a": 1}]),
        (b"event: error\ndata: it broke\n\n", [{"error": "it broke"}]),
        (b'error: {"code":500}\n\n', [{"error": {"code": 500}}]),
        (b"error: it broke\n\n", [{"error": "it broke"}]),
        (b'data: [{"error":{"code":400}}]\n\n', [{"error": {"code": 400}}]),
    ],
)
def test_what_servers_send(sent: bytes, events: list[Any]) -> None:
    assert events_of(sent, 1000) == events


@pytest.mark.parametrize("sent", [b'data: {"a":\n\n', b'data: {"a":', b"data: {\n" * 100])
def test_a_broken_object_is_not_ignored(sent: bytes) -> None:
    with pytest.raises(Malformed):
        events_of(sent, 1000)


def test_bytes_lines_and_parts_are_bounded() -> None:
    with pytest.raises(TooLarge):
        events_of(b"x" * 1_001, 7)
    with pytest.raises(TooLarge):
        events_of(b"\n" * 10_001, 1000)
    with pytest.raises(TooLarge):
        events_of(b"data: [" + b"{}," * 200_000, 1 << 20, most_bytes=1 << 20, longest_line=1 << 20)
    assert events_of((b"x" * 900 + b"\n") * 11, 7) == []


def test_a_name_that_is_repeated_takes_no_longer_than_other_bytes() -> None:
    begun = time.monotonic()
    size = 1 << 21
    assert events_of(b"data:" * 200_000 + b' {"a":1}\n', size, most_bytes=size, longest_line=size) == [{"a": 1}]
    assert time.monotonic() - begun < 1
