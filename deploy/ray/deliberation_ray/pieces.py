"""A text that grows in small pieces."""

from itertools import chain

# This many pieces are joined into one, since each string takes 50 bytes in addition to its characters.
_JOINED = 256


class Pieces:
    def __init__(self) -> None:
        self.characters = 0
        self._small: list[str] = []
        self._joined: list[str] = []

    def __bool__(self) -> bool:
        return bool(self.characters)

    def add(self, piece: str) -> None:
        self.characters += len(piece)
        self._small.append(piece)
        if len(self._small) == _JOINED:
            self._joined.append("".join(self._small))
            self._small.clear()

    def text(self, start: int = 0) -> str:
        """Returns the text from the character `start` on."""
        missing = self.characters - start
        found: list[str] = []
        for piece in chain(reversed(self._small), reversed(self._joined)):
            if missing <= 0:
                break
            found.append(piece)
            missing -= len(piece)
        text = "".join(reversed(found))
        return text[-missing:] if missing < 0 else text
