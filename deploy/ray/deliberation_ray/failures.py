"""Why a turn failed. Callers decide by the type of a failure, which is one of a closed set."""

import os
import ssl

import aiohttp

from deliberation_ray import untrusted
from deliberation_ray.addresses import AddressRefused
from deliberation_ray.retry_time import named_seconds, retry_after
from deliberation_ray.server_error import ServerError, violations
from deliberation_ray.sse import Malformed, TooLarge
from deliberation_ray.wording import (
    CONTEXT,
    DAILY_QUOTA,
    LATER,
    LATER_CODE,
    LOADING,
    LOADING_FAILED,
    NEVER_FITS,
    PERHAPS_QUOTA,
    QUOTA,
    REJECTED_CODE,
    TOKENS_USED_UP,
)

_MESSAGE_CHARACTERS = 1000
RETRYABLE = frozenset({"ModelUnavailable", "Truncated", "ModelTimeout"})

_LATER_STATUS = frozenset({429, 503, 529})
# These are unclear without words: 498 means a full tier at Groq, and an expired token elsewhere.
_PERHAPS_LATER_STATUS = frozenset({None, 403, 408, 409, 423, 425, 498})
_BROKEN_STATUS = frozenset({408, 409, 425})
_CONTEXT_STATUS = frozenset({None, 400, 413, 422, 500})
_NEVER_FITS_STATUS = frozenset({None, 400, 413, 422, 429})
_LOADING_STATUS = frozenset({None, 404, 409, 423, 425, 500, 502, 504})
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
    """The server takes no call now. This is no failed attempt: the turn waits. `seconds` is the delay that it named."""

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
    """Returns the system's text for the error number. asyncio's own text names only the address."""
    if error.errno and not isinstance(error, ssl.SSLError):
        return os.strerror(error.errno)
    return error.strerror or str(error)


def _refusal(error: ServerError, url: str) -> Failure:
    words, status = error.own_words(), error.status
    message = f"{status or 'error in the stream'}: {error.words or 'no message'}"
    if status is not None:
        message = f"{untrusted.text(message, _MESSAGE_CHARACTERS - len(url) - 20)} (called {url})"
    if TOKENS_USED_UP.search(words):
        return Failure("Truncated", f"{message}; raise protocol.max_tokens", hopeless=True)
    seconds = named_seconds(error.headers, error.data, error.words)
    if status in _NEVER_FITS_STATUS and NEVER_FITS.search(words):
        return Failure("ContextTooLong", message)
    if _says_later(error, words, seconds):
        return Overloaded(message, status, seconds)
    if status in _CONTEXT_STATUS and CONTEXT.search(words):
        return Failure("ContextTooLong", message)
    if _BAD_SAMPLE in error.code:
        return Failure("ModelUnavailable", message)
    if _is_rejection(error, words):
        return Failure("ModelRejected", message)
    return Failure("ModelUnavailable", message)


def _says_later(error: ServerError, words: str, seconds: float | None) -> bool:
    status = error.status
    if _is_quota(error, words, seconds):
        return False
    if status in _LATER_STATUS:
        return True
    if status == 400:
        return LATER.search(error.code) is not None
    if status in _PERHAPS_LATER_STATUS or (status or 0) >= 500:
        if LATER.search(words) or (status is None and LATER_CODE.search(error.code)):
            return True
        if status not in (None, 403) and retry_after(error.headers) is not None:
            return True
    if status not in _LOADING_STATUS:
        return False
    return LOADING.search(words) is not None and LOADING_FAILED.search(words) is None


def _is_quota(error: ServerError, words: str, seconds: float | None) -> bool:
    """Reports whether a quota is used up, perhaps for days: waiting doesn't help."""
    if QUOTA.search(words) or DAILY_QUOTA.search(" ".join(violations(error.data))):
        return True
    return seconds is None and PERHAPS_QUOTA.search(words) is not None


def _is_rejection(error: ServerError, words: str) -> bool:
    status = error.status
    if status is None:
        return REJECTED_CODE.search(error.code) is not None or QUOTA.search(words) is not None
    return status in _LATER_STATUS or (status < 500 and status not in _BROKEN_STATUS)
