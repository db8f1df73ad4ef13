"""Cases of what a server refuses, and how it says so."""

import threading
import time
from collections.abc import Callable
from email.utils import formatdate
from typing import Any

from model_cases.reply import GOOD_TEXT, PARTIAL, Answer, Reply, Request, case, openai_error, refuse, refused, stream


@case("case-needs-max-completion-tokens", "400 while the request has max_tokens (o-series, gpt-5)")
def needs_max_completion_tokens(request: Request) -> Reply:
    if "max_tokens" in request:
        message = "max_tokens isn't supported with this model; use max_completion_tokens"
        return refuse(400, openai_error(message, "unsupported_parameter", param="max_tokens"))
    return Reply(*stream(GOOD_TEXT))


@case("case-needs-default-temperature", "400 while temperature isn't 1 (o-series, gpt-5)")
def needs_default_temperature(request: Request) -> Reply:
    if request.get("temperature", 1) != 1:
        message = "temperature must be 1 with this model"
        return refuse(400, openai_error(message, "unsupported_value", param="temperature"))
    return Reply(*stream(GOOD_TEXT))


@case("case-no-stream-options", "422 while the request has stream_options (Mistral and others)")
def no_stream_options(request: Request) -> Reply:
    if "stream_options" not in request:
        return Reply(*stream(GOOD_TEXT))
    fault = {
        "type": "extra_forbidden",
        "loc": ["body", "stream_options", "include_usage"],
        "msg": "no extra inputs",
        "input": True,
    }
    error = {"object": "error", "message": {"detail": [fault]}, "type": "invalid_request_error", "code": None}
    return refuse(422, error)


def refuses(formats: tuple[str, ...], status: int, error: Any) -> Answer:
    """Refuses these response formats, and answers all others."""

    def reply(request: Request) -> Reply:
        asked = (request.get("response_format") or {}).get("type", "text")
        return refuse(status, error) if asked in formats else Reply(*stream(GOOD_TEXT))

    return reply


BOTH = ("json_schema", "json_object")
case("case-format-unknown-variant", "422 in plain text: response_format has an unknown variant (TGI)")(
    refuses(BOTH, 422, "cannot read the body: response_format: unknown variant, expected json or regex")
)
case("case-format-lmstudio", "400: response_format.type is json_schema or text; json_schema works")(
    refuses(("json_object",), 400, {"error": "'response_format.type' is to be json_schema or text"})
)
case("case-format-json-mode", "400: JSON mode is off; no parameter is named (Gemma on Google's API)")(
    refuses(
        BOTH,
        400,
        [{"error": {"code": 400, "message": "JSON mode is off for models/gemma", "status": "INVALID_ARGUMENT"}}],
    )
)
case("case-format-structured-output", "400: structured output isn't supported, in two words")(
    refuses(BOTH, 400, openai_error("Structured output is not available on this platform"))
)
case("case-format-constrained", "500: constrained decoding failed")(
    refuses(BOTH, 500, openai_error("constrained decoding can't be compiled", type="server_error"))
)


@case("case-groq-json-invalid", "the first call of each two: 400 json_validate_failed, the model's JSON was bad (Groq)")
def groq_json_invalid(request: Request) -> Reply:
    if request["_count"] % 2 == 0:
        return Reply(*stream(GOOD_TEXT))
    error = openai_error("the generated JSON is invalid; see failed_generation", "json_validate_failed")
    error["error"]["failed_generation"] = PARTIAL
    return refuse(400, error)


@case("case-echoes-request", "422 about max_tokens that quotes the whole request, response_format included (FastAPI)")
def echoes_request(request: Request) -> Reply:
    shown = {key: value for key, value in request.items() if not key.startswith("_")}
    fault = {"loc": ["body", "max_tokens"], "msg": "too large", "type": "value_error", "input": shown}
    return refuse(422, {"detail": [fault]})


CONTEXT = [
    ("vllm", 400, "this model's maximum context length is 4096 tokens, 9000 were requested"),
    ("llamacpp", 400, "9000 tokens exceed the available context size of 4096"),
    ("sglang", 400, "the input of 9000 tokens is longer than the model's context length of 4096"),
    ("tgi", 422, "inputs tokens plus max_new_tokens must be at most 4096, given 9000"),
    ("max-model-len", 400, "prompt is longer than max_model_len"),
    ("exceeds-limit", 400, "input token count 9000 exceeds the maximum number of tokens allowed, 4096"),
    ("500", 500, "the context size has been exceeded"),
]
for name, status, message in CONTEXT:
    case(f"case-context-{name}", f"{status}: {message}")(refused(status, openai_error(message)))
case("case-context-vllm-flat", "400 in vLLM's older shape without `error`: maximum context length")(
    refused(
        400,
        {
            "object": "error",
            "message": "maximum context length is 4096 tokens, 9000 were requested",
            "type": "BadRequestError",
            "param": None,
            "code": 400,
        },
    )
)

