"""The words in which servers refuse, and what they mean. The cases of model_cases are not repeated."""

import json
import time
from typing import Any

import pytest

from deliberation_ray.dialect import Dialect, DialectMemory
from deliberation_ray.failures import Overloaded, failure_of
from deliberation_ray.retry_time import named_seconds
from deliberation_ray.server_error import ServerError, error_in_body

URL = "http://vllm/v1/chat/completions"
NOW = 1_800_000_000.0
# Something is left of the day, so the minute is meant.
DAY_AND_MINUTE = {
    "x-ratelimit-reset-requests-day": "33011.3",
    "x-ratelimit-remaining-requests-day": "100",
    "x-ratelimit-reset-tokens-minute": "11",
}
PARAMETERS = {"temperature": 0.7, "max_tokens": 99, "response_format": {"type": "json_schema"}}


def said(status: int, message: str, **error: Any) -> ServerError:
    return error_in_body(status, json.dumps({"error": {"message": message, **error}}).encode(), {})


def echoed(message: str) -> ServerError:
    """As FastAPI quotes what it was given."""
    fault = {"loc": ["body", "messages"], "msg": message, "input": "a json_schema of response_format, context length"}
    return error_in_body(422, json.dumps({"detail": [fault]}).encode(), {})


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (400, "`inputs` must have less than 4096 tokens. Given: 9000"),
        (400, "prompt is too long: 210000 tokens > 200000 maximum"),
        (400, "This model's maximum prompt length is 131072 but the request contains 537812 tokens."),
        (400, "too many tokens: total number of tokens in the prompt cannot exceed 4081"),
        (400, "Input is too long for requested model."),
        (400, "Please reduce the length of the messages or completion."),
        (413, "Prompt contains 9000 tokens, too large for model with 4096 maximum context length"),
        (500, "the request exceeds the available context size, try increasing it"),
        (400, "The number of input tokens exceeds the limit of 8192"),
    ],
)
def test_the_context_is_too_small_in_any_words(status: int, message: str) -> None:
    failure = failure_of(said(status, message), URL)
    assert (failure.kind, failure.retryable) == ("ContextTooLong", False)
    assert message in failure.message


@pytest.mark.parametrize(
    "error",
    [
        said(400, "max_tokens is too large: 40000. This model supports at most 16384 completion tokens"),
        said(400, "the message has an unknown role"),
        echoed("must have at least one item"),
        said(401, "invalid key while the model is loading"),
        said(403, "the model is being loaded for others"),
        said(400, "unknown parameter loading"),
        said(404, "only model qwen is loaded"),
        said(404, "no model is loaded; error loading qwen"),
        said(429, "You exceeded your current quota, please check your plan and billing details."),
        said(429, "Your account is not active", code="billing_not_active"),
        said(402, "out of credits"),
        said(405, "Method Not Allowed"),
    ],
)
def test_other_refusals_are_not_retried(error: ServerError) -> None:
    failure = failure_of(error, URL)
    assert (failure.kind, failure.retryable) == ("ModelRejected", False)


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (429, "Rate limit reached for requests"),
        (503, "Service Unavailable"),
        (503, "Model qwen is currently loading"),
        (529, "Overloaded"),
        (404, "model qwen is being loaded"),
        (404, "The model is not ready yet"),
        (500, "llm server loading model"),
        (502, "warming up"),
    ],
)
def test_the_server_says_later(status: int, message: str) -> None:
    failure = failure_of(said(status, message), URL)
    assert isinstance(failure, Overloaded)
    assert failure.status == status


