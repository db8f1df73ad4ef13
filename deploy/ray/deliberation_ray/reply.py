"""A model's reply, put together from the pieces that its server sends."""

import re
from dataclasses import dataclass
from typing import Any

from deliberation_ray import untrusted
from deliberation_ray.failures import Failure
from deliberation_ray.progress import Progress
from deliberation_ray.sse import TooLarge

ANSWER_BYTES = 1024 * 1024
_MODEL_CHARACTERS = 200
_FINISH_REASON_CHARACTERS = 64
_REFUSAL_CHARACTERS = 500

_THOUGHT_KEYS = ("reasoning_content", "reasoning", "thinking", "thoughts")
_THOUGHT_PARTS = frozenset({"thinking", "reasoning", "reasoning_text", "summary_text"})

# How an answer ended, by parts of the words that servers use. The first match counts.
_ENDINGS = {
    "filtered": r"filter|safety|block|prohibited|refus|recitation|spii|moderat|guardrail|sensitive|toxic",
    "called a tool": r"tool|function",
    "broken": r"cancel|abort|error|fail|timeout|timed|interrupt|resource|network|unload",
    "cut": r"length|max_|maxtokens|limit",
}


@dataclass(frozen=True)
class Answer:
    """`reasoning_text` has the model's thoughts if no text came."""

    text: str
    finish_reason: str
    model: str
    response_format: str
    reasoning_text: str = ""


def ending_of(finish_reason: str) -> str:
    """`whole`, or in what way the answer is not."""
    for ending, words in _ENDINGS.items():
        if re.search(words, finish_reason, re.IGNORECASE):
            return ending
    return "whole"


