"""The same refusals in the words of many servers: what each of them means."""

import json
from typing import Any

import pytest

from deliberation_ray.dialect import Dialect
from deliberation_ray.failures import Failure, Overloaded, failure_of
from deliberation_ray.server_error import ServerError, error_in_body

PARAMETERS = {"temperature": 0.7, "max_tokens": 99, "response_format": {"type": "json_schema"}}


def said(status: int, body: Any, headers: dict[str, str] | None = None, **error: Any) -> ServerError:
    if isinstance(body, str):
        body = {"error": {"message": body, **error}}
    return error_in_body(status, json.dumps(body).encode(), headers or {})


def meant(error: ServerError) -> Failure:
    return failure_of(error, "http://vllm/v1/chat/completions")


@pytest.mark.parametrize(
    "error",
    [
        said(400, "maximum context length is 4096 tokens, you requested 9000 (7000 in the messages, 2000 to answer)"),
        said(400, "'max_tokens' is too large: 2048. The model's context length is 4096, your request has 3000 tokens"),
        said(400, "The decoder prompt (length 9000) is longer than the maximum model length of 4096"),
        said(400, "Input length (9000 tokens) exceeds the maximum allowed length (4090 tokens)"),
        said(400, "request (9000 tokens) exceeds the available context size (4096 tokens)"),
        said(400, {"error": {"message": "too long", "type": "exceed_context_size_error", "n_ctx": 4096}}),
        said(500, "input is too large to process. increase the physical batch size"),
        said(400, "prompt too long; exceeded max context length by 10 tokens"),
        said(
            422,
            {"error": "`inputs` tokens + `max_new_tokens` must be <= 4096. Given: 9000", "error_type": "validation"},
        ),
        said(400, {"error": "the model is loaded with context length of only 4096 tokens, which is not enough"}),
        said(400, "Input tokens exceed the configured limit of 272000 tokens"),
        said(400, "input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000"),
        said(400, "the input token count is 9000 but model only supports up to 8192. Reduce the input token count"),
        said(
            400,
            [
                {
                    "error": {
                        "code": 400,
                        "message": "The input token count (9) exceeds the maximum number of tokens allowed",
                    }
                }
            ],
        ),
        said(400, "ContextWindowExceededError: x"),
        said(400, "Range of input length should be [1, 30720]"),
        said(400, "Your request exceeded model token limit: 8192"),
        said(400, "Total tokens of image and text exceed max message tokens"),
        said(400, "Prompt length 9000 is greater than max_seq_len 4096"),
        said(500, "Prompt length (9000) exceeds maximum input length (4096)"),
        said(400, "max tokens of 8192 exceeded"),
        said(400, "the number of input tokens 9000 cannot exceed the total tokens limit 4096"),
        said(400, "Current length is 9000 while limit is 8192. Please reduce the length of the messages"),
        said(400, "Input too long. Received 9000 tokens, but the maximum input length is 4096"),
        said(
            400,
            "Provider returned error",
            metadata={"raw": '{"error":{"message":"maximum context length is 9 tokens"}}'},
        ),
        # These speak of an allowance for each minute, which one request is larger than: no other minute helps.
        said(
            429, "Request too large for m on tokens per min: Limit 30000, Requested 40000", code="rate_limit_exceeded"
        ),
        said(429, "The input or output tokens must be reduced in order to run", code="rate_limit_exceeded"),
        said(413, "Limit 6000, Requested 9000, please reduce your message size and try again"),
        said(413, "Request body too large for m model. Max size: 8000 tokens.", code="tokens_limit_reached"),
        said(413, {"type": "error", "error": {"type": "request_too_large", "message": "more than the maximum size"}}),
    ],
)
def test_the_context_is_too_small(error: ServerError) -> None:
    assert (meant(error).kind, meant(error).retryable) == ("ContextTooLong", False)


DAILY = [{"violations": [{"quotaId": "RequestsPerDayPerProject-FreeTier"}]}, {"retryDelay": "34s"}]


