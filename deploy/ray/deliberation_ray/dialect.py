"""Which parts of a request a server refused, and how it is asked without them."""

import re
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from deliberation_ray.server_error import ServerError

FORMATS = ("json_schema", "json_object", "text")

_REMEMBER_SECONDS = 600.0
_REMEMBER_ENDPOINTS = 1024
# A server uses these for a request that it doesn't understand. Other statuses have other reasons.
_REFUSING_STATUS = frozenset({400, 404, 415, 422, 500, 501})
_WRONG_PATH_STATUS = frozenset({404, 405})
_FORMAT_WORDS = re.compile(
    r"response[_. ]?(format|mime|schema)|json[_ -]?(schema|object|mode|output)|output format|\bschemas?\b"
    r"|grammar|guided"
    r"|(structured|constrained|controlled)[_ -]?(outputs?|decoding|generation|response)|additionalProperties"
    r"|\bformat\b[^.]{0,20}(not|n't) (be )?(support|allow|available|enabled)|(unsupported|unknown|invalid) format\b"
    r"|outlines|guidance|format[- ]enforcer|logits processor|support[^.]{0,30}\bjson\b|\bjson\b[^.]{0,30}(not|n't)\b",
    re.IGNORECASE,
)
# Words that name no reason. The format is then the most likely one.
_GENERIC_WORDS = re.compile(
    r"(bad request|invalid[_ ](request|argument)([_ ]error)?|unprocessable (entity|content)|not implemented|error"
    r"|[\s.:;])*",
    re.IGNORECASE,
)
_UNSUPPORTED = re.compile(
    r"unsupported|(not|n['\u2019]t|no longer|cannot|can't)( be)?"
    r" (support|allow|permit|accept|available|recogni[sz]|used|enabled|set|specified|valid)"
    r"|extra[_ ](forbidden|inputs?|fields?)|no extra|unknown|unexpected|unrecogni[sz]ed|deprecated|does not exist"
    r"|invalid (parameter|argument|field|key)|incompatible",
    re.IGNORECASE,
)
_ONE = r"1(\.0+)?\b(?!\.\d)"
_ONLY_DEFAULT = re.compile(
    rf"default|(must|has to|have to|should|only) (always )?be (set to |equal to |exactly )?{_ONE}"
    rf"|only (the value )?[\d.]+ (is|are) |only (supports? )?(the value |temperature )?[=:]?\s?{_ONE}|fixed (at|to)",
    re.IGNORECASE,
)
_WANTS_COMPLETION_TOKENS = re.compile(
    r"(use|requires?|provide|expected|missing|only)\b.{0,30}max_completion_tokens"
    r"|max_completion_tokens.{0,30}(instead|required|must be (set|given|provided|used))",
    re.IGNORECASE | re.DOTALL,
)
# A server that can't stream says so with one of these. With another status, such words mean that a stream broke.
_NO_STREAM_STATUS = frozenset({400, 403, 415, 422, 501})
_STREAM_WORDS = re.compile(r"\bstream(ing|ed)?\b", re.IGNORECASE)
_NO_STREAM_WORDS = re.compile(r"verified to stream|\bstream\W+(must|has to|should) be\W+false", re.IGNORECASE)


@dataclass(frozen=True)
class Dialect:
    """How a server is asked. The defaults are the usual OpenAI protocol."""

    richest_format: int = 0  # an index of FORMATS
    max_completion_tokens: bool = False
    stream: bool = True
    stream_options: bool = True
    temperature: bool = True
    other_base: bool = False

    def format_of(self, parameters: dict[str, Any]) -> str:
        asked = (parameters.get("response_format") or {}).get("type", "text")
        return FORMATS[max(FORMATS.index(asked), self.richest_format)]

    def body(self, model: str, messages: list[dict[str, str]], parameters: dict[str, Any]) -> dict[str, Any]:
        """Returns the body of the request."""
        body = {**(parameters.get("extra_body") or {}), **parameters, "model": model, "messages": messages}
        body.pop("extra_body", None)
        body["stream"] = self.stream
        if self.stream and self.stream_options:
            body["stream_options"] = {"include_usage": True}
        if self.max_completion_tokens and "max_tokens" in body:
            body["max_completion_tokens"] = body.pop("max_tokens")
        if not self.temperature:
            body.pop("temperature", None)
        step = self.format_of(parameters)
        if step != (parameters.get("response_format") or {}).get("type"):
            body.pop("response_format", None)
            if step == "json_object":
                body["response_format"] = {"type": step}
        return body

    def without(self, refusal: ServerError, parameters: dict[str, Any]) -> "Dialect | None":
        """Returns the dialect without what the server refused, or None if it refused nothing that can be left out."""
        words = refusal.own_words()
        if (
            refusal.status in _WRONG_PATH_STATUS
            and not self.other_base
            and not re.search("model", words, re.IGNORECASE)
        ):
            return replace(self, other_base=True)
        if refusal.status not in _REFUSING_STATUS or "retry-after" in refusal.headers:
            return None
        if not self.max_completion_tokens and "max_tokens" in parameters and _refuses_max_tokens(words):
            return replace(self, max_completion_tokens=True)
        if self.stream_options and re.search("stream_?options|include_usage", words, re.IGNORECASE):
            return replace(self, stream_options=False)
        if self.stream and _refuses_stream(refusal, words):
            return replace(self, stream=False)
        if self.temperature and "temperature" in parameters and _wants_default_temperature(words):
            return replace(self, temperature=False)
        asked = self.format_of(parameters)
        if asked != "text" and _refuses_format(refusal, words):
            return replace(self, richest_format=FORMATS.index(asked) + 1)
        return None


def _refuses_max_tokens(words: str) -> bool:
    if _WANTS_COMPLETION_TOKENS.search(words):
        return True
    return "max_tokens" in words and _UNSUPPORTED.search(words) is not None


def _refuses_stream(refusal: ServerError, words: str) -> bool:
    if refusal.status not in _NO_STREAM_STATUS:
        return False
    unsupported = _STREAM_WORDS.search(words) and _UNSUPPORTED.search(words)
    return bool(unsupported) or _NO_STREAM_WORDS.search(words) is not None


def _wants_default_temperature(words: str) -> bool:
    if "temperature" not in words.lower():
        return False
    return _UNSUPPORTED.search(words) is not None or _ONLY_DEFAULT.search(words) is not None


def _refuses_format(refusal: ServerError, words: str) -> bool:
    if _FORMAT_WORDS.search(words):
        return "json_validate_failed" not in refusal.code
    return refusal.status in (400, 415, 422, 501) and _GENERIC_WORDS.fullmatch(words) is not None


class DialectMemory:
    """Remembers for each endpoint which dialect worked. It forgets after a while, since servers are upgraded."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._known: OrderedDict[tuple[str, str], tuple[Dialect, float]] = OrderedDict()

    def of(self, endpoint: tuple[str, str]) -> Dialect:
        dialect, until = self._known.get(endpoint, (Dialect(), 0.0))
        return dialect if until > self._clock() else Dialect()

    def worked(self, endpoint: tuple[str, str], dialect: Dialect) -> None:
        """Must be called only after the server has answered: a refusal alone may have another reason."""
        if dialect == self.of(endpoint):
            return
        self._known[endpoint] = (dialect, self._clock() + _REMEMBER_SECONDS)
        self._known.move_to_end(endpoint)
        while len(self._known) > _REMEMBER_ENDPOINTS:
            self._known.popitem(last=False)
