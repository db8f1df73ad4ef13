"""What the scripted server can send, and the pieces that replies are made of."""

import json
from collections.abc import Callable
from typing import Any

Request = dict[str, Any]
Part = bytes | float | str


class Reply:
    """Parts are sent in order: bytes as they are, a number is a pause in seconds, "reset" cuts the connection."""

    def __init__(
        self,
        *parts: Part,
        status: int = 200,
        headers: dict[str, str] | None = None,
        kind: str = "text/event-stream; charset=utf-8",
    ) -> None:
        self.parts = parts
        self.status = status
        self.headers = {"Content-Type": kind, **(headers or {})}


Answer = Callable[[Request], Reply]

CASES: dict[str, tuple[str, Answer]] = {}  # name → what is sent, and the function that answers


def case(name: str, says: str) -> Callable[[Answer], Answer]:
    def register(answer: Answer) -> Answer:
        CASES[name] = (says, answer)
        return answer

    return register


# A draft has the higher score and another text, so that a wrong pick is seen.
GOOD = {"proposal": "FINAL: use a token bucket per account", "reasoning": "fair and cheap", "score": 0.8}
DRAFT = {"proposal": "DRAFT: sleep in the handler", "reasoning": "first idea", "score": 0.99}
GOOD_TEXT = json.dumps(GOOD)
DRAFT_TEXT = json.dumps(DRAFT)
PARTIAL = '{"proposal": "FINAL: use a token bu'


def chunk(delta: Any = None, finish: Any = None, **more: Any) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta or {}, "finish_reason": finish}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "m",
        "choices": [choice],
        **more,
    }


def usage(prompt: int = 40, completion: int = 20) -> dict[str, Any]:
    tokens = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
    return {**chunk(), "choices": [], "usage": tokens}


def event(data: Any, end: str = "\n\n", field: str = "data: ") -> bytes:
    text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
    return (field + text + end).encode()


DONE = event("[DONE]")


def pieces(text: str, size: int = 12) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)]


def stream(
    text: str, finish: Any = "stop", end: str = "\n\n", field: str = "data: ", each: Any = None, tail: bool = True
) -> list[bytes]:
    """The usual stream: role, content in pieces, finish (none where it is ...), usage, [DONE]."""
    events: list[Any] = [chunk({"role": "assistant", "content": ""}, each)]
    events += [chunk({"content": piece}, each) for piece in pieces(text)]
    if finish is not ...:
        events.append(chunk({}, finish))
    if tail:
        events += [usage(), "[DONE]"]
    return [event(each, end, field) for each in events]


def answer(text: str, **how: Any) -> Answer:
    return lambda request: Reply(*stream(text, **how))


def refuse(status: int, error: Any, headers: dict[str, str] | None = None, kind: str = "application/json") -> Reply:
    body = error if isinstance(error, bytes | str) else json.dumps(error)
    return Reply(body.encode() if isinstance(body, str) else body, status=status, headers=headers, kind=kind)


def refused(status: int, error: Any, **how: Any) -> Answer:
    return lambda request: refuse(status, error, **how)


def openai_error(
    message: str, code: str | None = None, type: str = "invalid_request_error", param: str | None = None
) -> dict[str, Any]:
    return {"error": {"message": message, "type": type, "param": param, "code": code}}
