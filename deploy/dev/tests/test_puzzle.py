"""How the stand-in model solves and reviews sums."""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "model"))

import canned
import puzzle

SUM = "What is 17 + 4 * 23 - 8 * 2?"
CHOICE = "Which of these is equal to 12 * 13?\n(A) 146\n(B) 156\n(C) 166\n(D) 157"


def test_sums_and_choices_are_solved():
    assert puzzle.find(SUM).right == "93"
    assert puzzle.find(CHOICE).right == "B"
    assert puzzle.find("Add rate limiting to the login API.") is None


def test_most_answers_are_right_and_the_same_request_gets_the_same():
    messages = [{"role": "user", "content": SUM}]
    answers = [json.loads(canned.answer(messages, "json_schema", str(i)))["proposal"] for i in range(500)]
    assert answers[0] == json.loads(canned.answer(messages, "json_schema", "0"))["proposal"]
    assert 0.5 < sum(answer.endswith("Answer: 93") for answer in answers) / 500 < 0.7


def test_most_reviews_prefer_what_is_right():
    prompt = f"{SUM}\n\n## Proposal A\nAnswer: 93\n\n## Proposal B\nAnswer: 92"
    assert puzzle.sections(prompt)["B"].strip() == "Answer: 92"
    mark, labels = {"type": "integer"}, {"enum": ["A", "B"]}
    fields = {"label": labels, "accuracy": mark}
    schema = {"properties": {"reviews": {"items": {"properties": fields}}}}
    messages = [{"role": "user", "content": prompt}]
    reviews = [json.loads(canned.answer(messages, "json_schema", str(i), schema)) for i in range(500)]
    assert sum(review["ranking"][0] == "A" for review in reviews) / 500 > 0.7


def test_the_phase_is_read_from_the_instructions():
    for text, phase in {"## How to review": "review", "## How to revise": "revise", "## Task": "propose"}.items():
        assert canned.phase_of([{"role": "user", "content": text}]) == phase
