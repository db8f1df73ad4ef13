"""How long an answer about many turns may be, and what is left out of it."""

from typing import Any

from deliberation_ray import answers


def completed(key: str, text: str) -> dict[str, Any]:
    return {"submission_id": key, "incarnation": "i", "state": "completed", "result": {"text": text}}


def running(key: str) -> dict[str, Any]:
    return {"submission_id": key, "incarnation": "i", "state": "running", "result": None}


def test_what_would_be_too_long_is_left_for_the_next_answer() -> None:
    views = [completed(f"t{number}", "x" * 1_000_000) for number in range(20)]
    asked = list(views)
    rounds = 0
    while asked:
        answer = answers.answer(asked)
        assert sum(len(view["result"]["text"]) for view in answer["turns"]) <= answers.MOST_BYTES
        read = {view["submission_id"] for view in answer["turns"]}
        assert {view["submission_id"] for view in asked} == read | set(answer["left"])
        asked = [view for view in views if view["submission_id"] in answer["left"]]
        rounds += 1
    assert rounds == 3


def test_bytes_count_not_characters() -> None:
    views = [completed(f"t{number}", "議" * 1_000_000) for number in range(4)]
    assert answers.answer(views)["left"] == ["t2", "t3"]


def test_what_json_needs_for_a_character_counts() -> None:
    views = [completed(f"t{number}", "\u0001" * 600_000) for number in range(4)]
    assert answers.answer(views)["left"] == ["t2", "t3"]


def test_thoughts_count_too() -> None:
    views = [completed(f"t{number}", "") for number in range(3)]
    for view in views:
        view["result"]["reasoning_text"] = "x" * 5_000_000
    assert answers.answer(views)["left"] == ["t1", "t2"]


def test_one_answer_always_fits() -> None:
    long = completed("t1", "x" * (answers.MOST_BYTES + 1))
    assert answers.answer([long]) == {"turns": [long], "left": []}


def test_turns_without_an_answer_are_never_left_out() -> None:
    views = [completed("t1", "x" * (answers.MOST_BYTES - 2)), running("t2"), completed("t3", "x"), running("t4")]
    answer = answers.answer(views)
    assert [view["submission_id"] for view in answer["turns"]] == ["t1", "t2", "t4"]
    assert answer["left"] == ["t3"]


def test_what_a_runner_left_out_stays_left_out() -> None:
    views = answers.bounded([completed("t1", "xx"), completed("t2", "xx")], limit=5)
    assert answers.answer(views) == {"turns": [completed("t1", "xx")], "left": ["t2"]}
