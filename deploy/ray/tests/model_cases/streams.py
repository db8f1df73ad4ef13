"""Cases of how a stream is framed, and how it ends."""

import json
from typing import Any

from model_cases.reply import (
    DONE,
    GOOD,
    GOOD_TEXT,
    PARTIAL,
    Answer,
    Reply,
    Request,
    answer,
    case,
    chunk,
    event,
    openai_error,
    stream,
    usage,
)

case("case-crlf", "lines end with CRLF")(answer(GOOD_TEXT, end="\r\n\r\n"))
case("case-cr", "lines end with CR")(answer(GOOD_TEXT, end="\r\r"))
case("case-no-space", "no blank after data:")(answer(GOOD_TEXT, field="data:"))
case("case-single-newline", "events are separated by one line end only")(answer(GOOD_TEXT, end="\n"))
case("case-bom-stream", "the stream begins with a byte order mark")(
    lambda request: Reply(b"\xef\xbb\xbf", *stream(GOOD_TEXT))
)


def between(extra: bytes) -> Answer:
    def reply(request: Request) -> Reply:
        events = stream(GOOD_TEXT)
        return Reply(*events[:3], extra, *events[3:])

    return reply


case("case-keepalive-comment", "comment lines between events")(between(b": keep-alive\n\n: OPENROUTER PROCESSING\n\n"))
case("case-empty-data", "an event with an empty data field as keep-alive")(between(b"data:\n\n"))
case("case-blank-data", "an event whose data is a blank")(between(b"data:  \n\n"))
case("case-event-ping", "event: ping with an object as data")(between(b'event: ping\ndata: {"type": "ping"}\n\n'))
case("case-empty-object", "data: {} between events (llama.cpp once)")(between(b"data: {}\n\n"))
case("case-null-event", "data: null between events")(between(b"data: null\n\n"))
case("case-retry-field", "a retry field of its own before the first event")(
    lambda request: Reply(b"retry: 3000\n\n", *stream(GOOD_TEXT))
)


@case("case-multibyte-split", "characters of several bytes split between packets, 5 bytes each")
def multibyte_split(request: Request) -> Reply:
    text = json.dumps({**GOOD, "proposal": "FINAL: 令牌桶 🪣"}, ensure_ascii=False)
    whole = b"".join(stream(text))
    return Reply(*[part for at in range(0, len(whole), 5) for part in (whole[at : at + 5], 0.0005)])


case("case-no-done", "finish_reason, then the end without [DONE]")(answer(GOOD_TEXT, tail=False))
case("case-done-no-finish", "whole content and [DONE], finish_reason null throughout")(answer(GOOD_TEXT, finish=...))
case("case-cut", "half the content, then the connection closes (no [DONE], no finish)")(
    lambda request: Reply(*stream(GOOD_TEXT)[:4], "reset")
)
case("case-ends-without-a-word", "whole content, then the end: no finish_reason, no [DONE]")(
    answer(GOOD_TEXT, finish=..., tail=False)
)
case("case-doubled-data", "data: twice in each event")(answer(GOOD_TEXT, field="data: data: "))
case("case-json-lines", "chunks as lines of JSON, without events")(
    lambda request: Reply(*stream(GOOD_TEXT, field="", end="\n")[:-1])
)
case("case-finish-empty-string", 'finish_reason "" until the end')(answer(GOOD_TEXT, each=""))
case("case-finish-every-chunk", 'finish_reason "stop" in every chunk')(answer(GOOD_TEXT, each="stop"))


@case("case-finish-before-last", "the chunk with finish_reason comes before the last piece of content")
def finish_before_last(request: Request) -> Reply:
    events = stream(GOOD_TEXT)
    return Reply(*events[:-4], events[-3], events[-4], *events[-2:])


@case("case-finish-with-content", "the last piece of content and finish_reason in one chunk")
def finish_with_content(request: Request) -> Reply:
    last = event(chunk({"content": GOOD_TEXT[-5:]}, "stop"))
    return Reply(*stream(GOOD_TEXT[:-5], finish=..., tail=False), last, event(usage()), DONE)


case("case-empty-choices-first", "an opening chunk without choices (Azure)")(
    lambda request: Reply(
        event({"id": "", "object": "", "model": "", "choices": [], "prompt_filter_results": []}), *stream(GOOD_TEXT)
    )
)
case("case-null-choices", "a chunk whose choices are null")(
    lambda request: Reply(event({"model": "m", "choices": None}), *stream(GOOD_TEXT))
)
case("case-no-usage", "no usage at all")(lambda request: Reply(*stream(GOOD_TEXT, tail=False), DONE))
case("case-last-unfinished", "the finish event has no blank line after it, then the end")(
    lambda request: Reply(*stream(GOOD_TEXT, finish=..., tail=False), event(chunk({}, "stop"), end="\n"))
)
case("case-second-choice", "a choice of index 1 before the answer in choice 0")(
    lambda request: Reply(
        event({"model": "m", "choices": [{"index": 1, "delta": {"content": "OTHER"}, "finish_reason": None}]}),
        *stream(GOOD_TEXT),
    )
)


