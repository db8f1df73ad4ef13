"""The application's metrics. Ray exports them, with `ray_` before each name. No id is a label."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping

from ray.util.metrics import Counter, Gauge, Histogram

from deliberation_ray.failures import Failure
from deliberation_ray.model import Answer, ModelCall, Progress
from deliberation_ray.turn import Call

_log = logging.getLogger("deliberation_ray.metrics")

PERIOD_SECONDS = 5.0
# Callers choose the names of models. After this many names, all further ones are counted as `other`.
_MOST_MODELS = 20
_BOUNDS = [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0]


class RunnerMetrics:
    def __init__(self, name: str) -> None:
        _, build, index = name.split("/")
        self._labels = {"build": build, "runner": index}
        self._models: set[str] = set()
        self._turns = Gauge("deliberation_turns", "turns that a runner holds", ("build", "runner", "state"))
        self._waiting = Gauge("deliberation_turns_waiting", "turns that wait to call", ("build", "runner", "reason"))
        self._refused = Counter(
            "deliberation_refused_submissions",
            "submissions that were refused, by reason",
            ("build", "runner", "reason"),
        )
        called = ("build", "runner", "model", "outcome")
        self._calls = Counter("deliberation_model_calls", "calls of models that ended", called)
        self._seconds = Histogram("deliberation_model_call_seconds", "how long calls took", _BOUNDS, called)
        self._first = Histogram("deliberation_first_token_seconds", "time until the first token", _BOUNDS, called[:-1])

        streamed = ("build", "runner", "outcome")
        self._streamed = Counter("deliberation_token_messages", "messages with the text of turns", streamed)

    def hold(self, census: Mapping[str, int], waiting: Mapping[str, int]) -> None:
        for state, count in census.items():
            self._turns.set(count, {**self._labels, "state": state})
        for reason, count in waiting.items():
            self._waiting.set(count, {**self._labels, "reason": reason})

    def refused(self, reason: str) -> None:
        self._refused.inc(1, {**self._labels, "reason": reason})

    def streamed(self, outcome: str, messages: int) -> None:
        if messages:
            self._streamed.inc(messages, {**self._labels, "outcome": outcome})

    def measured(self, call: Call) -> Call:
        async def measured(asked: ModelCall, progress: Progress) -> Answer:
            began = time.monotonic()
            outcome = "aborted"
            try:
                answer = await call(asked, progress)
                outcome = "completed"
                return answer
            except Failure as failure:
                outcome = failure.kind
                raise
            finally:
                self._called(asked.model, outcome, time.monotonic() - began)
                if progress.first_token_ms:
                    first = progress.started + progress.first_token_ms / 1000
                    self._first.observe(max(0.0, first - began), {**self._labels, "model": self._named(asked.model)})

        return measured

    def _called(self, model: str, outcome: str, seconds: float) -> None:
        labels = {**self._labels, "model": self._named(model), "outcome": outcome}
        self._calls.inc(1, labels)
        self._seconds.observe(seconds, labels)

    def _named(self, model: str) -> str:
        if len(self._models) < _MOST_MODELS:
            self._models.add(model)
        return model if model in self._models else "other"


class GatewayMetrics:
    def __init__(self, build: str) -> None:
        self._labels = {"build": build}
        self._waits = Gauge("deliberation_open_waits", "open awaits of a gateway", ("build",))
        self._refused = Counter(
            "deliberation_refused_requests", "requests that were refused, by route and type", ("build", "route", "type")
        )

    def waits(self, count: int) -> None:
        self._waits.set(count, self._labels)

    def refused(self, route: str, kind: str) -> None:
        self._refused.inc(1, {**self._labels, "route": route, "type": kind})


async def repeat(measure: Callable[[], None]) -> None:
    """Sets the gauges every few seconds, so that setting them costs the requests nothing."""
    while True:
        try:
            measure()
        except Exception as error:
            _log.warning("metrics: %s", type(error).__name__)
        await asyncio.sleep(PERIOD_SECONDS)
