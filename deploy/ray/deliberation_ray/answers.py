"""Answers about many turns, kept short enough to be sent and read."""

import json
from collections.abc import Iterable
from typing import Any

Plain = dict[str, Any]

# The most bytes of all texts in one answer, as JSON, where a byte takes up to 6. A longer text is sent alone.
MOST_BYTES = 8 * 1024 * 1024


def bounded(views: Iterable[Plain], limit: int = MOST_BYTES) -> list[Plain]:
    """Returns the views. Those whose texts would make the answer too long are marked as left out; one text stays."""
    bounded = []
    used = 0
    for view in views:
        size = _size(view)
        if size and used and used + size > limit:
            view = {key: view[key] for key in ("submission_id", "incarnation", "state") if key in view} | {"left": True}
        else:
            used += size
        bounded.append(view)
    return bounded


def answer(views: Iterable[Plain]) -> Plain:
    """Returns the body: the turns, and the ids of turns that were left out. The caller asks for these again."""
    shown = bounded(views)
    return {
        "turns": [view for view in shown if not view.get("left")],
        "left": [view["submission_id"] for view in shown if view.get("left")],
    }


def _size(view: Plain) -> int:
    result = view.get("result") or {}
    texts = [result.get(name, "") for name in ("text", "reasoning_text")]
    return sum(len(json.dumps(text, ensure_ascii=False).encode(errors="replace")) for text in texts if text)
