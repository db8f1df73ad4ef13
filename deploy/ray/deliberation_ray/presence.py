"""Which runners answer.

A slow runner answers late; a runner that hangs never answers. So a question stays open until it is answered. A runner
hangs if it leaves one question open for a minute while its process runs, as far as Ray knows.
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
        """Returns the runner's answer, if it comes in time. A question that is still open is waited for next time."""
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
        """Returns for how many seconds the runner has not answered."""
        since = self._silent_since.get(name)
        return 0.0 if since is None else self._clock() - since

    def is_silent(self, name: str) -> bool:
        return self.silence(name) >= PASSED_OVER_SECONDS

    def may_hang(self, name: str) -> bool:
        """Reports whether one question has been open for longer than any slow runner needs."""
        question = self._questions.get(name)
        return question is not None and self._clock() - question.asked >= HUNG_SECONDS

    def forget(self, name: str) -> None:
        """Drops the question to a runner that was replaced. Its successor is asked a new one."""
        if question := self._questions.pop(name, None):
            question.task.cancel()
        self._silent_since.pop(name, None)
