"""The canned answers: the same request always gets the same answer, and each answer says that it is canned."""

import hashlib
import json
from typing import Any

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


def answer(messages: Any, response_format: str | None, request_id: str, schema: dict[str, Any] | None = None) -> str:
    """Returns JSON if JSON was asked for, else prose. The id makes agents with the same prompt answer differently."""
    digest = hashlib.sha256(json.dumps([messages, request_id], sort_keys=True).encode()).digest()
    if schema and "reviews" in schema.get("properties", {}):
        return json.dumps(_review(schema, digest, strict=STRICT in json.dumps(messages)))
    proposal = f"CANNED {_PROPOSALS[digest[0] % len(_PROPOSALS)]}."
    reasoning = f"Canned text of the stand-in model: {_REASONINGS[digest[1] % len(_REASONINGS)]}."
    score = round(0.55 + 0.40 * digest[2] / 255, 2)
    if response_format in ("json_schema", "json_object"):
        return json.dumps({"proposal": proposal, "reasoning": reasoning, "score": score})
    return f"{proposal} {reasoning} I would give it {score}."


# A task that says this gets reviews which block every proposal, so that all of them are revised.
STRICT = "Block every proposal."

_CRITIQUES = (
    "it says what to build, but not how it is tested",
    "the idea is sound; name the limits and who may change them",
    "it leaves open what happens when the store is away",
    "clear and short; add how it is rolled back",
)


def _review(schema: dict[str, Any], digest: bytes, strict: bool) -> dict[str, Any]:
    """Marks and a ranking in the form of the schema, which has the labels and the criteria."""
    fields = schema["properties"]["reviews"]["items"]["properties"]
    labels = fields["label"]["enum"]
    criteria = [name for name, field in fields.items() if field.get("type") == "integer"]
    notes, sums = [], {}
    for number, label in enumerate(labels):
        seed = hashlib.sha256(digest + bytes([number % 256])).digest()
        marks = {name: 2 + seed[i % 32] % 4 for i, name in enumerate(criteria)}
        sums[label] = (sum(marks.values()), seed[31])
        critique = f"CANNED {_CRITIQUES[seed[30] % len(_CRITIQUES)]}."
        blocking = ["CANNED it can't be switched off."] if strict or seed[29] % 4 == 0 else []
        notes.append({"label": label, **marks, "critique": critique, "blocking": blocking})
    return {"reviews": notes, "ranking": sorted(labels, key=lambda label: sums[label], reverse=True)}


def tokens(text: str) -> int:
    """Returns about as many tokens as a real tokenizer counts for English."""
    return max(1, len(text) // 4)


def pieces(text: str, count: int) -> list[str]:
    size = max(1, -(-len(text) // count))
    return [text[start : start + size] for start in range(0, len(text), size)] or [""]
