"""A refusal: the answer to a request that is not served."""

from typing import Any


class Refusal(Exception):  # noqa: N818 — a refusal is an answer, not a defect
    """Carries the HTTP status, the `error.type` and the message; a runner returns it as plain data.

    The cause tells refusals of one kind apart in metrics.
    """

    def __init__(self, status: int, kind: str, message: str, retry_after: int | None = None, cause: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind
        self.message = message
        self.retry_after = retry_after
        self.cause = cause or kind

    def body(self) -> dict[str, Any]:
        return {"error": {"type": self.kind, "message": self.message}}


def full(message: str, cause: str = "", retry_after: int = 2) -> Refusal:
    return Refusal(429, "full", message, retry_after, cause)


def runner_unavailable(message: str) -> Refusal:
    return Refusal(503, "runner_unavailable", message, retry_after=1)


def overloaded(message: str) -> Refusal:
    return Refusal(503, "overloaded", message, retry_after=1)


def invalid_request(message: str) -> Refusal:
    return Refusal(422, "invalid_request", message)