@pytest.mark.parametrize(
    "error",
    [
        said(404, 'model "m" not found, try pulling it first'),
        said(404, "The model `m` does not exist or you do not have access to it."),
        said(400, "No models loaded. Please load a model in the developer page"),
        said(403, "You don't have access to this model"),
        said(402, "Insufficient credits"),
        said(
            429, "check your plan and billing details", {"x-ratelimit-reset-requests": "1s"}, code="insufficient_quota"
        ),
        said(429, "check your plan and billing details", type="exceeded_current_quota_error"),
        said(429, "余额不足或无可用资源包,请充值。", code="1113"),
        said(429, "Your team has either used all available credits or reached its monthly spending limit."),
        said(429, "account balance is insufficient"),
        said(429, "Budget has been exceeded! Current cost: 10.0", {"retry-after": "5"}, type="budget_exceeded"),
        said(429, "Rate limit exceeded: free-models-per-day. Add 10 credits to unlock more"),
        said(429, "This request would exceed your account's monthly spend limit"),
        said(429, "You have reached your monthly included credits"),
        said(429, {"error": {"code": 429, "message": "You exceeded your current quota", "details": DAILY}}),
        said(498, "token expired"),
        said(400, "Add rate limiting to the login API: unknown role"),
        said(451, "unavailable for legal reasons"),
        said(400, "prompt: body.temperature: Input should be greater than 0"),
        said(429, "Max budget of $10 exceeded"),
    ],
)
def test_no_other_time_helps(error: ServerError) -> None:
    assert (meant(error).kind, meant(error).retryable) == ("ModelRejected", False)


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        (said(429, ""), None),
        (said(529, "Overloaded", type="overloaded_error"), None),
        (said(500, "Overloaded", type="api_error"), None),
        (said(502, "Provider overloaded"), None),
        (said(500, "The server is overloaded or not ready yet."), None),
        (said(500, "Engine is busy, queue is full"), None),
        (said(503, "server busy, please try again. maximum pending requests exceeded"), None),
        (said(408, "server busy"), None),
        (said(400, "Too many requests, please wait before trying again.", code="ThrottlingException"), None),
        (said(403, "Rate Limit Exceeded", code="rateLimitExceeded"), None),
        (said(498, "Flex tier capacity exceeded", code="capacity_exceeded"), None),
        (said(429, "Service tier capacity exceeded for this model."), None),
        (said(425, "Too Early", {"retry-after": "3"}), 3),
        (said(500, "boom", {"retry-after": "3"}), 3),
        (said(502, "Bad gateway", {"retry-after-ms": "1500"}), 1.5),
        (said(429, "No deployments available for selected model, Try again in 5 seconds. Passed model=m"), 5),
        (said(429, "have exceeded token rate limit of your pricing tier. Please retry after 20 seconds."), 20),
        (said(429, {"statusCode": 429, "message": "Rate limit is exceeded. Try again in 3 seconds."}), 3),
        (said(429, "Limit of 50 per 86400s exceeded. Please wait 67000 seconds before retrying."), 67_000),
        (said(429, "x", metadata={"headers": {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "30"}}), 30),
        (said(503, {"error": "Model m is currently loading", "estimated_time": 20.5}), 20.5),
        (said(404, {"detail": "Model with name m is not ready."}), None),
        (said(404, "model m is loading, please retry"), None),
        (said(404, "x", code="model_loading"), None),
        (said(409, "model is being started"), None),
        (said(500, "runner process is still starting"), None),
        (said(502, "Downloading weights"), None),
        (said(504, "the deployment is scaling from zero"), None),
        (said(524, "temporarily unavailable"), None),
        (said(503, "The load balancer has not enough healthy backends"), None),
        (said(503, "load balancer: backend pool is empty"), None),
        (said(503, "latency budget exceeded"), None),
        (said(500, "engine_overloaded"), None),
        (said(500, "System overload"), None),
    ],
)
def test_another_time_helps(error: ServerError, seconds: float | None) -> None:
    failure = meant(error)
    assert isinstance(failure, Overloaded), failure.kind
    assert failure.seconds == seconds


