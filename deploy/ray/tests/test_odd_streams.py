"""Streams as servers send them, beyond the cases of model_cases: what the runner makes of their bytes."""

import asyncio
import gzip
import json
from typing import Any

import pytest
from raw_model import End, RawModel, finish, piece, usage

from deliberation_ray import transport
from deliberation_ray.failures import Failure, Overloaded
from deliberation_ray.model import Answer, Model, ModelCall, Patiences, Progress

TOOLS = [{"index": 0, "function": {"name": "answer", "arguments": "{}"}}]


def sse(*events: Any, prefix: bytes = b"data: ", end: bytes = b"\n\n") -> bytes:
    return b"".join(
        prefix + (event if isinstance(event, bytes) else json.dumps(event).encode()) + end for event in events
    )


def delta(**fields: Any) -> dict[str, Any]:
    return {"model": "m", "choices": [{"index": 0, "delta": fields, "finish_reason": None}]}


def completion(reason: Any = "stop", **message: Any) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": reason}
    return {"object": "chat.completion", "model": "m", "choices": [choice]}


async def asked(*events: Any, end: End = "ended", progress: Progress | None = None) -> Answer:
    async with RawModel(*events, end=end) as server:
        model = Model((), {}, Patiences(silence_seconds=5))
        call = ModelCall("t1", server.url, "m", [{"role": "user", "content": "?"}], {"max_tokens": 99})
        try:
            return await asyncio.wait_for(model.answer(call, progress or Progress()), 30)
        finally:
            await model.close()


WHOLE = [piece("wh"), piece("ole"), finish(), b"[DONE]"]


@pytest.mark.parametrize(
    "sent",
    [
        sse(*WHOLE, prefix=b"data: data: "),
        sse(*WHOLE, prefix=b"data:data:"),
        sse(*WHOLE, prefix=b"data:\t"),
        sse(*WHOLE, prefix=b"event: message\nid: 7\ndata: "),
        sse(*WHOLE, prefix=b": ping\r\n\r\ndata: ", end=b"\r\n\r\n"),
        sse(*WHOLE[:3], b'"[DONE]"'),
        sse(*WHOLE[:3], b"[done]"),
        sse(*WHOLE[:3], b"DONE"),
        sse(piece("wh"), piece("ole"), b"[DONE]"),
        sse(piece("wh"), piece("ole")),
        sse(piece("wh"), piece("ole"), finish("unknown")),
        sse(piece("wh"), piece("ole"), finish("FINISH_REASON_UNSPECIFIED")),
        sse(*(json.dumps(event, indent=1).encode() for event in WHOLE[:3])),
        sse(*(json.dumps(event, indent=1).replace("\n", "\ndata: ").encode() for event in WHOLE[:3])),
        b"\n" * 5_000 + sse(*WHOLE),
        b"\xef\xbb\xbf\n\n" + sse(*WHOLE),
        b"retry: 3000\n\nevent: ping\ndata\n\n" + sse(*WHOLE),
        sse({"type": "ping", "status": "ok"}, {"code": 0, "message": ""}, {"code": 200, "message": "success"}, *WHOLE),
        sse({"error": None, **piece("wh")}, {"error": {}, **piece("ole")}, finish()),
        b"\n".join(json.dumps(event).encode() for event in WHOLE[:3]),
        json.dumps(completion(content="whole")).encode(),
        b"\xef\xbb\xbf" + json.dumps(completion(content="whole"), indent=2).encode(),
        b" \n" * 20_000 + json.dumps(completion(content=[{"type": "output_text", "text": "whole"}])).encode(),
        json.dumps({"model": "m", "choices": [{"text": "whole", "finish_reason": "stop"}]}).encode(),
        sse(completion(content="whole"), b"[DONE]"),
        sse(delta(content={"type": "text", "text": "whole"}), finish()),
        sse(delta(content=[{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "whole"}]), finish()),
        sse(delta(content=[{"text": "hm", "thought": True}, {"text": "whole"}, "", None, 7]), finish()),
        sse(piece("wh"), {**piece("ole"), "choices": [*piece("ole")["choices"], {"index": 1, "delta": {}}]}, finish()),
        sse(piece("wh"), piece("ole"), finish(), completion(content="whole")),
    ],
)
async def test_the_answer_is_whole_however_it_comes(sent: bytes) -> None:
    answer = await asked(sent)
    assert (answer.text, answer.reasoning_text) == ("whole", "hm" if b"hm" in sent else "")


