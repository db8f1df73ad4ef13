"""The canned answers. The same request always gets the same answer, and each answer says that it is canned."""

import hashlib
import json
import re
from typing import Any, Literal

import puzzle

Phase = Literal["propose", "review", "revise"]

_PROPOSALS = (
    "a token bucket per account in the gateway, with the limits in configuration",
    "a sliding window per address and account, kept in the existing cache",
    "a middleware that counts failures and slows each further attempt down",
    "a queue in front of the endpoint that drops what exceeds its share",
    "a small service of its own that every endpoint asks before it works",
    "limits at the edge, and a stricter one inside for repeated failures",
)
_REASONINGS = (
    "it needs the fewest moving parts and can be switched off at once",
    "it is fair to shared addresses, and its state may be lost without harm",
    "it costs honest users nothing and makes guessing expensive",
    "it protects the endpoint even while the limits are still being tuned",
)
# The answers of agents that vote. One is more frequent than the other.
_VOTES = ("token bucket", "token bucket", "sliding window")
# What a revision adds to its proposal. It solves what reviews block a proposal for.
_ADDED = "with a switch that turns it off"
_OWN = re.compile(r"## Your proposal\n.*?(CANNED [^.\n]+)", re.DOTALL)
# The instructions of a chair begin with this.
_CHAIR = "You are the chair of a council."


def answer(
    messages: Any, response_format: str | None, request_id: str, schema: dict[str, Any] | None = None, model: str = ""
) -> str:
    """Returns JSON if JSON was asked for, else prose. The id makes agents with the same prompt answer differently."""
    digest = hashlib.sha256(json.dumps([messages, request_id], sort_keys=True).encode()).digest()
    text = _text(messages)
    asked = puzzle.find(text)
    if schema and "reviews" in schema.get("properties", {}):
        review = _review(schema, digest, text, thorough=model == THOROUGH)
        return json.dumps(_checked(review, asked, text, digest) if asked else review)
    if _CHAIR in text:
        proposal = "CANNED final answer: begin with the first proposal, and add the tests that the others ask for."
        reasoning = "Canned text of the stand-in model, as a chair writes it."
        return json.dumps({"proposal": proposal, "reasoning": reasoning, "score": 0.9})
    own = _OWN.search(text)
    proposal = f"{own[1]}, {_ADDED}." if own else f"CANNED {_PROPOSALS[digest[0] % len(_PROPOSALS)]}."
    if asked:
        proposal = f"CANNED sum. Answer: {asked.answer(digest[3], digest[4])}"
    reasoning = f"Canned text of the stand-in model: {_REASONINGS[digest[1] % len(_REASONINGS)]}."
    score = round(0.55 + 0.40 * digest[2] / 255, 2)
    if response_format in ("json_schema", "json_object"):
        said = {"proposal": proposal, "reasoning": reasoning, "score": score}
        if schema and "answer" in schema.get("properties", {}):  # the council votes
            said["answer"] = str(asked.answer(digest[3], digest[4])) if asked else _VOTES[digest[3] % len(_VOTES)]
        return json.dumps(said)
    return f"{proposal} {reasoning} I would give it {score}."


def phase_of(messages: Any) -> Phase:
    """Returns the phase of a council that the prompt belongs to, by the heading of its instructions."""
    text = _text(messages)
    if "## How to review" in text:
        return "review"
    return "revise" if "## How to revise" in text else "propose"


# With this in the task, reviews block every proposal, so that all are revised.
STRICT = "Block every proposal."
# The reviews of this model block every proposal that wasn't revised.
THOROUGH = "canned/thorough"

_CRITIQUES = (
    "it says what to build, but not how it is tested",
    "the idea is sound; name the limits and who may change them",
    "it leaves open what happens when the store is away",
    "clear and short; add how it is rolled back",
)


def _review(schema: dict[str, Any], digest: bytes, text: str, thorough: bool) -> dict[str, Any]:
    """Marks and a ranking in the form of the schema, which has the labels and the criteria."""
    fields = schema["properties"]["reviews"]["items"]["properties"]
    labels = fields["label"]["enum"]
    criteria = [name for name, field in fields.items() if field.get("type") == "integer"]
    proposals = puzzle.sections(text)
    notes, sums = [], {}
    for number, label in enumerate(labels):
        seed = hashlib.sha256(digest + bytes([number % 256])).digest()
        marks = {name: 2 + seed[i % 32] % 4 for i, name in enumerate(criteria)}
        sums[label] = (sum(marks.values()), seed[31])
        critique = f"CANNED {_CRITIQUES[seed[30] % len(_CRITIQUES)]}."
        revised = _ADDED in proposals.get(label, "")
        blocked = STRICT in text or (not revised and (thorough or seed[29] % 4 == 0))
        blocking = ["CANNED it can't be switched off."] if blocked else []
        notes.append({"label": label, **marks, "critique": critique, "blocking": blocking})
    return {"reviews": notes, "ranking": sorted(labels, key=lambda label: sums[label], reverse=True)}


def _checked(review: dict[str, Any], asked: puzzle.Puzzle, text: str, digest: bytes) -> dict[str, Any]:
    """Lets a review prefer the proposals whose answer seems right."""
    found = puzzle.sections(text)
    right = {}
    for number, note in enumerate(review["reviews"]):
        label = note["label"]
        chance = hashlib.sha256(digest + bytes([number % 256])).digest()[28]
        right[label] = asked.seems_right(found.get(label, ""), chance)
        note["accuracy"] = 5 if right[label] else 1
        note["blocking"] = [] if right[label] else ["CANNED the answer is wrong."]
    return {**review, "ranking": sorted(review["ranking"], key=lambda label: not right[label])}


def _text(messages: Any) -> str:
    if not isinstance(messages, list):
        return ""
    contents = (message.get("content") for message in messages if isinstance(message, dict))
    return "\n".join(content if isinstance(content, str) else json.dumps(content) for content in contents)


def tokens(text: str) -> int:
    """Returns about as many tokens as a real tokenizer counts for English."""
    return max(1, len(text) // 4)


def pieces(text: str, count: int) -> list[str]:
    size = max(1, -(-len(text) // count))
    return [text[start : start + size] for start in range(0, len(text), size)] or [""]