def test_google_names_a_time_where_others_mean_a_quota() -> None:
    details = [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34.5s"}]
    error = {"code": 429, "message": "You exceeded your current quota", "details": details}
    failure = failure_of(error_in_body(429, json.dumps([{"error": error}]).encode(), {}), URL)
    assert isinstance(failure, Overloaded)
    assert failure.seconds == 34.5


@pytest.mark.parametrize(
    ("headers", "data", "words", "seconds"),
    [
        ({"retry-after": "7"}, None, "", 7),
        ({"retry-after-ms": "1500", "retry-after": "7"}, None, "", 1.5),
        ({"x-ms-retry-after-ms": "250"}, None, "", 0.25),
        ({"x-ratelimit-reset-requests": "6m0s"}, None, "", 360),
        ({"x-ratelimit-reset-tokens": "1h2m3.5s"}, None, "", 3723.5),
        ({"x-ratelimit-reset-tokens": "120ms"}, None, "", 0.12),
        ({"x-ratelimit-reset": str(NOW + 20)}, None, "", 20),
        ({"x-ratelimit-reset": str((NOW + 20) * 1000)}, None, "", 20),
        (
            {
                "x-ratelimit-reset-requests": "1s",
                "x-ratelimit-remaining-requests": "0",
                "x-ratelimit-reset-tokens": "90s",
                "x-ratelimit-remaining-tokens": "500",
            },
            None,
            "",
            1,
        ),
        ({}, {"error": {"details": [{"retryDelay": "3s"}]}}, "", 3),
        ({}, {"error": "loading", "estimated_time": 20.5}, "", 20.5),
        ({}, None, "Rate limit reached. Please try again in 7m59.56s. Visit us", 479.56),
        ({}, None, "Please retry after 20 seconds.", 20),
        ({}, None, "try again in 2 minutes", 120),
        ({}, None, "try again later", None),
        ({"retry-after": "0"}, None, "", 0),
        ({"retry-after": "inf"}, None, "", None),
        ({"retry-after": "5s"}, None, "", 5),
        ({"retry-after": "Fri, 99 Foo 1999"}, None, "", None),
        ({"retry-after": "2027-01-15T08:00:40"}, None, "", 40),
        ({"retry-after": "2027-01-15T08:00:40+00:00"}, None, "", 40),
        ({"x-ratelimit-reset-requests": "1m30s"}, None, "", 90),
        ({"anthropic-ratelimit-requests-reset": "2027-01-15T08:00:20Z"}, None, "", 20),
        ({"ratelimitbysize-reset": "20"}, None, "", 20),
        ({"ratelimit": '"default";r=0;t=30'}, None, "", 30),
        ({"ratelimit": "limit=10, remaining=0, reset=12"}, None, "", 12),
        (DAY_AND_MINUTE | {"x-ratelimit-remaining-tokens-minute": "0"}, None, "", 11),
        (DAY_AND_MINUTE | {"x-ratelimit-remaining-tokens-minute": "7"}, None, "", None),
        ({}, {"error": {"details": [{"retryDelay": {"seconds": 34}}]}}, "", 34),
        ({}, {"error": {"retry_after_ms": 500}}, "", 0.5),
        ({}, {"error": {"retryAfter": "7"}}, "", 7),
        ({}, None, "retry in 500 milliseconds", 0.5),
        ({}, None, "available in 2 hours", 7200),
        ({}, None, "wait 20 seconds", 20),
        ({}, None, "retry 3 times", None),
        ({}, None, f"please wait {'1' * 500}_x", None),  # in no more time than the others
        ({"retry-after": "soon", "x-ratelimit-reset": ""}, {"retryDelay": "soon"}, "", None),
    ],
)
def test_the_server_names_its_time(
    monkeypatch: pytest.MonkeyPatch, headers: dict[str, str], data: Any, words: str, seconds: float | None
) -> None:
    monkeypatch.setattr(time, "time", lambda: NOW)
    named = named_seconds(headers, data, words)
    assert named == (None if seconds is None else pytest.approx(seconds))


@pytest.mark.parametrize(
    ("error", "what"),
    [
        (said(400, "This model does not support JSON"), "format"),
        (said(400, "Structured generation is disabled"), "format"),
        (said(422, "Invalid schema: additionalProperties is required"), "format"),
        (said(400, "response_format value is invalid"), "format"),
        (said(500, "llguidance failed"), "format"),
        (said(400, ""), "format"),
        (said(400, "Bad Request"), "format"),
        (said(400, "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."), "tokens"),
        (said(400, "Unrecognized request argument supplied: max_tokens"), "tokens"),
        (said(400, "Unknown parameter: 'stream_options.include_usage'"), "usage"),
        (said(400, "'temperature' does not support 0.7. Only the default (1) value is supported."), "temperature"),
        (said(400, "invalid temperature: only 0.6 is allowed for this model"), "temperature"),
        (said(404, "Not Found"), "base"),
        (error_in_body(405, b"<html>Method Not Allowed</html>", {}), "base"),
        (said(400, "temperature must be at most 1"), None),
        (said(400, "max_tokens is too large: 40000"), None),
        (said(404, "the model does not exist"), None),
        (said(401, "response_format"), None),
        (said(429, "structured_outputs"), None),
        (said(400, "image inputs are not supported"), None),
        (echoed("must have at least one item"), None),
        (error_in_body(400, b"response_format", {"retry-after": "3"}), None),
        (said(400, "1 validation error: {'type': 'missing', 'loc': ('body',), 'input': 'json_schema'}"), None),
    ],
)
def test_what_a_server_refuses_is_left_out(error: ServerError, what: str | None) -> None:
    plainer = Dialect().without(error, PARAMETERS)
    assert (
        plainer
        == {
            "format": Dialect(richest_format=1),
            "tokens": Dialect(max_completion_tokens=True),
            "usage": Dialect(stream_options=False),
            "temperature": Dialect(temperature=False),
            "base": Dialect(other_base=True),
            None: None,
        }[what]
    )
    if plainer:
        assert plainer.without(error, PARAMETERS) != plainer, "it ends"


def test_each_dialect_changes_its_part_of_the_body_alone() -> None:
    usual = Dialect().body("m", [], {**PARAMETERS, "extra_body": {"top_k": 1}})
    assert usual == {
        **PARAMETERS,
        "model": "m",
        "messages": [],
        "stream": True,
        "stream_options": {"include_usage": True},
        "top_k": 1,
    }
    changes: dict[Dialect, set[str]] = {
        Dialect(richest_format=2): {"response_format"},
        Dialect(stream_options=False): {"stream_options"},
        Dialect(temperature=False): {"temperature"},
        Dialect(max_completion_tokens=True): {"max_tokens"},
    }
    for dialect, left_out in changes.items():
        body = dialect.body("m", [], PARAMETERS)
        assert usual.keys() - body.keys() - {"top_k"} == left_out
    assert Dialect(richest_format=1).body("m", [], PARAMETERS)["response_format"] == {"type": "json_object"}
    assert Dialect(richest_format=1).body("m", [], {"response_format": {"type": "text"}})["response_format"] == {
        "type": "text"
    }


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_what_worked_is_remembered_for_a_while() -> None:
    clock = Clock()
    memory = DialectMemory(clock)
    plainer = Dialect(richest_format=1)
    memory.worked(("http://vllm", "m"), plainer)
    assert memory.of(("http://vllm", "m")) == plainer
    assert memory.of(("http://vllm", "other")) == Dialect()
    clock.now += 601
    assert memory.of(("http://vllm", "m")) == Dialect()


@pytest.mark.parametrize("unit", ["<script ", "<style>", "<!--", "<", "<script></scrip ", "<!-- --", "</style"])
def test_a_hostile_page_is_read_in_milliseconds(unit: str) -> None:
    """The runner's loop reads it: all other turns wait meanwhile."""
    page = ("<" + unit * 64_000)[:65_536].encode()
    error_in_body(502, page, {})  # compiles the patterns
    began = time.thread_time()
    failure_of(error_in_body(502, page, {}), URL)
    assert time.thread_time() - began < 0.03


def test_a_page_is_told_without_what_nobody_sees() -> None:
    page = (
        "<!DOCTYPE html><head><style>h1{}</style ><title>502 Bad Gateway</title>"
        "<SCRIPT src='x'>alert(1)</SCRIPT></head><!-- cf > ray -->"
        "<h1>Bad <b>Gateway</b></h1><p>\u0130nginx</p><style>p{}"
    )
    assert error_in_body(502, page.encode(), {}).words == "502 Bad Gateway Bad Gateway \u0130nginx"