@pytest.mark.parametrize("size", [1, 3])
async def test_bytes_that_come_one_by_one(size: int) -> None:
    sent = sse(piece("令牌桶"), piece("🪣 é"), finish(), end=b"\r\n\r\n")
    answer = await asked(*(sent[at : at + size] for at in range(0, len(sent), size)))
    assert answer.text == "令牌桶🪣 é"


@pytest.mark.parametrize(
    "message",
    [
        {"content": None, "reasoning_content": "hm"},
        {"content": "", "reasoning": "hm"},
        {"content": "\n\n", "thinking": "hm"},
        {"content": "</think>", "reasoning_content": "hm"},
        {"reasoning_details": [{"type": "reasoning.text", "text": "h"}, {"type": "reasoning.summary", "summary": "m"}]},
        {"thinking_blocks": [{"type": "thinking", "thinking": "hm"}]},
        {"content": [{"type": "reasoning", "content": [{"type": "reasoning_text", "text": "hm"}]}]},
    ],
)
async def test_thoughts_are_kept_if_there_is_next_to_no_text(message: dict[str, Any]) -> None:
    for answer in (
        await asked(sse(delta(**message), finish())),
        await asked(json.dumps(completion(**message)).encode()),
    ):
        assert answer.reasoning_text == "hm"
        assert len(answer.text) <= len("</think>")
    assert (await asked(sse(delta(**message), piece("x" * 100), finish()))).reasoning_text == ""


async def test_an_object_among_thoughts_that_were_cut_is_kept() -> None:
    thoughts = [delta(reasoning_content='```json\n{"proposal": '), delta(reasoning_content='"p"}\n\n\n')]
    answer = await asked(sse(*thoughts, finish("length")))
    assert (answer.text, answer.reasoning_text) == ("", '```json\n{"proposal": "p"}\n\n\n')


@pytest.mark.parametrize(
    ("reason", "kept"),
    [
        ("stop", "stop"),
        ("end_turn", "end_turn"),
        ("eos", "eos"),
        ("stop_sequence", "stop_sequence"),
        ("COMPLETE", "COMPLETE"),
        ("length", "length"),
        ("max_tokens", "length"),
        ("MAX_TOKENS", "length"),
        ("max_output_tokens", "length"),
        ("token_limit", "length"),
        ("model_context_window_exceeded", "length (model_context_window_exceeded)"),
        ("incomplete", "length (incomplete)"),
        ("truncated", "length (truncated)"),
        ("repetition", "length (repetition)"),
        (None, ""),
        ("", ""),
        ("null", ""),
        ("other", ""),
        (7, ""),
        ({"type": "stop"}, ""),
    ],
)
async def test_how_an_answer_ended(reason: Any, kept: str) -> None:
    assert (await asked(sse(piece("text"), finish(reason), b"[DONE]"))).finish_reason == kept


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ("content_filter", "ModelRejected"),
        ("SAFETY", "ModelRejected"),
        ("PROHIBITED_CONTENT", "ModelRejected"),
        ("BLOCKLIST", "ModelRejected"),
        ("SPII", "ModelRejected"),
        ("LANGUAGE", "ModelRejected"),
        ("refusal", "ModelRejected"),
        ("guardrail_intervened", "ModelRejected"),
        ("tool_calls", "ModelRejected"),
        ("function_call", "ModelRejected"),
        ("MALFORMED_FUNCTION_CALL", "ModelRejected"),
        ("abort", "ModelUnavailable"),
        ("error", "ModelUnavailable"),
        ("time_limit", "ModelUnavailable"),
        ("insufficient_system_resource", "ModelUnavailable"),
        ("engine_overloaded", "ModelUnavailable"),
        ("pause_turn", "ModelUnavailable"),
    ],
)
async def test_an_answer_that_ended_otherwise_is_none(reason: str, kind: str) -> None:
    with pytest.raises(Failure, match=reason) as failure:
        await asked(sse(piece("text"), finish(reason), b"[DONE]"))
    assert failure.value.kind == kind


