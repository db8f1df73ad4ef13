"""Request bodies as callers write them."""

import uuid
from typing import Any

from deliberation_ray.wire import Submit


def new_id() -> str:
    return f"t{uuid.uuid4().hex[:26]}"


def turn(submission_id: str = "", url: str = "http://127.0.0.1:1", model: str = "m", **changes: Any) -> dict[str, Any]:
    return {
        "submission_id": submission_id or new_id(),
        "agent_id": "agent-dev-001",
        "vllm_url": url,
        "model": model,
        "messages": [{"role": "user", "parts": [{"ref": "task"}, {"text": " Answer briefly."}]}],
        "parameters": {"temperature": 0.7, "max_tokens": 2048},
        "run_seconds": 60,
        "keep_seconds": 600,
        **changes,
    }


def submit(*turns: dict[str, Any], deliberation: str = "deliberation-1", **changes: Any) -> dict[str, Any]:
    return {
        "owner": "owner-1",
        "deliberation": deliberation,
        "labels": {"task_id": "T-1", "role": "DEV"},
        "common": {"task": "Add rate limiting."},
        "turns": list(turns),
        **changes,
    }


def submitted(*turns: dict[str, Any], **changes: Any) -> Submit:
    return Submit.model_validate(submit(*turns, **changes))


def statuses(answer: list[dict[str, str]]) -> list[str]:
    """What a submit answered, turn by turn."""
    return [each["status"] for each in answer]


SCHEMA = {"type": "json_schema", "json_schema": {"name": "proposal", "schema": {"type": "object"}}}
