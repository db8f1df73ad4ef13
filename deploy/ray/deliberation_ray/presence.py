"""Which runners answer.

A runner that is slow answers late; one that hangs never does. So a question stays open until it is answered, however
late that is. A runner hangs if it leaves one question open for a minute while Ray takes its process to be running.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from deliberation_ray.refusal import Refusal, RunnerMissing, runner_unavailable

Info = dict[str, Any]
Ask = Callable[[str], Awaitable[Info]]

# New deliberations pass over a runner that has been silent for this long.
PASSED_OVER_SECONDS = 10.0
# A runner that has been silent for this long hangs, if Ray calls it alive.
HUNG_SECONDS = 60.0


@dataclass
class _Question:
    task: "asyncio.Task[Info]"
    asked: float


class Presence:
    def __init__(self, ask: Ask, clock: Callable[[], float] = time.monotonic) -> None:
        self._ask = ask
        self._clock = clock
        self._questions: dict[str, _Question] = {}
        self._silent_since: dict[str, float] = {}

    async def look(self, name: str, seconds: float) -> Info | RunnerMissing | Refusal:
        """What the runner answers within the time; a question that is still open then is waited for the next time."""
        question = self._questions.get(name)
        if question is None:
            question = _Question(asyncio.ensure_future(self._ask(name)), self._clock())
            self._questions[name] = question
        await asyncio.wait([question.task], timeout=seconds)
        if not question.task.done():
            self._silent_since.setdefault(name, question.asked)
            return runner_unavailable(f"{name} has not answered for {self.silence(name):.0f} s")
        del self._questions[name]
        return self._read(name, question)

    def _read(self, name: str, question: _Question) -> Info | RunnerMissing | Refusal:
        try:
            answer: Info | RunnerMissing | Refusal = question.task.result()
        except RunnerMissing as missing:
            answer = missing
        except Refusal as refusal:  # Ray is starting or placing the runner
            self._silent_since.setdefault(name, question.asked)
            return refusal
        self._silent_since.pop(name, None)
        return answer

    def silence(self, name: str) -> float:
        """For how many seconds the runner has answered nothing."""
        since = self._silent_since.get(name)
        return 0.0 if since is None else self._clock() - since

    def is_silent(self, name: str) -> bool:
        return self.silence(name) >= PASSED_OVER_SECONDS

    def may_hang(self, name: str) -> bool:
        """Reports whether one and the same question has been open for so long that no slow runner would take it."""
        question = self._questions.get(name)
        return question is not None and self._clock() - question.asked >= HUNG_SECONDS

    def forget(self, name: str) -> None:
        """For a runner that was replaced: its successor is asked a question of its own."""
        if question := self._questions.pop(name, None):
            question.task.cancel()
        self._silent_since.pop(name, None)