@pytest.mark.parametrize(
    ("sent", "kind", "words"),
    [
        (sse(delta(refusal="I can't "), delta(refusal="help"), finish()), "ModelRejected", "I can't help"),
        (sse(delta(content=[{"type": "refusal", "refusal": "no"}]), finish()), "ModelRejected", "filtered (stop): no"),
        (json.dumps(completion(content=None, refusal="no")).encode(), "ModelRejected", "no"),
        (sse(delta(content=None, tool_calls=TOOLS), finish()), "ModelRejected", "called a tool instead of answering"),
        (sse(delta(function_call={"name": "f"}), finish()), "ModelRejected", "called a tool"),
        (sse(delta(content=[{"type": "tool_use", "name": "f"}]), finish()), "ModelRejected", "called a tool"),
        (sse(piece("a"), {"error": {"message": "the engine died"}}, piece("b")), "ModelUnavailable", "engine died"),
        (sse(piece("a")) + b"event: error\ndata: it broke\n\n", "ModelUnavailable", "it broke"),
        (sse(piece("a")) + b"Internal Server Error\n", "ModelUnavailable", "Internal Server Error"),
        (b"upstream connect error", "ModelUnavailable", "upstream connect error"),
        (sse(delta(reasoning_content="hm")), "ModelUnavailable", "ended early"),
        (sse({"success": False, "errors": [{"code": 7, "message": "no model"}]}), "ModelUnavailable", "no model"),
        (sse({"error_code": 500, "error_msg": "it broke"}), "ModelUnavailable", "500: it broke"),
        (gzip.compress(sse(*WHOLE)), "ModelRejected", "compressed"),
        (b"<!doctype html><title>Sign in</title>", "ModelRejected", "Sign in"),
        (b'{"choices": []}', "ModelRejected", "not the OpenAI protocol"),
        (b'{"Message": "no", "Code": "AccessDenied"}', "ModelUnavailable", "no"),
    ],
)
async def test_what_is_no_answer_is_said(sent: bytes, kind: str, words: str) -> None:
    with pytest.raises(Failure) as failure:
        await asked(sent)
    assert failure.value.kind == kind
    assert words in failure.value.message


@pytest.mark.parametrize(
    "error",
    [
        {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}},
        {"error": {"message": "Rate limit exceeded", "code": "rate_limit_exceeded"}},
        {"error": {"message": "Too many requests", "type": "x"}},
        {"error": {"status": "RESOURCE_EXHAUSTED", "message": "x"}},
        {"error": {"status": "UNAVAILABLE", "message": "x"}},
        {"code": "503", "message": "busy"},
        {"statusCode": 429, "message": "x"},
    ],
)
async def test_an_overload_that_the_stream_begins_with_is_no_call(error: dict[str, Any]) -> None:
    for sent in (sse(error), json.dumps(error).encode(), sse(delta(role="assistant", content=""), error)):
        progress = Progress()
        with pytest.raises(Overloaded):
            await asked(sent, progress=progress)
        assert progress.calls == 0
    with pytest.raises(Failure) as failure:
        await asked(sse(piece("a"), error))
    assert (failure.value.kind, failure.value.retryable) == ("ModelUnavailable", True)


async def test_usage_in_each_event_is_counted_once() -> None:
    progress = Progress()
    await asked(
        sse({**piece("a"), **usage(9, 1), "choices": piece("a")["choices"]}, finish(), usage(9, 5)), progress=progress
    )
    assert progress.usage() == {"prompt_tokens": 9, "completion_tokens": 5}


class Refuses:
    """A server whose answer never ends; `head` has its status and headers."""

    def __init__(self, head: str) -> None:
        self._head = head

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 {self._head}\r\nContent-Length: 99\r\n\r\nslow".encode())
        await writer.drain()
        await reader.read()
        await reader.read()
        writer.close()


@pytest.mark.parametrize(
    ("head", "kind", "words"),
    [
        ("429 Too Many Requests\r\nRetry-After: 7", "ModelOverloaded", "429: slow"),
        ("400 Bad Request", "ModelRejected", "400: slow"),
        ("307 Temporary Redirect\r\nLocation: https://b/v1", "ModelRejected", "the server redirects to https://b/v1"),
    ],
)
async def test_an_error_counts_even_if_its_body_never_ends(
    monkeypatch: pytest.MonkeyPatch, head: str, kind: str, words: str
) -> None:
    monkeypatch.setattr(transport, "ERROR_SECONDS", 0.1)
    server = await asyncio.start_server(Refuses(head).serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    model = Model((), {})
    with pytest.raises(Failure) as failure:
        await asyncio.wait_for(model.answer(ModelCall("t1", url, "m", [], {}), Progress()), 5)
    assert failure.value.kind == kind
    assert words in failure.value.message
    await model.close()
    server.close()
