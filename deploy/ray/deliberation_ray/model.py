"""One call of a model over the OpenAI protocol."""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx2
import openai
from openai import AsyncOpenAI, AsyncStream
from openai.types.chat import ChatCompletionChunk
from openai.types.chat.chat_completion_chunk import ChoiceDelta
from pydantic import SecretStr

from deliberation_ray import foreign
from deliberation_ray.addresses import AddressRefused, check_url, host_and_port, matches
from deliberation_ray.failures import Failure, failure_of
from deliberation_ray.formats import FormatMemory, refuses_format, with_format
from deliberation_ray.transport import Names, open_client

ANSWER_BYTES = 1024 * 1024
_MODEL_CHARACTERS = 200
_FINISH_REASON_CHARACTERS = 64
# The usage comes right behind the finish reason, or never.
_USAGE_SECONDS = 1.0


@dataclass(frozen=True)
class ModelCall:
    submission_id: str
    vllm_url: str
    model: str
    messages: list[dict[str, str]]
    parameters: dict[str, Any]
    traceparent: str = ""


@dataclass
class Progress:
    """What a call has brought and cost so far; it outlives a call that is aborted."""

    calls: int = 0
    tokens: int = 0
    characters: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    started: float = field(default_factory=time.monotonic)
    first_token_ms: int = 0

    def elapsed_ms(self) -> int:
        return round((time.monotonic() - self.started) * 1000)

    def usage(self) -> dict[str, int]:
        """As billed by the server; for an answer that was cut, the tokens that were seen."""
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": max(self.completion_tokens, self.tokens),
        }


@dataclass(frozen=True)
class Answer:
    text: str
    finish_reason: str
    model: str
    response_format: str


def base_url(vllm_url: str) -> str:
    trimmed = vllm_url.rstrip("/")
    return trimmed if trimmed.endswith("/v1") else f"{trimmed}/v1"


class Model:
    """Calls any endpoint; holds what all calls of a runner share."""

    def __init__(self, allow: tuple[str, ...], keys: Mapping[str, SecretStr]) -> None:
        self._allow = allow
        self._keys = keys
        self._formats = FormatMemory()
        self._tls = ssl.create_default_context()
        self._names = Names()

    async def answer(self, call: ModelCall, progress: Progress) -> Answer:
        """Raises Failure. Cancelling it closes the connection, which aborts the generation in vLLM."""
        try:
            check_url(call.vllm_url, self._allow)
        except AddressRefused as error:
            raise Failure("UrlNotAllowed", str(error)) from error
        answer: Answer | None = None
        try:
            async with open_client(self._tls, self._names) as http:
                answer = await self._descend(self._client(call.vllm_url, http), call, progress)
        except (Exception, asyncio.CancelledError):
            if answer is None:  # what happens to a connection that is closing takes no answer back
                raise
        return answer

    async def listed(self, vllm_url: str) -> list[str]:
        """The names of the server's models."""
        check_url(vllm_url, self._allow)
        async with open_client(self._tls, self._names) as http:
            answer: Any = await self._client(vllm_url, http).get("/models", cast_to=object)
        return [str(card["id"]) for card in answer["data"]]

    def _client(self, vllm_url: str, http: httpx2.AsyncClient) -> AsyncOpenAI:
        return AsyncOpenAI(base_url=base_url(vllm_url), api_key=self._key(vllm_url), max_retries=0, http_client=http)

    def _key(self, vllm_url: str) -> str:
        host, port = host_and_port(vllm_url)
        for pattern, key in self._keys.items():
            if matches(pattern, host, port):
                return key.get_secret_value()
        return "EMPTY"

    async def _descend(self, client: AsyncOpenAI, call: ModelCall, progress: Progress) -> Answer:
        """Asks with the format given, and at once with a plainer one where the server refuses it."""
        endpoint = (call.vllm_url, call.model)
        asked = (call.parameters.get("response_format") or {}).get("type", "text")
        steps = self._formats.steps(endpoint, asked)
        for step in steps:
            progress.calls += 1
            try:
                return await _read(client, call, step, progress)
            except Failure:
                raise
            except openai.APIError as error:
                if step == steps[-1] or not refuses_format(error):
                    raise failure_of(error) from error
                self._formats.refused(endpoint, step)
            except Exception as error:
                raise failure_of(error) from error
        raise AssertionError("the last format either answers or fails")


