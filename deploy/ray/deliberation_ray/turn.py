"""One turn: a model call that the runner owns, and its outcome."""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from deliberation_ray.endpoints import Overload, Party, Place, rfc3339
from deliberation_ray.failures import Failure, Overloaded
from deliberation_ray.model import Answer, ModelCall, Progress
from deliberation_ray.pieces import Pieces
from deliberation_ray.streams import TurnStream
from deliberation_ray.wire import FinalState, State, Submit, TurnSpec

Call = Callable[[ModelCall, Progress], Awaitable[Answer]]


def _model_call(spec: TurnSpec, submit: Submit, traceparent: str) -> ModelCall:
    messages = [
        {
            "role": message.role,
            "content": "".join(submit.common[part.ref] if part.ref else part.text or "" for part in message.parts),
        }
        for message in spec.messages
    ]
    parameters = spec.parameters.model_dump(exclude_unset=True)
    return ModelCall(spec.submission_id, spec.vllm_url, spec.model, messages, parameters, traceparent)


def _memory(text: str) -> int:
    """Returns the bytes that Python uses for the text: with one emoji in it, every character takes four."""
    return sys.getsizeof(text) - sys.getsizeof("")


class Turn:
    """queued → running → completed | failed | cancelled, never back. Watchers are woken at the end."""

    def __init__(self, spec: TurnSpec, submit: Submit, traceparent: str) -> None:
        self.submission_id = spec.submission_id
        self.owner = submit.owner
        self.deliberation = submit.deliberation
        self.run_seconds = spec.run_seconds
        self.keep_seconds = spec.keep_seconds
        self.prompt_bytes = spec.prompt_bytes
        self.answer_bytes = 0  # the part of the answer that has come; the outcome replaces it
        self.outcome_bytes = 0
        self.watchers: set[asyncio.Event] = set()
        self.stream: TurnStream | None = None
        self.state: State = "queued"
        self._agent_id = spec.agent_id
        self._labels = submit.labels
        self._accepted_at = rfc3339()
        self._accepted = time.monotonic()
        self._started_at: str | None = None
        self._progress = Progress()
        self._reason = ""
        self._overran = False
        self._result: dict[str, Any] | None = None
        self._error: dict[str, Any] | None = None
        self._prepare: Callable[[], ModelCall] | None = lambda: _model_call(spec, submit, traceparent)
        self._task: asyncio.Task[Answer] | None = None
        self._place: Place | None = None
        self._overload: Overload | None = None  # what the turn waited for when it was stopped or its time was over
        self._deadline: asyncio.TimerHandle | None = None

    @property
    def ended(self) -> bool:
        return self.state in ("completed", "failed", "cancelled")

    @property
    def party(self) -> Party:
        return self.owner, self.deliberation

    def start(self, call: Call, place: Place, hold: Callable[[int], bool], ended: Callable[["Turn"], None]) -> None:
        """Starts the turn. It then runs by itself: the caller may disconnect.

        `hold` takes more bytes of the answer, and reports whether there is memory for them.
        """
        self._place = place
        self._progress.hold = self._holding(hold)
        self._task = asyncio.create_task(self._run(call, place), name=self.submission_id)

        def conclude(task: "asyncio.Task[Answer]") -> None:
            place.leave()
            self._conclude(task)
            ended(self)
            self._wake()

        self._task.add_done_callback(conclude)
        # wait_for would not do: before Python 3.12 it drops an answer that comes in spite of the cancellation.
        self._deadline = asyncio.get_running_loop().call_later(self.run_seconds, self._overrun)

    def _holding(self, hold: Callable[[int], bool]) -> Callable[[int], bool]:
        def holding(size: int) -> bool:
            self.answer_bytes += size
            return hold(size)

        return holding

    def cancel(self, reason: str) -> None:
        """Aborts the model call. A call that has just ended keeps its outcome."""
        if self._task is not None and not self._task.done() and not self._overran:
            self._reason = self._reason or reason or "stopped"
            self._abort()

    def _overrun(self) -> None:
        if self._task is not None and not self._reason:
            self._overran = True
            self._abort()

    def _abort(self) -> None:
        assert self._task is not None
        self._overload = self._place.overload if self._place else None
        self._task.cancel()

    async def settled(self, seconds: float) -> None:
        """Waits for the turn's end, and never causes it."""
        if self._task is not None and not self.ended:
            await asyncio.wait([self._task], timeout=seconds)
            await asyncio.sleep(0)  # the done callback runs one round after the task

    async def _run(self, call: Call, place: Place) -> Answer:
        assert self._prepare is not None
        # A server that has accepted the call may still put it off in its first event.
        self._progress.on_first_token = place.answered
        while True:
            await place.taken()
            self._begin()
            try:
                answer = await call(replace(self._prepare(), seconds=self._seconds_left()), self._progress)
                place.answered()
                return answer
            except Overloaded as overloaded:
                place.put_off(overloaded)
                self._check_wait(overloaded)
            except Failure:
                place.answered()
                raise

    def _check_wait(self, overloaded: Overloaded) -> None:
        """Raises if the server wants no call before the turn's time is over."""
        seconds = overloaded.seconds
        if seconds is not None and seconds > self._seconds_left():
            raise Failure(overloaded.kind, f"{overloaded.message}; it wants no call for {seconds:.0f} s")

    def _begin(self) -> None:
        """Marks the turn as running; it stays so while it waits to call again."""
        if self.state == "queued":
            self.state, self._started_at = "running", rfc3339()
            self._progress.started = time.monotonic()
            if self.stream is not None:
                self.stream.begin(self._progress)

    def _seconds_left(self) -> float:
        return self.run_seconds - (time.monotonic() - self._accepted)

    def _conclude(self, task: "asyncio.Task[Answer]") -> None:
        # If a task is cancelled before its first step, its coroutine never runs. Only this callback sees the end.
        if task.cancelled() and self._overload:
            self._fail("failed", "ModelOverloaded", self._overload.words, retryable=False)
        elif task.cancelled() and self._overran:
            missing = "complete answer" if self._started_at else "room at the model endpoint"
            timeout = Failure("ModelTimeout", f"no {missing} within {self.run_seconds:g} s")
            self._fail("failed", timeout.kind, timeout.message, timeout.retryable)
        elif task.cancelled():
            self._fail("cancelled", "Cancelled", self._reason or "stopped", retryable=False)
        elif (error := task.exception()) is None:
            self._complete(task.result())
        elif isinstance(error, Failure):
            self._fail("failed", error.kind, error.message, error.retryable)
        else:
            self._fail("failed", "ModelUnavailable", f"internal: {type(error).__name__}", retryable=True)
        # The prompt is no longer needed. An error in the task would keep it, through the frames of its traceback.
        self._prepare = self._task = self._place = None
        self._progress.on_first_token = lambda: None
        self._progress.on_token = lambda: None
        self._progress.hold = lambda size: True
        if self.stream is not None:
            self.stream.end(self.state)
        self._progress.texts = Pieces()  # the outcome has the text
        if self._deadline is not None:
            self._deadline.cancel()

    def _complete(self, answer: Answer) -> None:
        self.state = "completed"
        self.outcome_bytes = _memory(answer.text) + _memory(answer.reasoning_text)
        self._result = {
            "text": answer.text,
            "reasoning_text": answer.reasoning_text,
            "finish_reason": answer.finish_reason,
            "model": answer.model,
            "usage": self._progress.usage(),
            "calls": self._progress.calls,
            "duration_ms": self._duration_ms(),
            "first_token_ms": self._progress.first_token_ms,
            "response_format": answer.response_format,
        }

    def _fail(self, state: FinalState, kind: str, message: str, retryable: bool) -> None:
        self.state = state
        self._error = {
            "type": kind,
            "message": message,
            "retryable": retryable,
            "calls": self._progress.calls,
            "usage": self._progress.usage(),
            "duration_ms": self._duration_ms(),
        }

    def _duration_ms(self) -> int:
        return self._progress.elapsed_ms() if self._started_at else 0

    def _wake(self) -> None:
        for watcher in self.watchers:
            watcher.set()

    def view(self) -> dict[str, Any]:
        return {
            "submission_id": self.submission_id,
            "state": self.state,
            "started_at": self._started_at,
            "progress": {"tokens": self._progress.tokens, "characters": self._progress.characters},
            "waiting": self._place.waiting() if self._place else None,
            "result": self._result,
            "error": self._error,
        }

    def listing(self) -> dict[str, Any]:
        return {
            "submission_id": self.submission_id,
            "deliberation": self.deliberation,
            "agent_id": self._agent_id,
            "labels": self._labels,
            "state": self.state,
            "accepted_at": self._accepted_at,
            "age_seconds": round(time.monotonic() - self._accepted, 3),
        }
