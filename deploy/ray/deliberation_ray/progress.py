"""What a turn's calls have produced and cost so far. It stays when a call is aborted."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from deliberation_ray.pieces import Pieces


@dataclass
class Progress:
    calls: int = 0  # calls that the server took; those that it put off or refused don't count
    tokens: int = 0
    characters: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    started: float = field(default_factory=time.monotonic)
    first_token_ms: int = 0
    on_first_token: Callable[[], None] = lambda: None  # called once in each call
    on_token: Callable[[], None] = lambda: None  # called for each token, also of thoughts
    texts: Pieces = field(default_factory=Pieces)  # the text of the current reply, while the turn runs
    hold: Callable[[int], bool] = lambda size: True  # counts more bytes of the answer; False if memory is short

    def elapsed_ms(self) -> int:
        return round((time.monotonic() - self.started) * 1000)

    def began(self) -> None:
        """Called when the first token has come."""
        self.first_token_ms = max(1, self.elapsed_ms())

    def usage(self) -> dict[str, int]:
        """Returns the tokens that the server billed. If an answer broke off, the tokens that came are counted."""
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": max(self.completion_tokens, self.tokens),
        }
