"""Why a turn failed: the closed set of types that callers decide by."""

import os
import re
import ssl

import aiohttp

from deliberation_ray import untrusted
from deliberation_ray.addresses import AddressRefused
from deliberation_ray.retry_time import named_seconds
from deliberation_ray.server_error import ServerError
from deliberation_ray.sse import Malformed, TooLarge

_MESSAGE_CHARACTERS = 1000
RETRYABLE = frozenset({"ModelUnavailable", "Truncated", "ModelTimeout"})

_LATER_STATUS = frozenset({429, 503, 529})
_BROKEN_STATUS = frozenset({408, 409, 425})
_CONTEXT_STATUS = frozenset({None, 400, 413, 422, 500})
_CONTEXT = re.compile(
    r"context[ _-]?(length|window|size|limit)|maximum (context|prompt|sequence) |(model_)?max_(model|seq|sequence)_?len"
    r"|\bn_ctx\b|string_above_max_length|reduce (the|your) (length|prompt|input)|too many (input |prompt )?tokens"
    r"|max_new_tokens`?'?\"? must be|must have (less|fewer) than \d+ tokens"
    r"|(at most|limit of|maximum of) \d+ (input|prompt) "
    r"|(prompt|inputs?|messages?)\b[^.]{0,40}\b(too (long|many tokens)|longer than|exceed(s|ed|ing)?)\b"
    r"|(token count|tokens)[^.]{0,40}\b(cannot )?exceed(s|ed|ing)?\b[^.]{0,60}(maximum|limit|context|\d)",
    re.IGNORECASE,
)
_QUOTA = re.compile(
    r"insufficient[_ ](quota|credits?|balance|funds)|billing[_ ](hard[_ ]limit|not[_ ]active)|payment required"
    r"|credit balance is too low|no credits? left|out of credits?"
    r"|credits? (are |is |were )?(exhausted|depleted|used up)"
    r"|account[^.]{0,20}(deactivated|suspended|in arrears)|spend(ing)?[ _]limit",
    re.IGNORECASE,
)
# Google says this of limits per minute too, and then names a time.
_PERHAPS_QUOTA = re.compile(
    r"check your plan and billing|quota[_ ]exceeded|exceeded your (current )?quota", re.IGNORECASE
)
_LOADING_STATUS = frozenset({None, 404, 409, 423, 425, 500, 502, 504})
_LOADING = re.compile(
    r"being (loaded|started|pulled|downloaded|deployed|initiali[sz]ed|warmed up)|not (yet )?ready"
    r"|\b(loading|starting up|warming up|initiali[sz]ing|downloading|pulling|cold start)",
    re.IGNORECASE,
)
_LOADING_FAILED = re.compile(r"\b(error|fail(ed|ure)?|unable|cannot|could not|couldn't)\b", re.IGNORECASE)
# Codes of errors that name no status, within a stream for example.
_LATER_CODE = re.compile(r"overloaded|rate[_ ]?limit", re.IGNORECASE)
_REJECTED_CODE = re.compile(
    r"invalid[_ ]?(request|api|argument)|bad ?request|not ?_?found|authentication|permission|unauthori[sz]ed",
    re.IGNORECASE,
)
# The model wrote JSON that the server checked and refused; another sample may be good.
_BAD_SAMPLE = "json_validate_failed"


class Failure(Exception):  # noqa: N818 — an outcome of a turn, not a defect
    def __init__(self, kind: str, message: str, *, hopeless: bool = False) -> None:
        super().__init__(message)
        self.kind = kind
        self.hopeless = hopeless  # the same call would fail in the same way
        self.message = untrusted.text(message, _MESSAGE_CHARACTERS)

    @property
    def retryable(self) -> bool:
        return self.kind in RETRYABLE and not self.hopeless


class Overloaded(Failure):
    """The server takes no call now. That is not a failed attempt: the turn waits. `seconds` is the time it named."""

    def __init__(self, words: str, status: int | None, seconds: float | None) -> None:
        super().__init__("ModelOverloaded", words)
        self.status = status or 0
        self.seconds = seconds


def failure_of(error: Exception, url: str) -> Failure:
    """Turns an exception of a model call into its failure. The message names the URL that was called."""
    if isinstance(error, Failure):
        return error
    if isinstance(error, ServerError):
        return _refusal(error, url)
    if isinstance(error, AddressRefused):
        return Failure("UrlNotAllowed", str(error))
    if isinstance(error, TooLarge):
        return Failure("AnswerTooLarge", str(error))
    if isinstance(error, aiohttp.ClientConnectorError):
        return Failure("ModelUnavailable", f"cannot reach {url}: {_reason(error.os_error)}")
    if isinstance(error, aiohttp.ClientPayloadError):
        return Failure("ModelUnavailable", f"the stream from {url} broke off")
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return Failure("ModelUnavailable", f"the server closed the connection without an answer (called {url})")
    if isinstance(error, Malformed):
        return Failure("ModelUnavailable", str(error))
    if isinstance(error, aiohttp.ClientError | OSError):
        return Failure("ModelUnavailable", f"the connection to {url} broke: {type(error).__name__}: {error}")
    # The text of other exceptions may quote the answer; their type is enough.
    return Failure("ModelUnavailable", f"the answer is not the OpenAI protocol: {type(error).__name__}")


def _reason(error: OSError) -> str:
    """The system's words for an error number, instead of asyncio's, which name only the address."""
    if error.errno and not isinstance(error, ssl.SSLError):
        return os.strerror(error.errno)
    return error.strerror or str(error)


def _refusal(error: ServerError, url: str) -> Failure:
    words, status = error.own_words(), error.status
    message = f"{status or 'error in the stream'}: {error.words or 'without a word'}"
    if status is not None:
        message = f"{untrusted.text(message, _MESSAGE_CHARACTERS - len(url) - 20)} (called {url})"
    seconds = named_seconds(error.headers, error.data, error.words)
    if _says_later(error, words, seconds):
        return Overloaded(message, status, seconds)
    if status in _CONTEXT_STATUS and _CONTEXT.search(words):
        return Failure("ContextTooLong", message)
    if _BAD_SAMPLE in error.code:
        return Failure("ModelUnavailable", message)
    if _is_rejection(error, words):
        return Failure("ModelRejected", message)
    return Failure("ModelUnavailable", message)


def _says_later(error: ServerError, words: str, seconds: float | None) -> bool:
    if _QUOTA.search(words):
        return False
    if error.status in _LATER_STATUS:
        return seconds is not None or not _PERHAPS_QUOTA.search(words)
    if error.status is None and _LATER_CODE.search(error.code):
        return True
    if error.status not in _LOADING_STATUS:
        return False
    return _LOADING.search(words) is not None and _LOADING_FAILED.search(words) is None


def _is_rejection(error: ServerError, words: str) -> bool:
    status = error.status
    if status is None:
        return _REJECTED_CODE.search(error.code) is not None or _QUOTA.search(words) is not None
    return status in _LATER_STATUS or (status < 500 and status not in _BROKEN_STATUS)
