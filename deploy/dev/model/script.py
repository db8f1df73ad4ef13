"""Scripts: what the stand-in does instead of its usual answer. Tests set them through the control API."""

import asyncio
from typing import Literal

import canned
from pydantic import BaseModel, ConfigDict, Field


class Step(BaseModel):
    """What happens to one call. A field that is absent changes nothing."""

    model_config = ConfigDict(extra="forbid")

    status: int | None = None
    error: str = "scripted failure"
    headers: dict[str, str] = Field(default_factory=dict)
    delay_seconds: float | None = None
    chunk_delay_seconds: float | None = None
    text: str | None = None
    finish_reason: Literal["stop", "length", "content_filter", "abort"] | None = "stop"
    hang: bool = False
    hold: bool = False
    reset_after_chunks: int | None = None
    reset_after_finish: bool = False
    repeat_bytes: int | None = None
    drip_seconds: float | None = None
    line_bytes: int | None = None
    refuse_formats: list[str] = Field(default_factory=list)
    redirect: str | None = None
    # The step is for a call of this phase. Calls of other phases get the usual answer at once.
    phase: canned.Phase | None = None

    def refusal(self, response_format: str | None) -> tuple[int, str] | None:
        """Returns the status and message of the error that this call gets, if any."""
        if self.refuse_formats:
            if response_format in self.refuse_formats:
                return self.status or 400, f"response_format {response_format} is not supported"
            return None
        return (self.status, self.error) if self.status is not None and self.status >= 400 else None


class Script(BaseModel):
    model_config = ConfigDict(extra="forbid")

    steps: list[Step] = Field(min_length=1)


class Scripts:
    """A list of steps for each model. Each call takes the next step; the last one repeats."""

    def __init__(self) -> None:
        self._steps: dict[str, list[Step]] = {}
        self._gates: dict[str, asyncio.Event] = {}

    def put(self, model: str, script: Script) -> None:
        self._steps[model] = list(script.steps)
        self._gates[model] = asyncio.Event()

    def release(self, model: str) -> None:
        """Lets held calls continue, and all later ones. Until then, a test knows that its calls are open."""
        self.gate(model).set()

    def gate(self, model: str) -> asyncio.Event:
        return self._gates.setdefault(model, asyncio.Event())

    def delete(self, model: str | None) -> None:
        if model is None:
            self._steps.clear()
            self._gates.clear()
        else:
            self._steps.pop(model, None)
            self._gates.pop(model, None)

    def next(self, model: str, phase: canned.Phase) -> Step:
        steps = self._steps.get(model)
        if not steps:
            return Step()
        if steps[0].phase not in (None, phase):
            return Step(delay_seconds=0)
        return steps.pop(0) if len(steps) > 1 else steps[0]