@case("case-json-not-sse", "stream is ignored: one chat.completion as application/json")
def json_not_sse(request: Request) -> Reply:
    message = {"role": "assistant", "content": GOOD_TEXT}
    completion = {
        **usage(),
        "object": "chat.completion",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
    }
    return Reply(json.dumps(completion).encode(), kind="application/json")


WHOLE = {
    "eos": "eos",
    "eos-token": "eos_token",
    "stop-sequence": "stop_sequence",
    "end-turn": "end_turn",
    "stop-upper": "STOP",
    "complete": "COMPLETE",
}
for name, reason in WHOLE.items():
    case(f"case-finish-{name}", f"a whole answer, finish_reason {reason}")(answer(GOOD_TEXT, finish=reason))
NOT_WHOLE = {
    "content-filter": "content_filter",
    "model-length": "model_length",
    "max-tokens": "max_tokens",
    "context-window": "model_context_window_exceeded",
    "recitation": "RECITATION",
    "cancelled": "cancelled",
    "tool-calls-half": "tool_calls",
}
for name, reason in NOT_WHOLE.items():
    case(f"case-partial-{name}", f"half an answer, finish_reason {reason}")(answer(PARTIAL, finish=reason))
case("case-filter-empty", "no content, finish_reason content_filter")(answer("", finish="content_filter"))


@case("case-tool-calls", "content null, a tool call with the answer as its arguments, finish_reason tool_calls")
def tool_calls(request: Request) -> Reply:
    call = {"index": 0, "id": "c1", "type": "function", "function": {"name": "answer", "arguments": GOOD_TEXT}}
    first = event(chunk({"role": "assistant", "content": None, "tool_calls": [call]}))
    return Reply(first, event(chunk({}, "tool_calls")), event(usage()), DONE)


@case("case-tool-calls-stop", "content null, a tool call, finish_reason stop")
def tool_calls_stop(request: Request) -> Reply:
    call = {"index": 0, "id": "c1", "type": "function", "function": {"name": "answer", "arguments": GOOD_TEXT}}
    first = event(chunk({"role": "assistant", "content": None, "tool_calls": [call]}))
    return Reply(first, event(chunk({}, "stop")), event(usage()), DONE)


def in_stream(data: Any, **how: Any) -> Answer:
    return lambda request: Reply(event(chunk({"role": "assistant", "content": ""})), event(data, **how), DONE)


case("case-error-in-stream", "an error object in a 200 stream, code 500")(
    in_stream({"error": {"message": "the engine died", "type": "server_error", "code": 500}})
)
case("case-error-in-stream-429", "an error object in a 200 stream, code 429, as a text")(
    in_stream({"error": {"message": "too many requests", "type": "rate_limit", "code": "429"}})
)
case("case-error-in-stream-context", "an error object in a 200 stream without a code: the context is too small")(
    in_stream({"error": {"message": "the prompt has 9000 tokens, the model was loaded with a context length of 4096"}})
)
case("case-error-object-error", 'object "error" with code and message at the top (old vLLM, FastChat)')(
    in_stream(
        {
            "object": "error",
            "message": "maximum context length is 4096 tokens, 9000 were given",
            "type": "BadRequestError",
            "code": 400,
        }
    )
)
case("case-error-field", "an SSE field `error:` instead of data (old llama.cpp)")(
    in_stream({"code": 500, "message": "the slot is not available", "type": "server_error"}, field="error: ")
)
case("case-error-200-json", "status 200, application/json, an error object")(
    lambda request: Reply(
        json.dumps(openai_error("no such model", code="model_not_found")).encode(), kind="application/json"
    )
)
case("case-html-200", "status 200 and a login page")(
    lambda request: Reply(b"<html><body>Sign in</body></html>", kind="text/html")
)

case("case-stall", "three pieces, then nothing for ten minutes on an open connection")(
    lambda request: Reply(*stream(GOOD_TEXT)[:4], 600.0)
)
case("case-stall-once", "the first call of each two stalls after three pieces, the second answers immediately")(
    lambda request: Reply(*stream(GOOD_TEXT)[:4], 600.0) if request["_count"] % 2 else Reply(*stream(GOOD_TEXT))
)
case("case-slow-40s", "nothing but comments for 40 s, then the answer")(
    lambda request: Reply(*[part for _ in range(40) for part in (b": keep-alive\n\n", 1.0)], *stream(GOOD_TEXT))
)
case("case-late-90s", "not a byte for 90 s, then the answer")(lambda request: Reply(90.0, *stream(GOOD_TEXT)))
case("case-reset", "the connection is reset before any byte")(lambda request: Reply("reset"))
