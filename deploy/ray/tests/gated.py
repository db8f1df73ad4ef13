"""A model that answers when the test lets it."""

import asyncio

from deliberation_ray.failures import Failure
from deliberation_ray.model import Answer, ModelCall, Progress


class Gated:
    """Answers once `release` is set; keeps the calls."""

    def __init__(self) -> None:
        self.calls: list[ModelCall] = []
        self.called = asyncio.Event()
        self.release = asyncio.Event()
        self.aborted = 0
        self.failure: Failure | None = None

    async def answer(self, call: ModelCall, progress: Progress) -> Answer:
        self.calls.append(call)
        progress.calls += 1
        progress.tokens = 3
        self.called.set()
        try:
            await self.release.wait()
        except asyncio.CancelledError:
            self.aborted += 1
            raise
        if self.failure:
            raise self.failure
        return Answer("text", "stop", call.model, "text")
