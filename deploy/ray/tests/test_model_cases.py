"""Each case of the scripted model server, and what the runner makes of it."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from model_cases.answers import SCORES
from model_cases.reply import CASES, GOOD_TEXT, PARTIAL
from model_cases.server import Server
from submission import SCHEMA, submit, turn

from deliberation_ray import endpoints
from deliberation_ray.endpoints import Endpoints
from deliberation_ray.failures import Failure, Overloaded
from deliberation_ray.model import Answer, Model, ModelCall, Patiences, Progress
from deliberation_ray.turns import Turns
from deliberation_ray.wire import Submit

SPEED = 50.0
PARAMETERS: dict[str, Any] = {"temperature": 0.7, "max_tokens": 2048, "response_format": SCHEMA}
QUICK = Patiences(silence_seconds=0.3)

# The right value of each case, here and through the whole product: e2e reads the same file.
RIGHT = json.loads((Path(__file__).parent / "model_cases" / "right.json").read_text())
RUNNER: dict[str, dict[str, Any]] = {name: right["runner"] for name, right in RIGHT.items()}
MESSAGES = [{"role": "user", "content": "Write a grammar for response_format with json_schema."}]
# Whole answers: the case, the calls it takes, the finish reason, the format that held.
ANSWERS: list[tuple[str, int, str, str]] = [
    (name, right["calls"], right["finish_reason"], right["response_format"])
    for name, right in RUNNER.items()
    if "finish_reason" in right
]
# What the text is where it isn't the good answer.
TEXTS = {"case-length-cut": PARTIAL, "case-partial-model-length": PARTIAL, "case-partial-max-tokens": PARTIAL}
TEXTS |= {"case-partial-context-window": PARTIAL, "case-open-object": GOOD_TEXT[:-1]}
TEXTS |= {"case-length-complete": GOOD_TEXT + "\n" * 400, "case-empty": "", "case-whitespace": " \n\n "}
GOOD_ONES = [name for name, *_ in ANSWERS if name.startswith(("case-finish-", "case-format-", "case-needs-"))]
GOOD_ONES += [name for name, *_ in ANSWERS if "-chunk" in name or name in ("case-crlf", "case-cr", "case-content-list")]

# Failures: the case, its type, words of its message, the calls that were made.
FAILURES: list[tuple[str, str, str, int]] = [
    (name, right["error_type"], right["words"], right["calls"])
    for name, right in RUNNER.items()
    if "error_type" in right
]
# Answers that the server refuses after it has begun them. They are paid for.
REFUSED_LATE = ("case-partial-content-filter", "case-partial-recitation", "case-partial-tool-calls-half")
# Calls that the server puts off: the case, and the seconds that it names, of the time that is left.
PUT_OFF: list[tuple[str, tuple[float, float] | None]] = [
    (name, right["put_off_seconds"]) for name, right in RUNNER.items() if "put_off_seconds" in right
]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    server = Server(speed=SPEED).start()
    yield server
    server.end()


@pytest.fixture(autouse=True)
def _reset(server: Server) -> None:
    server.reset()


@pytest.fixture
async def model() -> AsyncIterator[Model]:
    model = Model((), {}, Patiences(silence_seconds=2.0))
    yield model
    await model.close()


async def asked(model: Model, url: str, name: str, **parameters: Any) -> tuple[Answer, Progress]:
    progress = Progress()
    answer = await model.answer(ModelCall("t1", url, name, MESSAGES, {**PARAMETERS, **parameters}), progress)
    return answer, progress


def test_every_case_has_its_right_value() -> None:
    tested = [each[0] for each in (*ANSWERS, *FAILURES, *PUT_OFF)]
    assert sorted(tested) == sorted(CASES)
    assert len(SCORES) == 12


@pytest.mark.parametrize(("name", "calls", "reason", "response_format"), ANSWERS)
async def test_an_answer(
    server: Server, model: Model, name: str, calls: int, reason: str, response_format: str
) -> None:
    answer, progress = await asked(model, server.url, name)
    assert (answer.finish_reason, answer.response_format) == (reason, response_format)
    assert answer.model == "m", "the model that answered, not the one that was asked for"
    assert server.calls[name] == calls
    assert progress.calls == 1, "a request that the server refused is no call"
    if name == "case-reasoning-only":
        assert (answer.text, answer.reasoning_text) == ("", GOOD_TEXT)
    elif name in GOOD_ONES or name in TEXTS:
        assert (answer.text, answer.reasoning_text) == (TEXTS.get(name, GOOD_TEXT), "")
    elif name not in ("case-content-list",):
        assert answer.text.strip()


@pytest.mark.parametrize(
    ("name", "text"),
    [(name, GOOD_TEXT) for name in GOOD_ONES]
    + [("case-second-choice", GOOD_TEXT), ("case-json-not-sse", GOOD_TEXT), ("case-reasoning-then-answer", GOOD_TEXT)],
)
async def test_the_text_is_complete(server: Server, model: Model, name: str, text: str) -> None:
    answer, _ = await asked(model, server.url, name)
    assert answer.text == text


async def test_characters_that_packets_split_are_whole(server: Server, model: Model) -> None:
    answer, _ = await asked(model, server.url, "case-multibyte-split")
    assert "FINAL: 令牌桶 🪣" in answer.text


@pytest.mark.parametrize(("name", "kind", "words", "calls"), FAILURES)
async def test_a_failure(server: Server, name: str, kind: str, words: str, calls: int) -> None:
    model, progress = Model((), {}, QUICK), Progress()
    with pytest.raises(Failure) as failure:
        await model.answer(ModelCall("t1", server.url, name, MESSAGES, PARAMETERS), progress)
    await model.close()
    assert failure.value.kind == kind
    assert words in failure.value.message
    assert server.calls[name] == calls
    refused = kind in ("ModelRejected", "ContextTooLong") and name not in REFUSED_LATE
    assert progress.calls == (0 if refused else 1)


@pytest.mark.parametrize(("name", "seconds"), PUT_OFF)
async def test_a_call_that_is_put_off(
    server: Server, model: Model, name: str, seconds: tuple[float, float] | None
) -> None:
    progress = Progress()
    with pytest.raises(Overloaded) as overloaded:
        await model.answer(ModelCall("t1", server.url, name, [], PARAMETERS), progress)
    named = overloaded.value.seconds
    assert (named is None) == (seconds is None)
    if seconds and named is not None:
        assert seconds[0] <= named <= seconds[1]
    assert progress.calls == 0, "it is no attempt"


@pytest.mark.parametrize("name", [name for name, _ in PUT_OFF if name.endswith("s") and name != "case-429-date-8s"])
async def test_a_turn_waits_until_the_server_takes_its_call(
    server: Server, model: Model, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoints, "PAUSES_SECONDS", (0.05, 0.1, 0.2))
    monkeypatch.setattr(endpoints, "SHORTEST_PAUSE_SECONDS", 0.01)
    turns = Turns(model.answer, 5, Endpoints(5, 5))
    turns.submit(Submit.model_validate(submit(turn("t1", url=server.url, model=name))))
    (view,) = await turns.wait(["t1"], 10)
    assert (view["state"], view["result"]["text"], view["result"]["calls"]) == ("completed", GOOD_TEXT, 1)
    assert server.calls[name] <= 8


@pytest.mark.parametrize(
    "name", ["case-needs-max-completion-tokens", "case-no-stream-options", "case-format-json-mode"]
)
async def test_what_a_server_refuses_is_remembered(server: Server, model: Model, name: str) -> None:
    await asked(model, server.url, name)
    requests = server.calls[name]
    await asked(model, server.url, name)
    assert requests > 1
    assert server.calls[name] == requests + 1


async def test_a_token_limit_is_never_dropped(server: Server, model: Model) -> None:
    await asked(model, server.url, "case-needs-max-completion-tokens", max_tokens=77)
    _, _, body = server.requests[-1]
    assert (body["max_completion_tokens"], "max_tokens" in body) == (77, False)


async def test_a_refusal_that_quotes_the_request_does_not_blame_the_format(server: Server, model: Model) -> None:
    with pytest.raises(Failure):
        await asked(model, server.url, "case-echoes-request")
    assert server.calls["case-echoes-request"] == 1
    assert (await asked(model, server.url, "ok"))[0].response_format == "json_schema"


async def test_a_model_that_only_thinks_is_not_paid_again(server: Server, model: Model) -> None:
    with pytest.raises(Failure) as failure:
        await asked(model, server.url, "case-length-thinking")
    assert not failure.value.retryable


async def test_a_server_that_is_restarted_is_waited_for(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoints, "PAUSES_SECONDS", (0.05,))
    monkeypatch.setattr(endpoints, "SHORTEST_PAUSE_SECONDS", 0.01)
    before = Server(speed=SPEED).start()
    assert (await asked(model, before.url, "ok"))[1].calls == 1
    before.end()
    turns = Turns(model.answer, 5, Endpoints(5, 5))
    turns.submit(Submit.model_validate(submit(turn("t1", url=before.url, model="ok"))))
    (view,) = await turns.wait(["t1"], 0.2)
    assert view["waiting"]["status"] == 0
    assert "refuses connections" in view["waiting"]["reason"]
    after = Server(before.server_address[1], speed=SPEED).start()
    (view,) = await turns.wait(["t1"], 10)
    after.end()
    assert (view["state"], view["result"]["calls"]) == ("completed", 1)
    assert after.calls["ok"] == 1


async def test_a_server_that_stalled_is_asked_again(server: Server) -> None:
    model = Model((), {}, QUICK)
    with pytest.raises(Failure) as failure:
        await asked(model, server.url, "case-stall-once")
    assert failure.value.retryable
    answer, _ = await asked(model, server.url, "case-stall-once")
    await model.close()
    assert answer.text == GOOD_TEXT


async def test_a_server_that_queues_without_a_word_has_half_of_the_time_that_is_left(server: Server) -> None:
    model = Model((), {}, Patiences(silence_seconds=0.2))
    began = asyncio.get_running_loop().time()
    call = ModelCall("t1", server.url, "case-late-90s", [], PARAMETERS, seconds=2.0)
    with pytest.raises(Failure, match="has not begun to answer"):
        await model.answer(call, Progress())
    assert 0.4 < asyncio.get_running_loop().time() - began < 1.5
    answer, progress = await asked(model, server.url, "case-late-90s")  # after 1.8 s
    await model.close()
    assert (answer.text, progress.calls) == (GOOD_TEXT, 1)
    assert server.calls["case-late-90s"] == 2, "one request for each answer that was asked for"


@pytest.mark.parametrize(
    ("base", "path", "requests"),
    [
        ("", "/v1", 1),
        ("/", "/v1", 1),
        ("/v1", "/v1", 1),
        ("/v1//", "/v1", 1),
        ("/v1/chat/completions", "/v1", 1),
        ("/v1beta/openai/", "/v1beta/openai", 1),
        ("/api/v3", "/api/v3", 1),
        ("/api/paas/v4", "/api/paas/v4", 1),
        ("/v1/openai", "/v1/openai", 1),
        ("/openai/v1", "/openai/v1", 1),
        ("/serving-endpoints", "/serving-endpoints", 1),
        ("/llm/chat/completions/", "/llm", 1),
        ("/proxy/team-a", "/proxy/team-a/v1", 2),
        ("/llm/v1", "/llm", 2),
    ],
)
async def test_a_base_url_as_people_paste_it(server: Server, model: Model, base: str, path: str, requests: int) -> None:
    answer, progress = await asked(model, server.url + base, "ok")
    assert (answer.text, progress.calls) == (GOOD_TEXT, 1)
    assert server.paths[-1] == f"{path}/chat/completions"
    assert len(server.paths) == requests
    await asked(model, server.url + base, "ok")
    assert server.paths[requests:] == [f"{path}/chat/completions"], "the form that worked is remembered"


async def test_a_base_url_that_leads_nowhere_names_the_url_that_was_meant(server: Server, model: Model) -> None:
    with pytest.raises(Failure) as failure:
        await asked(model, server.url + "/nowhere", "ok")
    assert failure.value.kind == "ModelRejected"
    assert failure.value.message == f"404: Not Found (called {server.url}/nowhere/chat/completions)"
