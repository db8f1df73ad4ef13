"""Response formats: what a server was seen to refuse, and what to ask instead."""

import re
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import openai

from deliberation_ray.failures import text_of

LADDER = ("json_schema", "json_object", "text")
_REMEMBER_SECONDS = 600.0
_REMEMBER_ENDPOINTS = 1024
_NAMES_THE_FORMAT = re.compile(r"response_format|json_schema|guided|structured_outputs|grammar", re.IGNORECASE)


def refuses_format(error: openai.APIError) -> bool:
    """Servers agree on no status and no code for it (one answers 500): only the words tell."""
    return _NAMES_THE_FORMAT.search(text_of(error)) is not None


class FormatMemory:
    """Per endpoint the first step of the ladder that it takes; forgotten after a while, since servers are upgraded."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lowest: OrderedDict[tuple[str, str], tuple[int, float]] = OrderedDict()

    def steps(self, endpoint: tuple[str, str], asked: str) -> list[str]:
        """The formats to try in order, beginning with the one asked for or what is known to work."""
        first = LADDER.index(asked)
        lowest, until = self._lowest.get(endpoint, (0, 0.0))
        if until > self._clock():
            first = max(first, lowest)
        return list(LADDER[first:])

    def refused(self, endpoint: tuple[str, str], step: str) -> None:
        self._lowest[endpoint] = (LADDER.index(step) + 1, self._clock() + _REMEMBER_SECONDS)
        self._lowest.move_to_end(endpoint)
        while len(self._lowest) > _REMEMBER_ENDPOINTS:
            self._lowest.popitem(last=False)


def with_format(parameters: dict[str, Any], step: str) -> dict[str, Any]:
    """The parameters for one step: the caller's own format, a bare json_object, or none."""
    given = parameters.get("response_format") or {}
    rest = {name: value for name, value in parameters.items() if name != "response_format"}
    if given.get("type") == step:
        return parameters
    return {**rest, "response_format": {"type": step}} if step == "json_object" else rest
