"""A model's reply, put together from the pieces that its server sends."""

import re
from dataclasses import dataclass
from typing import Any

from deliberation_ray import untrusted
from deliberation_ray.ending import cut_reason, ending_of
from deliberation_ray.failures import Failure
from deliberation_ray.parts import piece_of
from deliberation_ray.pieces import Pieces
from deliberation_ray.progress import Progress
from deliberation_ray.sse import TooLarge

ANSWER_BYTES = 1024 * 1024
_MODEL_CHARACTERS = 200
_FINISH_REASON_CHARACTERS = 64
_REFUSAL_CHARACTERS = 500

# A text of a few characters may consist only of marks that delimit thoughts.
_MARKS_CHARACTERS = 64
_BEGINS_WITH_OBJECT = re.compile(r"\s*(```\w*\s*)?[\[{]")
# While the runner is short of memory, no answer may be larger. A worker keeps less than this.
SHORT_BYTES = 64 * 1024


@dataclass(frozen=True)
class Answer:
    """`reasoning_text` has the model's thoughts if no text came, or only a few characters."""

    text: str
    finish_reason: str
    model: str
    response_format: str
    reasoning_text: str = ""


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
        self._text = progress.texts = Pieces()
        self._thoughts = Pieces()
        self._refusal = ""
        self._called_tool = False
        self._bytes = 0

    @property
    def begun(self) -> bool:
        """Whether any text or thought has come."""
        return bool(self._text or self._thoughts)

    @property
    def has_text(self) -> bool:
        return bool(self._text)

    def take(self, event: dict[str, Any]) -> None:
        if not self._model:
            self._model = untrusted.text(event.get("model"), _MODEL_CHARACTERS)
        if usage := event.get("usage"):
            self._take_usage(usage)
        choices = event.get("choices")
        if not isinstance(choices, list):
            return
        for choice in choices:
            # Calls ask for one choice only.
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
            delta = choice.get("message") if not self._text else None
        if isinstance(delta, dict):
            self._take_delta(delta)
        elif isinstance(choice.get("text"), str):
            self._add(choice["text"], "")
        reason = untrusted.text(choice.get("finish_reason"), _FINISH_REASON_CHARACTERS)
        # The delta is taken first, since an answer that is too large has not finished.
        if reason and ending_of(reason) != "unnamed":
            self._finishes += 1
            self.finished_once = self._finishes == 1
            self.finish_reason = reason

    def _take_delta(self, delta: dict[str, Any]) -> None:
        piece = piece_of(delta)
        self._add(piece.text, piece.thought)
        self._refusal = (self._refusal + piece.refusal)[:_REFUSAL_CHARACTERS]
        self._called_tool |= piece.tool

    def _add(self, content: str, thought: str) -> None:
        if not content and not thought:
            return
        progress = self._progress
        if not progress.first_token_ms:
            progress.began()
        progress.tokens += 1
        progress.characters += len(content)
        self.finished_once = False
        self._hold(len(content.encode(errors="replace")) + len(thought.encode(errors="replace")))
        if content:
            self._text.add(content)
        if thought:
            self._thoughts.add(thought)
        progress.on_token()

    def _hold(self, size: int) -> None:
        self._bytes += size
        if self._bytes > ANSWER_BYTES:
            raise TooLarge(f"the answer is larger than {ANSWER_BYTES} bytes")
        if not self._progress.hold(size) and self._bytes > SHORT_BYTES:
            # A later attempt may find room.
            message = f"the answer is larger than {SHORT_BYTES} bytes, and the runner is short of memory"
            raise Failure("ModelUnavailable", message)

    def answer(self) -> Answer:
        """Raises Failure unless the answer is whole, or was cut at the token limit with some text before."""
        text, thoughts = self._text.text(), self._thoughts.text()
        ending, silent = ending_of(self.finish_reason), not text.strip()
        refusal = self._refusal.strip()
        if ending == "filtered" or (refusal and silent):
            said = f": {refusal}" if refusal else ""
            raise Failure(
                "ModelRejected", f"the answer was refused or filtered ({self.finish_reason or 'refusal'}){said}"
            )
        if ending == "called a tool" or (self._called_tool and silent):
            reason = self.finish_reason or "tool call"
            raise Failure("ModelRejected", f"the model called a tool instead of answering ({reason})")
        if ending == "broken":
            raise Failure("ModelUnavailable", f"the stream ended early: {self.finish_reason}")
        if ending == "cut" and silent and not _BEGINS_WITH_OBJECT.match(thoughts):
            raise self._without_text(bool(thoughts))
        return Answer(
            text=untrusted.text(text, ANSWER_BYTES),
            finish_reason=cut_reason(self.finish_reason) if ending == "cut" else self.finish_reason,
            model=self._model or self._asked_model,
            response_format=self._format,
            reasoning_text=untrusted.text(thoughts, ANSWER_BYTES) if len(text.strip()) <= _MARKS_CHARACTERS else "",
        )

    def _without_text(self, thoughts: bool) -> Failure:
        """Returns the failure of a reply without text. After thoughts only, another try would cost the same again."""
        limit = f"max_tokens ({self._limit})" if self._limit else "the token limit"
        if not thoughts and not self._reasoning_tokens:
            return Failure("Truncated", f"no text came before {limit} was reached; raise protocol.max_tokens")
        message = (
            f"all tokens up to {limit} were thoughts, and no answer came; raise protocol.max_tokens,"
            " or let the model think less through protocol.extra_body"
        )
        return Failure("Truncated", message, hopeless=True)
