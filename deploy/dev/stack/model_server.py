"""The model server that VLLM_URL names: whether it answers, and which models it serves."""

from __future__ import annotations

import http.client
import json
import os
import urllib.error
import urllib.request
from urllib.parse import urlsplit

from stack.console import say

PATIENCE_SECONDS = 5.0


def choose() -> list[str]:
    """Returns the problems with VLLM_URL, and sets VLLM_MODEL if it isn't set and the server has one model."""
    url, model = os.environ.get("VLLM_URL", ""), os.environ.get("VLLM_MODEL", "")
    if not url:
        return [f"VLLM_MODEL={model} needs VLLM_URL, the server that has it"] if model else []
    try:
        served = _served(url)
    except (OSError, http.client.HTTPException, ValueError) as failure:
        why = getattr(failure, "reason", failure)
        cause = f"VLLM_URL: {_models(url)} can't be read: {why}"
        return [f"{cause}; start the model server, or unset VLLM_URL for the stand-in"]
    if model:
        if served and model not in served:
            say(f"  note: {url} doesn't list the model {model!r}; it lists {', '.join(served)}")
        return []
    if len(served) != 1:
        return [f"VLLM_MODEL isn't set, and {url} serves {', '.join(served) or 'no model that it lists'}: name one"]
    os.environ["VLLM_MODEL"] = served[0]
    say(f"  model: {served[0]}, the only one of {url}")
    return []


def _models(url: str) -> str:
    base = url.rstrip("/")
    return f"{base}/models" if base.endswith("/v1") else f"{base}/v1/models"


def _served(url: str) -> list[str]:
    """Returns the models that the server lists; none if it doesn't show its list."""
    if urlsplit(url).scheme not in ("http", "https"):
        raise ValueError("it must begin with http:// or https://")
    try:
        with urllib.request.urlopen(_models(url), timeout=PATIENCE_SECONDS) as answer:
            listed = json.load(answer)
    except urllib.error.HTTPError as refusal:
        if refusal.code in (401, 403, 404, 405):
            return []
        raise
    if not isinstance(listed, dict) or not isinstance(listed.get("data"), list):
        raise ValueError("the answer isn't a list of models")
    return [str(card["id"]) for card in listed["data"] if isinstance(card, dict) and "id" in card]
