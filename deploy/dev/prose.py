"""Checks what people read in tracked Go, Python and Markdown: links, names of files and tests, and words.

Run it from anywhere in the checkout; `make check` does. Each fault is one line with its place. A line with the mark
"prose: kept" may have the word.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# Words that make a reader stop, and what to write instead.
HABITS = {
    r"\btells\b": "reports whether, says, shows",
    r"\b[Aa]new\b": "again",
    r"\b[Bb]eside\b": "next to, in addition to, with",
    r"\b[Bb]ehind (that|this|its|every|no|the (start|end|last|first|deadline|delay|grace|model's))\b": "after",
    r"\bwhat (became|came|becomes|comes) of\b": "what happened to, the outcome of",
    r"\b(came|comes|come) to nothing\b": "failed, has no result",
    r"\bwhat (\w+ )?\w+ (came|comes) to\b": "what … resulted in, the outcome of",
    r"\bso (many|long)\b(?!.*\b(that|as|for|which)\b)": "this many, for this long, n",
}
KEPT = "prose: kept"

LINK = re.compile(r"\]\(([^)\s]+)\)")
FILE = re.compile(
    r"\b(?:domain|workflows|activities|worker|starter|deploy|docs|e2e|internal)/[\w./-]+\.(?:go|py|md|json|yaml)\b"
)
TEST = re.compile(r"`(Test[A-Z]\w+)`")
NEIGHBOUR = re.compile(r"(?<![\w./])([a-z]\w*\.go)\b")


def tracked() -> list[str]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True)
    return [name for name in listed.stdout.split("\0") if name and (ROOT / name).exists()]


def slugs(page: str) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def broken_links(name: str, number: int, line: str) -> Iterator[str]:
    for target in LINK.findall(line):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        page = (ROOT / name).parent / path if path else ROOT / name
        if not page.exists():
            yield f"{name}:{number}: no such file: {target}"
        elif anchor and anchor not in slugs(page.read_text()):
            yield f"{name}:{number}: no such heading: {target}"


def unknown_names(name: str, number: int, line: str, files: set[str], tests: set[str]) -> Iterator[str]:
    for path in FILE.findall(line):
        if not any(known == path or known.endswith("/" + path) for known in files):
            yield f"{name}:{number}: no such file: {path}"
    for test in TEST.findall(line):
        if test not in tests:
            yield f"{name}:{number}: no such test: {test}"


def unknown_neighbours(name: str, number: int, line: str) -> Iterator[str]:
    """A package's doc.go names files of its own folder."""
    for path in NEIGHBOUR.findall(line):
        if not ((ROOT / name).parent / path).exists():
            yield f"{name}:{number}: no such file: {path}"


def bad_words(name: str, number: int, line: str) -> Iterator[str]:
    for habit, better in HABITS.items():
        for found in re.finditer(habit, line):
            yield f"{name}:{number}: {found.group(0)!r}: write {better!r}"


def tests_in(files: list[str]) -> set[str]:
    """Returns the names of all Go tests."""
    texts = ((ROOT / name).read_text() for name in files if name.endswith("_test.go"))
    return {test for text in texts for test in re.findall(r"^func (Test\w+)\(", text, re.MULTILINE)}


def faults(files: list[str]) -> Iterator[str]:
    known, tests = set(files), tests_in(files)
    for name in files:
        if not name.endswith((".go", ".py", ".md")) or ROOT / name == Path(__file__).resolve():
            continue
        for number, line in enumerate((ROOT / name).read_text().splitlines(), 1):
            if KEPT not in line:
                yield from bad_words(name, number, line)
            if name.endswith(".md"):
                yield from broken_links(name, number, line)
                yield from unknown_names(name, number, line, known, tests)
            elif name.endswith("/doc.go"):
                yield from unknown_neighbours(name, number, line)


def main() -> int:
    found = list(faults(tracked()))
    print("\n".join(found), file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
