"""Cases of what an answer says."""

import json

from model_cases.reply import (
    DONE,
    DRAFT_TEXT,
    GOOD,
    GOOD_TEXT,
    PARTIAL,
    Reply,
    Request,
    answer,
    case,
    chunk,
    event,
    pieces,
    usage,
)

FINAL = "FINAL: use a token bucket"

case("ok", "a good answer, score 0.8")(answer(GOOD_TEXT))
case("ok-low", "a good answer of score 0.3: ranked last unless the others are misread")(
    answer(json.dumps({"proposal": "LOW: do nothing", "reasoning": "cheap", "score": 0.3}))
)
case("case-think-json", "<think> with a draft object, then the object")(
    answer(f"<think>\nmaybe {DRAFT_TEXT}\n</think>\n\n{GOOD_TEXT}")
)
case("case-think-double-end", "</think> twice, then prose")(answer(f"<think>hm</think>\n\n</think>\n\n{FINAL}"))
case("case-thinking-tag", "<thinking> with a draft object, then the object")(
    answer(f"<thinking>\nmaybe {DRAFT_TEXT}\n</thinking>\n\n{GOOD_TEXT}")
)
case("case-thought-prose", "<thought> and prose, no object at all")(
    answer(f"<thought>the user wants a limit; I would first consider sleeping</thought>{FINAL}")
)
case("case-think-bracket", "[THINK] with a draft object, then the object (Magistral)")(
    answer(f"[THINK]maybe {DRAFT_TEXT}[/THINK]{GOOD_TEXT}")
)
case("case-think-unclosed", "<think> that never ends, no object, finish stop")(
    answer("<think>The user wants rate limiting. Let me weigh a token bucket against a leaky bucket")
)
case("case-draft-then-final", "two objects without tags: the draft first, then the final one")(
    answer(f"My first idea is {DRAFT_TEXT}. On reflection, my answer:\n```json\n{GOOD_TEXT}\n```")
)


case("case-draft-then-half", "the draft, then half of the final object, finish stop")(
    answer(f"My first idea is {DRAFT_TEXT}. Better: {PARTIAL}")
)
case("case-thinking-fence", "a block of thoughts with a draft object, then the object")(
    answer(f"```thinking\nmaybe {DRAFT_TEXT}\n```\n\n{GOOD_TEXT}")
)
case("case-open-object", "an object without its closing brace, finish stop")(answer(GOOD_TEXT[:-1]))
case("case-escaped-object", "the object as a JSON string")(answer(json.dumps(GOOD_TEXT)))


@case("case-reasoning-only", "content null throughout, the whole answer in reasoning_content, finish stop")
def reasoning_only(request: Request) -> Reply:
    events = [event(chunk({"role": "assistant", "content": None}))]
    events += [event(chunk({"content": None, "reasoning_content": piece})) for piece in pieces(GOOD_TEXT)]
    return Reply(*events, event(chunk({}, "stop")), event(usage()), DONE)


@case("case-reasoning-then-answer", "reasoning_content with a draft, then content: as it should be")
def reasoning_then_answer(request: Request) -> Reply:
    events = [event(chunk({"role": "assistant", "content": None}))]
    events += [event(chunk({"content": None, "reasoning_content": piece})) for piece in pieces(DRAFT_TEXT)]
    events += [event(chunk({"content": piece, "reasoning_content": None})) for piece in pieces(GOOD_TEXT)]
    return Reply(*events, event(chunk({}, "stop")), event(usage()), DONE)


@case("case-length-thinking", "2,000 tokens of reasoning_content, no content, finish length")
def length_thinking(request: Request) -> Reply:
    events = [event(chunk({"content": None, "reasoning_content": "hm " * 10})) for _ in range(200)]
    return Reply(*events, event(chunk({}, "length")), event(usage(40, 2048)), DONE)


@case("case-content-list", "delta.content is a list of typed parts, thinking among them (Magistral's own API)")
def content_list(request: Request) -> Reply:
    thought = {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}
    events = [event(chunk({"content": [thought]}))]
    events += [event(chunk({"content": [{"type": "text", "text": piece}]})) for piece in pieces(GOOD_TEXT)]
    return Reply(*events, event(chunk({}, "stop")), event(usage()), DONE)


case("case-length-complete", "a complete object, then white space until max_tokens: finish length")(
    answer(GOOD_TEXT + "\n" * 400, finish="length")
)
case("case-length-cut", "half an object, finish length")(answer(PARTIAL, finish="length"))
case("case-raw-newlines", "an object whose strings have literal line ends and tabs (code, markdown)")(
    answer(
        '{"proposal": "FINAL: use a token bucket\n\n```go\nfunc limit() {\n\treturn\n}\n```",'
        ' "reasoning": "fair\nand cheap", "score": 0.8}'
    )
)
case("case-trailing-comma", "an object with a trailing comma")(answer(GOOD_TEXT[:-1] + ",}"))
case("case-single-quotes", "a Python dict instead of JSON")(answer(str(GOOD)))
case("case-unescaped-quotes", "quotes within a string that aren't escaped")(
    answer('{"proposal": "FINAL: use a "token bucket" per account", "reasoning": "fair", "score": 0.8}')
)
case("case-fence-prose", "prose, a fenced object, prose")(
    answer(f"Here is my proposal:\n\n```json\n{json.dumps(GOOD, indent=2)}\n```\n\nLet me know!")
)
case("case-bom", "a byte order mark before the object")(answer("\ufeff" + GOOD_TEXT))
case("case-keys-capital", "Proposal, Reasoning, Score")(
    answer(json.dumps({"Proposal": GOOD["proposal"], "Reasoning": "fair", "Score": 0.8}))
)
case("case-schema-echo", "the JSON schema instead of an answer, the values nested in it")(
    answer(
        json.dumps(
            {
                "type": "object",
                "properties": {
                    "proposal": {"type": "string", "description": "your proposal"},
                    "reasoning": {"type": "string"},
                    "score": {"type": "number"},
                },
                "required": ["proposal", "reasoning", "score"],
            }
        )
    )
)
case("case-template-echo", "the form of the prompt, filled in with its own placeholders")(
    answer('{"proposal": "<your proposal>", "reasoning": "<why it is right>", "score": 0.5}')
)
case("case-list-of-one", "the object in a list")(answer("[" + GOOD_TEXT + "]"))
case("case-nested", "the object under another name")(answer(json.dumps({"answer": GOOD})))
case("case-non-english", "Arabic, Chinese, emoji, combining marks")(
    answer(
        json.dumps(
            {"proposal": "FINAL: دلو الرموز 令牌桶 🪣👩‍💻 e\u0301", "reasoning": "公平", "score": 0.8},
            ensure_ascii=False,
        )
    )
)
case("case-empty", "an empty answer, finish stop")(answer(""))
case("case-whitespace", "blanks only, finish stop")(answer(" \n\n "))

SCORES = {
    "string": '"0.8"',
    "of-ten": '"8/10"',
    "percent": '"85%"',
    "bare-comma": "0,8",
    "ten": "8",
    "list": "[0.8]",
    "object": '{"value": 0.8}',
    "exponent": "8e-1",
    "bare-dot": ".8",
    "missing": None,
    "nan": "NaN",
    "label": '"high"',
}
for name, value in SCORES.items():
    text = f'{{"proposal": "{FINAL}", "reasoning": "fair"' + (f', "score": {value}' if value else "") + "}"
    case(f"case-score-{name}", f"score: {value}")(answer(text))
