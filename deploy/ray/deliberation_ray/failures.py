"""Why a turn failed: the closed set of types that callers decide by."""

import math
import re
import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime

import httpx2
import openai

from deliberation_ray import foreign
from deliberation_ray.addresses import AddressRefused
from deliberation_ray.transport import ResponseTooLarge

_MESSAGE_CHARACTERS = 1000
_CONTEXT = re.compile(r"context[ _](length|window|size)|max_model_len|maximum context", re.IGNORECASE)
_STATUS = re.compile(r"[1-9][0-9]{2}")
_TRANSIENT_STATUS = frozenset({408, 409, 425, 429})
RETRYABLE = frozenset({"ModelUnavailable", "Truncated", "ModelTimeout"})


class Failure(Exception):  # noqa: N818 — an outcome of a turn, not a defect
    """`retry_after` is the time in seconds that a server named which took no call."""

    def __init__(self, kind: str, message: str, text: str | None = None, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = foreign.text(message, _MESSAGE_CHARACTERS)
        self.text = text
        self.retry_after = retry_after

    @property
    def retryable(self) -> bool:
        return self.kind in RETRYABLE


def text_of(error: openai.APIError) -> str:
    """The server's own words; some put them in a body that the client doesn't quote."""
    return f"{error.message} {error.body if error.body is not None else ''}"


def status_of(error: openai.APIError) -> int | None:
    """The HTTP status; for an error that came as an event after a 200, the code that it names."""
    if isinstance(error, openai.APIStatusError):
        return error.status_code
    code = error.body.get("code") if isinstance(error.body, dict) else error.code
    return int(code) if isinstance(code, int | str) and _STATUS.fullmatch(str(code)) else None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def failure_of(error: Exception) -> Failure:
    """The type of whatever a model call raised."""
    for cause in _causes(error):
        if isinstance(cause, AddressRefused):
            return Failure("UrlNotAllowed", str(cause))
        if isinstance(cause, ResponseTooLarge):
            return Failure("AnswerTooLarge", str(cause))
    if isinstance(error, openai.APIConnectionError):
        reason = error.__cause__ or error
        return Failure("ModelUnavailable", f"cannot reach the model: {type(reason).__name__}: {reason}")
    if isinstance(error, openai.APIError):
        return _answered(error)
    if isinstance(error, httpx2.HTTPError | OSError):
        return Failure("ModelUnavailable", f"the connection broke: {type(error).__name__}: {error}")
    # The text of other exceptions may quote the answer; their type is enough.
    return Failure("ModelUnavailable", f"the answer is not the OpenAI protocol: {type(error).__name__}")


def _answered(error: openai.APIError) -> Failure:
    status, text = status_of(error), text_of(error)
    if status is not None and (status < 400 or (status < 500 and status not in _TRANSIENT_STATUS)):
        if status in (400, 413, 422) and _CONTEXT.search(text):
            return Failure("ContextTooLong", error.message)
        return Failure("ModelRejected", f"{status}: {error.message}")
    message = f"{status or 'error in the stream'}: {error.message}"
    return Failure("ModelUnavailable", message, retry_after=_retry_after(error))


def _retry_after(error: openai.APIError) -> float | None:
    """Seconds, of a number or a date; None when the server didn't name a time."""
    if not isinstance(error, openai.APIStatusError) or error.status_code not in (429, 503):
        return None
    named = error.response.headers.get("retry-after", "")
    try:
        return _not_negative(float(named))
    except ValueError:
        pass
    try:
        return _not_negative(parsedate_to_datetime(named).timestamp() - time.time())
    except ValueError:
        return None


def _not_negative(seconds: float) -> float | None:
    return None if math.isnan(seconds) else max(0.0, seconds)