async def _read(client: AsyncOpenAI, call: ModelCall, step: str, progress: Progress) -> Answer:
    headers = {"X-Request-Id": call.submission_id}
    if call.traceparent:
        headers["traceparent"] = call.traceparent
    parameters = with_format(call.parameters, step)
    create: Any = client.chat.completions.create  # its overloads can't be met by a dictionary of parameters
    stream: AsyncStream[ChatCompletionChunk] = await create(
        model=call.model,
        messages=call.messages,
        stream=True,
        stream_options={"include_usage": True},
        extra_headers=headers,
        **parameters,
    )
    reading = _Reading(call.model, step, progress)
    try:
        async with stream:
            chunks = aiter(stream)
            async for chunk in chunks:
                reading.take(chunk)
                if reading.finish_reason:
                    await _take_usage(chunks, reading)
                    break
    except (Exception, asyncio.CancelledError):
        # Behind the finish reason the answer is whole and paid for: only its usage can still get lost.
        if not reading.finish_reason:
            raise
    return reading.answer()


async def _take_usage(chunks: AsyncIterator[ChatCompletionChunk], reading: "_Reading") -> None:
    async def take() -> None:
        async for chunk in chunks:
            reading.take_usage(chunk)

    rest = asyncio.create_task(take())
    try:
        await asyncio.wait([rest], timeout=_USAGE_SECONDS)
    finally:
        rest.cancel()
        await asyncio.gather(rest, return_exceptions=True)


class _Reading:
    """The pieces of one streamed answer."""

    def __init__(self, model: str, step: str, progress: Progress) -> None:
        self.finish_reason = ""
        self._model = model
        self._step = step
        self._progress = progress
        self._spent_before = (progress.prompt_tokens, progress.completion_tokens)
        self._pieces: list[str] = []
        self._bytes = 0

    def take(self, chunk: ChatCompletionChunk) -> None:
        self._model = foreign.text(chunk.model, _MODEL_CHARACTERS) or self._model
        self.take_usage(chunk)
        for choice in (chunk.choices or [])[:1]:
            if choice.delta:
                self._take_delta(choice.delta)
            # Last: an answer that can't be taken has not finished.
            self.finish_reason = foreign.text(choice.finish_reason, _FINISH_REASON_CHARACTERS)

    def take_usage(self, chunk: ChatCompletionChunk) -> None:
        """Of a call the last word counts: some servers tell in each chunk what it came to so far."""
        prompt, completion = self._spent_before
        if told := foreign.count(getattr(chunk.usage, "prompt_tokens", None)):
            self._progress.prompt_tokens = prompt + told
        if told := foreign.count(getattr(chunk.usage, "completion_tokens", None)):
            self._progress.completion_tokens = completion + told

    def _take_delta(self, delta: ChoiceDelta) -> None:
        content = delta.content or ""
        # vLLM sends the thoughts of a reasoning model apart from its answer: paid, counted, not kept.
        extra = delta.model_extra or {}
        thought = extra.get("reasoning") or extra.get("reasoning_content") or ""
        self._count(content, thought if isinstance(thought, str) else "")

    def _count(self, content: str, thought: str) -> None:
        if not content and not thought:
            return
        progress = self._progress
        progress.first_token_ms = progress.first_token_ms or max(1, progress.elapsed_ms())
        progress.tokens += 1
        progress.characters += len(content)
        self._bytes += len(content.encode(errors="replace")) + len(thought.encode(errors="replace"))
        if self._bytes > ANSWER_BYTES:
            raise Failure("AnswerTooLarge", f"the answer is larger than {ANSWER_BYTES} bytes")
        self._pieces.append(content)

    def answer(self) -> Answer:
        text = foreign.text("".join(self._pieces), ANSWER_BYTES)
        if self.finish_reason == "length":
            hint = "the answer was cut at max_tokens; allow more tokens or ask for a shorter answer"
            raise Failure("Truncated", hint, text)
        if self.finish_reason in ("", "abort", "error"):
            ending = self.finish_reason or "without a finish_reason"
            raise Failure("ModelUnavailable", f"the stream ended early: {ending}")
        return Answer(text, self.finish_reason, self._model, self._step)
