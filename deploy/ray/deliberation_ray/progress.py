"""What a call has brought and cost so far; it outlives a call that is aborted."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from deliberation_ray.pieces import Pieces


@dataclass
class Progress:
    calls: int = 0  # that the server took: one that it put off or refused is none
    tokens: int = 0
    characters: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    started: float = field(default_factory=time.monotonic)
    first_token_ms: int = 0
    on_first_token: Callable[[], None] = lambda: None  # of each call
    on_token: Callable[[], None] = lambda: None  # thoughts included
    texts: Pieces = field(default_factory=Pieces)  # of the reply that comes, as long as the turn runs
    hold: Callable[[int], bool] = lambda size: True  # takes more bytes of the answer; False if memory is short

    def elapsed_ms(self) -> int:
        return round((time.monotonic() - self.started) * 1000)

    def began(self) -> None:
        """The first token has come."""
        self.first_token_ms = max(1, self.elapsed_ms())

    def usage(self) -> dict[str, int]:
        """As billed by the server; for an answer that was cut, the tokens that were seen."""
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": max(self.completion_tokens, self.tokens),
        }