class Reply:
    """Takes the events of one stream, or one object of a server that doesn't stream."""

    def __init__(self, model: str, response_format: str, progress: Progress, limit: int | None) -> None:
        self.finish_reason = ""
        self.finished_once = False  # exactly one event named a finish reason, and no text came after it
        self._finishes = 0
        self._model = ""
        self._asked_model = model
        self._format = response_format
        self._progress = progress
        self._limit = limit
        self._spent_before = (progress.prompt_tokens, progress.completion_tokens)
        self._reasoning_tokens = 0
        self._texts: list[str] = []
        progress.texts = self._texts
        self._thoughts: list[str] = []
        self._refusals: list[str] = []
        self._bytes = 0

    @property
    def begun(self) -> bool:
        """Whether the model has said anything, thoughts included."""
        return bool(self._texts or self._thoughts)

    def take(self, event: dict[str, Any]) -> None:
        if not self._model:
            self._model = untrusted.text(event.get("model"), _MODEL_CHARACTERS)
        if usage := event.get("usage"):
            self._take_usage(usage)
        choices = event.get("choices")
        if not isinstance(choices, list):
            return
        for choice in choices:
            # Only one choice is ever asked for.
            if isinstance(choice, dict) and choice.get("index") in (0, None):
                self._take_choice(choice)

    def _take_usage(self, usage: Any) -> None:
        """Takes the last usage of a call: some servers report in each event what was used so far."""
        if not isinstance(usage, dict):
            return
        prompt, completion = self._spent_before
        if count := untrusted.count(usage.get("prompt_tokens")):
            self._progress.prompt_tokens = prompt + count
        if count := untrusted.count(usage.get("completion_tokens")):
            self._progress.completion_tokens = completion + count
        details = usage.get("completion_tokens_details")
        if isinstance(details, dict):
            self._reasoning_tokens = untrusted.count(details.get("reasoning_tokens"))

    def _take_choice(self, choice: dict[str, Any]) -> None:
        delta = choice.get("delta")
        if not isinstance(delta, dict):
            delta = choice.get("message") if not self._texts else None
        if isinstance(delta, dict):
            self._take_delta(delta)
        elif isinstance(choice.get("text"), str):
            self._add(choice["text"], "")
        reason = choice.get("finish_reason")
        # Only after the delta was taken: an answer that is too large has not finished.
        if reason and isinstance(reason, str) and reason.lower() not in ("null", "none"):
            self._finishes += 1
            self.finished_once = self._finishes == 1
            self.finish_reason = untrusted.text(reason, _FINISH_REASON_CHARACTERS)

    def _take_delta(self, delta: dict[str, Any]) -> None:
        content = delta.get("content")
        thought = ""
        if isinstance(content, list):
            content, thought = _joined(content)
        elif not isinstance(content, str):
            content = ""
        if not content and not thought:
            for key in _THOUGHT_KEYS:
                if isinstance(delta.get(key), str) and delta[key]:
                    thought = delta[key]
                    break
        self._add(content, thought)
        if isinstance(delta.get("refusal"), str):
            self._refusals.append(delta["refusal"][:_REFUSAL_CHARACTERS])

    def _add(self, content: str, thought: str) -> None:
        if not content and not thought:
            return
        progress = self._progress
        if not progress.first_token_ms:
            progress.began()
        progress.tokens += 1
        progress.characters += len(content)
        self.finished_once = False
        self._bytes += len(content.encode(errors="replace")) + len(thought.encode(errors="replace"))
        if self._bytes > ANSWER_BYTES:
            raise TooLarge(f"the answer is larger than {ANSWER_BYTES} bytes")
        if content:
            self._texts.append(content)
        if thought:
            self._thoughts.append(thought)
        progress.on_token()

    def answer(self) -> Answer:
        """Raises Failure unless the answer is whole, or was cut at the token limit with some text before."""
        text, thoughts = "".join(self._texts), "".join(self._thoughts)
        ending = ending_of(self.finish_reason)
        refusal = "".join(self._refusals).strip()
        if ending == "filtered" or (refusal and not text.strip()):
            said = f": {refusal}" if refusal else ""
            raise Failure(
                "ModelRejected", f"the answer was refused or filtered ({self.finish_reason or 'refusal'}){said}"
            )
        if ending == "called a tool":
            raise Failure("ModelRejected", f"the model called a tool instead of answering ({self.finish_reason})")
        if ending == "broken":
            raise Failure("ModelUnavailable", f"the stream ended early: {self.finish_reason}")
        if ending == "cut" and not text.strip():
            raise self._without_text(bool(thoughts))
        return Answer(
            text=untrusted.text(text, ANSWER_BYTES),
            finish_reason="length" if ending == "cut" else self.finish_reason,
            model=self._model or self._asked_model,
            response_format=self._format,
            reasoning_text="" if text.strip() else untrusted.text(thoughts, ANSWER_BYTES),
        )

    def _without_text(self, thoughts: bool) -> Failure:
        """Not retryable after thoughts only: the model would think beyond the limit again, and be paid again."""
        limit = f"max_tokens ({self._limit})" if self._limit else "the token limit"
        if not thoughts and not self._reasoning_tokens:
            return Failure("Truncated", f"no text came before {limit} was reached; raise protocol.max_tokens")
        message = (
            f"all tokens up to {limit} were thoughts, and no answer came; raise protocol.max_tokens,"
            " or let the model think less through protocol.extra_body"
        )
        return Failure("Truncated", message, hopeless=True)


def _joined(parts: list[Any]) -> tuple[str, str]:
    """Splits content that is a list of typed parts into text and thoughts."""
    texts: list[str] = []
    thoughts: list[str] = []
    for part in parts:
        if isinstance(part, str):
            texts.append(part)
        elif isinstance(part, dict):
            into = thoughts if part.get("type") in _THOUGHT_PARTS else texts
            into.extend(_strings(part.get("text") or part.get("thinking") or part.get("reasoning"), 3))
    return "".join(texts), "".join(thoughts)


def _strings(value: Any, depth: int) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, list) and depth:
        return [text for each in value for text in _strings(each, depth - 1)]
    if isinstance(value, dict) and depth:
        return _strings(value.get("text"), depth - 1)
    return []
