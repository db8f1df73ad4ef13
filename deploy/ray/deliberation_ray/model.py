"""One call of a model over the OpenAI protocol."""

import asyncio
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
from pydantic import SecretStr

from deliberation_ray.addresses import AddressRefused, check_url, has_key
from deliberation_ray.dialect import Dialect, DialectMemory
from deliberation_ray.failures import Failure, Overloaded, failure_of
from deliberation_ray.model_url import base_urls, chat_url, origin
from deliberation_ray.progress import Progress
from deliberation_ray.reachable import Reachable
from deliberation_ray.reading import Reading
from deliberation_ray.reply import Answer, Reply
from deliberation_ray.server_error import ServerError
from deliberation_ray.transport import Patience, Transport, read_up_to

__all__ = ["Answer", "Model", "ModelCall", "Patiences", "Progress"]

# Callers wait for a turn, and allow it this much more time to run, as a safety net.
_CALLER_MARGIN_SECONDS = 60.0
_LISTED_BYTES = 4 * 1024 * 1024
_REFUSALS = ("ModelRejected", "ContextTooLong")
_TRACEPARENT = re.compile(r"[0-9a-f-]{1,100}")


@dataclass(frozen=True)
class ModelCall:
    """`seconds` is the time that its turn has left."""

    submission_id: str
    vllm_url: str
    model: str
    messages: list[dict[str, str]]
    parameters: dict[str, Any]
    traceparent: str = ""
    seconds: float = 3600.0


@dataclass(frozen=True)
class Patiences:
    """How long a server may be silent."""

    silence_seconds: float = 60.0  # after the first token
    # Before the first token: a share of the time that is left, since a busy server queues a call and sends nothing.
    first_token_share: float = 0.5

    def before_first_token(self, seconds_left: float) -> float:
        callers = max(seconds_left - _CALLER_MARGIN_SECONDS, seconds_left / 2)
        return callers * self.first_token_share

    def after_first_token(self, seconds_left: float) -> float:
        return min(self.silence_seconds, self.before_first_token(seconds_left))


class Model:
    """Calls any endpoint; holds what all calls of a runner share."""

    def __init__(
        self,
        allow: tuple[str, ...],
        keys: Mapping[str, SecretStr],
        patiences: Patiences | None = None,
        transport: Transport | None = None,
    ) -> None:
        self._allow = allow
        self._keys = keys
        self._patiences = patiences or Patiences()
        self._transport = transport or Transport()
        self._dialects = DialectMemory()
        self._reachable = Reachable()

    async def close(self) -> None:
        await self._transport.close()

    async def answer(self, call: ModelCall, progress: Progress) -> Answer:
        """Raises Failure. Cancelling it closes the connection, which aborts the generation in vLLM."""
        self._check(call.vllm_url)
        endpoint = (call.vllm_url, call.model)
        dialect = self._dialects.of(endpoint)
        first_refusal: Failure | None = None
        while True:
            url = chat_url(base_urls(call.vllm_url)[dialect.other_base])
            tokens_before = progress.tokens
            progress.calls += 1
            try:
                answer = await self._ask(url, call, dialect, progress)
            except Exception as error:
                failure = failure_of(error, url)
                untouched = progress.tokens == tokens_before
                plainer = _plainer(error, failure, dialect, call) if untouched else None
                if plainer is not None or (untouched and failure.kind in _REFUSALS):
                    progress.calls -= 1  # it was refused before anything was generated, so nothing is paid
                if plainer is None:
                    raise _final(failure, first_refusal, dialect, untouched, progress) from error
                first_refusal = first_refusal or failure
                dialect = plainer
            else:
                self._dialects.worked(endpoint, dialect)
                return answer

    async def listed(self, vllm_url: str) -> list[str]:
        """Returns the names of the server's models."""
        self._check(vllm_url)
        for base in base_urls(vllm_url):
            try:
                async with self._transport.request("GET", f"{base}/models", self._headers(vllm_url)) as response:
                    body = await read_up_to(response, _LISTED_BYTES)
            except ServerError as error:
                if error.status != 404:
                    raise
            else:
                return [str(card["id"]) for card in json.loads(body)["data"]]
        return []

    def _check(self, vllm_url: str) -> None:
        try:
            check_url(vllm_url, self._allow, refuse_own=self._transport.refuse_own)
        except AddressRefused as error:
            raise Failure("UrlNotAllowed", str(error)) from error

    def _headers(self, vllm_url: str) -> dict[str, str]:
        key = next((key for pattern, key in self._keys.items() if has_key(pattern, *origin(vllm_url))), None)
        return {"Authorization": f"Bearer {key.get_secret_value() if key else 'EMPTY'}"}

    async def _ask(self, url: str, call: ModelCall, dialect: Dialect, progress: Progress) -> Answer:
        headers = {
            **self._headers(call.vllm_url),
            "Content-Type": "application/json",
            "Accept": "text/event-stream, application/json",
            "X-Request-Id": call.submission_id,
        }
        if _TRACEPARENT.fullmatch(call.traceparent):
            headers["traceparent"] = call.traceparent
        body = json.dumps(dialect.body(call.model, call.messages, call.parameters), ensure_ascii=False)
        limit = call.parameters.get("max_tokens")
        reply = Reply(call.model, dialect.format_of(call.parameters), progress, limit)
        patience = Patience(self._patiences.before_first_token(call.seconds))
        later = self._patiences.after_first_token(call.seconds)
        server = origin(call.vllm_url)
        try:
            async with (
                patience,
                self._transport.request("POST", url, headers, body.encode(errors="replace")) as response,
            ):
                self._reachable.answered(server)
                reading = Reading(response, reply, patience, later, url, progress.on_first_token)
                await reading.read(limit)
        except aiohttp.ClientConnectorError as error:
            self._reachable.check_restart(server, error, url)
            raise
        except (Exception, asyncio.CancelledError):
            # After the finish reason the answer is complete and paid for. Only its usage may be missing.
            if not (reply.finished_once and reply.begun):
                if patience.over:
                    raise Failure("ModelTimeout", _silence(url, reply.begun, patience.seconds)) from None
                raise
        return reply.answer()


def _plainer(error: Exception, failure: Failure, dialect: Dialect, call: ModelCall) -> Dialect | None:
    if not isinstance(error, ServerError) or isinstance(failure, Overloaded) or failure.kind == "ContextTooLong":
        return None
    return dialect.without(error, call.parameters)


def _final(
    failure: Failure, first_refusal: Failure | None, dialect: Dialect, untouched: bool, progress: Progress
) -> Failure:
    if isinstance(failure, Overloaded):
        if not untouched:  # the call had begun: it is a failed attempt
            return Failure("ModelUnavailable", failure.message)
        progress.calls -= 1
        return failure
    # Both forms of the base failed. The message names the one that the caller gave.
    if first_refusal and dialect.other_base and failure.kind == "ModelRejected" and failure.message.startswith("404"):
        return first_refusal
    return failure


def _silence(url: str, begun: bool, seconds: float) -> str:
    what = "fell silent" if begun else "has not begun to answer"
    return f"the server {what}: nothing came from {url} for {seconds:.0f} s"
