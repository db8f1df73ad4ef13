"""The canned answers of the stand-in model."""

import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "model"))

import canned

LABELS = {"label": {"enum": ["A", "B"]}, "accuracy": {"type": "integer"}}
REVIEW = {"properties": {"reviews": {"items": {"properties": LABELS}}}}


def answer(prompt: str, schema: dict[str, Any] | None = None, model: str = "") -> dict[str, Any]:
    messages = [{"role": "user", "content": prompt}]
    return dict(json.loads(canned.answer(messages, "json_schema", "an id", schema, model)))


def blocked(prompt: str, model: str = "") -> list[bool]:
    return [bool(review["blocking"]) for review in answer(prompt, REVIEW, model)["reviews"]]


def test_a_revision_extends_its_proposal() -> None:
    prompt = "## How to revise\n\n## Your proposal\n<fence>\nCANNED a queue.\n</fence>\n\n## Review 1\nCANNED clear."
    assert answer(prompt)["proposal"] == "CANNED a queue, with a switch that turns it off."


def test_a_thorough_reviewer_blocks_what_was_not_revised() -> None:
    revised = "CANNED a queue, with a switch that turns it off."
    prompt = f"## How to review\n\n## Proposal A\n{revised}\n\n## Proposal B\nCANNED a queue."
    assert blocked(prompt, canned.THOROUGH) == [False, True]
    assert blocked(f"{prompt}\n{canned.STRICT}") == [True, True]
