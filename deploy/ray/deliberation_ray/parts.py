"""The contents of a piece of a message: text, thoughts or a refusal, in any form that servers send."""

import re
from dataclasses import dataclass
from typing import Any

_THOUGHT_KEYS = (
    "reasoning_content",
    "reasoning",
    "thinking",
    "thinking_content",
    "thoughts",
    "reasoning_details",
    "thinking_blocks",
)
_TEXT_KEYS = ("text", "thinking", "reasoning", "summary", "content")
_THOUGHT_PART = re.compile("think|thought|reason|summary", re.IGNORECASE)
_TOOL_PART = re.compile("tool|function", re.IGNORECASE)
_DEPTH = 4


@dataclass
class Piece:
    text: str = ""
    thought: str = ""
    refusal: str = ""
    tool: bool = False


def piece_of(delta: dict[str, Any]) -> Piece:
    """Reads a delta of a stream, or a whole message."""
    content = delta.get("content")
    piece = Piece(content) if isinstance(content, str) else _of_parts(content)
    if not piece.thought:
        piece.thought = next((found for key in _THOUGHT_KEYS if key in delta and (found := _text(delta[key]))), "")
    if isinstance(delta.get("refusal"), str):
        piece.refusal += delta["refusal"]
    piece.tool = piece.tool or bool(delta.get("tool_calls") or delta.get("function_call"))
    return piece


def _of_parts(content: Any) -> Piece:
    """Reads content that is a list of typed parts, or one part."""
    piece = Piece()
    for part in content if isinstance(content, list) else [content]:
        if isinstance(part, str):
            piece.text += part
        elif isinstance(part, dict):
            _take_part(piece, part)
    return piece


def _take_part(piece: Piece, part: dict[str, Any]) -> None:
    kind = part.get("type")
    kind = kind if isinstance(kind, str) else ""
    if isinstance(part.get("refusal"), str):
        piece.refusal += part["refusal"]
    elif _TOOL_PART.search(kind):
        piece.tool = True
    elif _THOUGHT_PART.search(kind) or part.get("thought") is True:
        piece.thought += _text(part)
    else:
        piece.text += _text(part)


def _text(value: Any, depth: int = _DEPTH) -> str:
    """Returns the text of a value: the value itself, or the text of its parts."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and depth:
        return "".join(_text(each, depth - 1) for each in value)
    if isinstance(value, dict) and depth:
        return next((found for key in _TEXT_KEYS if key in value and (found := _text(value[key], depth - 1))), "")
    return ""
