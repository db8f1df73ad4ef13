"""A refusal: the answer to a request that is not served."""

from typing import Any


class Refusal(Exception):  # noqa: N818 — a refusal is an answer, not a defect
    """Carries the HTTP status, the `error.type` and the message; a runner returns it as plain data.

    The cause separates refusals of one kind in metrics. If the turns belong to another Ray cluster, `ray_cluster` names
    the one that answers.
    """

    def __init__(
        self,
        status: int,
        kind: str,
        message: str,
        retry_after: int | None = None,
        cause: str = "",
        ray_cluster: str = "",
    ) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind
        self.message = message
        self.retry_after = retry_after
        self.cause = cause or kind
        self.ray_cluster = ray_cluster

    def body(self) -> dict[str, Any]:
        error = {"type": self.kind, "message": self.message}
        if self.ray_cluster:
            error["ray_cluster"] = self.ray_cluster
        return {"error": error}


def full(message: str, cause: str = "", retry_after: int = 2) -> Refusal:
    return Refusal(429, "full", message, retry_after, cause)


def runner_unavailable(message: str) -> Refusal:
    return Refusal(503, "runner_unavailable", message, retry_after=1)


def of_another_cluster(mark: str) -> Refusal:
    message = "the turns are of another Ray cluster, which may still run them"
    return Refusal(503, "runner_unavailable", message, retry_after=1, ray_cluster=mark)


def overloaded(message: str) -> Refusal:
    return Refusal(503, "overloaded", message, retry_after=1)


def invalid_request(message: str) -> Refusal:
    return Refusal(422, "invalid_request", message)


class RunnerMissing(Exception):  # noqa: N818 — an answer about a runner, not a defect
    """Ray knows no actor of that name: the turns that it held no longer exist."""