case("case-model-404", "404: no such model")(refused(404, openai_error("no such model here", "model_not_found")))
case("case-model-404-vllm-flat", "404 in vLLM's older shape without `error`: no such model")(
    refused(
        404,
        {
            "object": "error",
            "message": "the model does not exist",
            "type": "NotFoundError",
            "param": None,
            "code": 404,
        },
    )
)
case("case-redirect-307", "307 to the same path with a slash")(
    refused(307, b"", headers={"Location": "/v1/chat/completions/"})
)
case("case-403-html", "403 and a page of a web application firewall")(
    refused(403, "<html>blocked</html>", kind="text/html")
)
case("case-502-html", "502 and a proxy's page")(refused(502, "<html>Bad gateway</html>", kind="text/html"))
case("case-413", "413 and a proxy's page: the body is too large")(
    refused(413, "<html>too large</html>", kind="text/html")
)
case("case-402", "402: no credit")(refused(402, openai_error("no credit left", "insufficient_credits")))
case("case-quota", "429 insufficient_quota: no use in asking again")(
    refused(429, openai_error("the quota is used up", "insufficient_quota", "insufficient_quota"))
)
case("case-500-overloaded", "500: overloaded")(refused(500, openai_error("Overloaded", type="api_error")))
case("case-429-too-large", "429: the request alone is more than the limit of a minute")(
    refused(429, openai_error("request too large: limit 6000 tokens a minute, requested 9000", "rate_limit_exceeded"))
)
case("case-404-not-pulled", "404: no such model, and what to do (Ollama)")(
    refused(404, openai_error('model "m" not found, try pulling it first', type="api_error"))
)
case("case-400-only-thoughts", "400 after all tokens were thoughts (o-series, gpt-5)")(
    refused(400, openai_error("could not finish the message because max_tokens was reached"))
)


@case("case-no-stream", "400 unless the whole answer is asked for (organizations that aren't verified)")
def no_stream(request: Request) -> Reply:
    if request.get("stream"):
        message = "your organization must be verified to stream this model"
        return refuse(400, openai_error(message, "unsupported_value", param="stream"))
    message = {"role": "assistant", "content": GOOD_TEXT}
    return refuse(200, {"model": "m", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]})


case("case-529", "529 overloaded")(refused(529, openai_error("overloaded", type="overloaded_error")))
case("case-404-loading", "404: the model is being loaded, always")(
    refused(404, openai_error("the model is being loaded, please wait"))
)

# The same refusal in the shapes that servers give it.
SAID = "REASON: temperature must be at least 0.01 here"
SHAPES: list[tuple[str, int, Any]] = [
    ("error-message", 400, openai_error(SAID)),
    ("error-text", 400, {"error": SAID}),
    (
        "vllm-flat",
        400,
        {"object": "error", "message": SAID, "type": "BadRequestError", "param": None, "code": 400},
    ),
    (
        "flat-500",
        500,
        {"object": "error", "message": SAID, "type": "InternalServerError", "param": None, "code": 500},
    ),
    ("message", 400, {"message": SAID}),
    ("detail", 422, {"detail": SAID}),
    ("plain", 400, SAID),
    ("no-body", 400, b""),
]
for name, status, body in SHAPES:
    case(f"case-said-{name}", f"{status} in the shape {name}")(refused(status, body))


class Busy:
    """Refuses for some time from the first call on, then answers; after half a minute without a call it begins again.

    `speed` shortens all times.
    """

    speed = 1.0
    _began: dict[str, tuple[float, float]] = {}  # noqa: RUF012 — shared on purpose: the cases are module data
    _lock = threading.Lock()

    @classmethod
    def forget(cls) -> None:
        cls._began.clear()

    @classmethod
    def left(cls, model: str, seconds: float) -> float:
        now = time.monotonic()
        with cls._lock:
            began, last = cls._began.get(model, (now, now))
            if now - last > 30 + seconds:
                began = now
            cls._began[model] = (began, now)
        return began + seconds / cls.speed - now


def busy_for(
    seconds: float, status: int, error: Any, headers: Callable[[float], dict[str, str]] = lambda left: {}
) -> Answer:
    def reply(request: Request) -> Reply:
        left = Busy.left(request["model"], seconds)
        return refuse(status, error, headers=headers(left)) if left > 0 else Reply(*stream(GOOD_TEXT))

    return reply


RATE = openai_error("rate limit reached", "rate_limit_exceeded", "requests")
LOADING = {"error": {"code": 503, "message": "the model is being loaded", "type": "unavailable_error"}}
case("case-429-bare-20s", "429 without any header for 20 s, then an answer")(busy_for(20, 429, RATE))
case("case-429-reset-20s", "429 for 20 s; the time is in x-ratelimit-reset-requests only")(
    busy_for(
        20,
        429,
        RATE,
        lambda left: {"x-ratelimit-reset-requests": f"{left:.3f}s", "x-ratelimit-remaining-requests": "0"},
    )
)
case("case-429-ms-20s", "429 for 20 s; retry-after-ms only")(
    busy_for(20, 429, RATE, lambda left: {"retry-after-ms": str(int(left * 1000))})
)
case("case-429-date-8s", "429 for 8 s with Retry-After as a date")(
    busy_for(8, 429, RATE, lambda left: {"Retry-After": formatdate(time.time() + left + 1, usegmt=True)})
)
case("case-429-seconds-5s", "429 for 5 s with Retry-After in seconds")(
    busy_for(5, 429, RATE, lambda left: {"Retry-After": str(int(left) + 1)})
)
case("case-503-loading-30s", "503 while the model loads, 30 s, no header (llama.cpp), then an answer")(
    busy_for(30, 503, LOADING)
)
