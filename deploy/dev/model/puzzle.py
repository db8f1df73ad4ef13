"""Sums that the stand-in mostly solves, and reviews of them that are mostly right.

They let a comparison of ways to deliberate show differences on a laptop. How often the stand-in is right says
nothing about any real model.
"""

import math
import re
from dataclasses import dataclass

_SUM = re.compile(r"(?:What is|is equal to) ([0-9][0-9+*\- ]*)\?")
_TERM = re.compile(r"([+-]?) ?(\d+(?: \* \d+)*)")
_OPTION = re.compile(r"\(([A-D])\) (-?\d+)")
_ANSWER = re.compile(r"Answer: (\S+)")
_PROPOSAL = re.compile(r"^## Proposal ([A-Z]+)$", re.MULTILINE)

SOLVED = 0.6
SEEN_RIGHT = 0.8


@dataclass(frozen=True)
class Puzzle:
    right: str
    wrong: tuple[str, ...]

    def answer(self, chance: int, luck: int) -> str:
        """Returns the right answer for a share of all chances from 0 to 255, else one of the wrong ones."""
        return self.right if chance < 256 * SOLVED else self.wrong[luck % len(self.wrong)]

    def seems_right(self, section: str, chance: int) -> bool:
        given = _ANSWER.findall(section)
        right = bool(given) and given[-1] == self.right
        return right if chance < 256 * SEEN_RIGHT else not right


def find(text: str) -> Puzzle | None:
    """Returns the puzzle that a prompt asks for, if it asks for one."""
    asked = _SUM.search(text)
    if asked is None:
        return None
    total = sum((-1 if sign == "-" else 1) * _product(term) for sign, term in _TERM.findall(asked[1]))
    options = dict(_OPTION.findall(text[asked.end() : asked.end() + 200]))
    if options:
        right = [letter for letter, value in options.items() if int(value) == total]
        return Puzzle(right[0], tuple(letter for letter in options if letter != right[0])) if right else None
    return Puzzle(str(total), tuple(str(total + off) for off in (-10, -2, -1, 1, 2, 10)))


def sections(text: str) -> dict[str, str]:
    """Returns the proposals of a review prompt by their labels."""
    parts = _PROPOSAL.split(text)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def _product(term: str) -> int:
    return math.prod(int(factor) for factor in term.split(" * "))