@pytest.mark.parametrize(
    "error",
    [
        said(500, "boom"),
        said(500, "the model was launching a kernel; CUDA error"),
        said(500, "Internal error: loading the tokenizer failed"),
        said(502, ""),
        said(524, "A timeout occurred"),
        said(408, "Request Timeout"),
        said(409, "conflict"),
        said(425, "Too Early"),
        said(500, "TypeError: no matching overload for forward()"),
        said(500, "overloaded function forward: no match"),
    ],
)
def test_the_call_broke(error: ServerError) -> None:
    failure = meant(error)
    assert (failure.kind, failure.retryable) == ("ModelUnavailable", True)


@pytest.mark.parametrize(
    "message",
    [
        "Could not finish the message because max_tokens or model output limit was reached.",
        "Please try again with higher max_completion_tokens.",
    ],
)
def test_the_model_thought_until_its_tokens_were_used_up(message: str) -> None:
    failure = meant(said(400, message))
    assert (failure.kind, failure.retryable) == ("Truncated", False)
    assert failure.message.endswith("raise protocol.max_tokens")


VERIFY = "Your organization must be verified to stream this model"


@pytest.mark.parametrize(
    ("error", "plainer"),
    [
        (said(400, VERIFY, param="stream", code="unsupported_value"), Dialect(stream=False)),
        (said(400, "x", metadata={"raw": json.dumps({"error": {"message": VERIFY}})}), Dialect(stream=False)),
        (said(400, "streaming is not supported for this model"), Dialect(stream=False)),
        (said(422, "stream must be False"), Dialect(stream=False)),
        (said(400, "Unrecognized request argument supplied: stream_options"), Dialect(stream_options=False)),
        (
            said(422, {"detail": [{"loc": ["body", "stream_options"], "msg": "Extra inputs are not permitted"}]}),
            Dialect(stream_options=False),
        ),
        (said(400, "Please use max_completion_tokens"), Dialect(max_completion_tokens=True)),
        (said(400, "max_completion_tokens is required for this model"), Dialect(max_completion_tokens=True)),
        (said(400, "max_tokens: Extra inputs are not permitted"), Dialect(max_completion_tokens=True)),
        (said(400, "max_tokens cannot be set for reasoning models"), Dialect(max_completion_tokens=True)),
        (said(400, "`temperature` may only be set to 1 when thinking is enabled."), Dialect(temperature=False)),
        (said(400, "temperature must be equal to 1.0 for this model"), Dialect(temperature=False)),
        (said(400, "temperature is fixed at 1"), Dialect(temperature=False)),
        (said(400, "`temperature` is deprecated for this model."), Dialect(temperature=False)),
        (said(400, "to use 'response_format' of type 'json_object', say json"), Dialect(richest_format=1)),
        (said(400, "Invalid schema for 'proposal'", code="invalid_json_schema"), Dialect(richest_format=1)),
        (said(400, "unsupported format"), Dialect(richest_format=1)),
        (said(400, "the format parameter is not supported by this backend"), Dialect(richest_format=1)),
        (said(500, "Failed to convert the output_format: xgrammar"), Dialect(richest_format=1)),
        (said(404, "Invalid URL (POST /chat/completions)"), Dialect(other_base=True)),
        (said(500, "the stream closed unexpectedly"), None),
        (said(400, "max_completion_tokens is too large"), None),
        (said(400, "temperature must be at most 1.5"), None),
        (said(400, "the message format has an unknown role"), None),
    ],
)
def test_the_call_is_made_without_what_was_refused(error: ServerError, plainer: Dialect | None) -> None:
    assert Dialect().without(error, PARAMETERS) == plainer


def test_a_server_that_may_not_stream_is_asked_for_the_whole() -> None:
    body = Dialect(stream=False).body("m", [], PARAMETERS)
    assert body == {**PARAMETERS, "model": "m", "messages": [], "stream": False}
