"""The HTTP surface without Ray: what is refused, and in which words."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from submission import submit, turn

from deliberation_ray.dispatch import Dispatch
from deliberation_ray.gateway import Gateway
from deliberation_ray.refusal import full, runner_unavailable
from deliberation_ray.settings import Settings

HANDLE = {"submission_id": "t1", "runner": "runner/ab/0", "incarnation": "i"}
WAIT = {"runner": "runner/ab/0", "incarnation": "i", "turns": ["t1"]}


class Asked(Dispatch):
    """Answers as the test says, in place of runners."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.traceparent = ""

    async def submit(self, submit: Any, body: bytes, traceparent: str) -> dict[str, Any]:
        self.traceparent = traceparent
        if self.error:
            raise self.error
        return {"runner": "runner/ab/0"}

    async def probe(self, body: Any) -> dict[str, Any]:
        return {"runner": "runner/ab/0", "models": True}

    async def wait(self, body: Any) -> dict[str, Any]:
        return {"turns": [], "texts": [{"text": "Hello"}]}


def client_of(dispatch: Dispatch, **settings: Any) -> httpx2.AsyncClient:
    app = Gateway("ab", Settings(**{"ray_open": "ray_token_file" not in settings, **settings}), dispatch).app()
    headers = {"Authorization": "Bearer secret"}
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://gateway", headers=headers)


@pytest.fixture
def asked() -> Asked:
    return Asked()


@pytest.fixture
async def client(asked: Asked, tmp_path: Path) -> AsyncIterator[httpx2.AsyncClient]:
    (tmp_path / "token").write_text("secret")
    settings = {"ray_token_file": tmp_path / "token", "max_body_bytes": 20_000, "vllm_allow": "127.0.0.1"}
    async with client_of(asked, **settings) as client:
        yield client


def refused(response: httpx2.Response) -> tuple[int, str]:
    assert response.headers["content-type"] == "application/json"
    return response.status_code, response.json()["error"]["type"]


async def test_health_needs_no_token(client: httpx2.AsyncClient) -> None:
    response = await client.get("/healthz", headers={"Authorization": ""})
    assert (response.status_code, response.json()) == (200, {"status": "ok"})


@pytest.mark.parametrize("given", ["", "Bearer", "Bearer wrong", "Basic secret", "Bearer sécret"])
@pytest.mark.parametrize("path", ["/v1/info", "/v1/info/", "/v1/turns", "/nowhere"])
async def test_everything_else_needs_it(client: httpx2.AsyncClient, given: str, path: str) -> None:
    response = await client.get(path, headers={"Authorization": given.encode("latin-1")})
    assert refused(response) == (401, "unauthorized")


async def test_no_token_set_none_needed(asked: Asked) -> None:
    async with client_of(asked) as client:
        response = await client.post("/v1/turns", json=submit(turn()), headers={"Authorization": ""})
    assert response.status_code == 200


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/v2", 404), ("PUT", "/v1/turns", 405)])
async def test_unknown_routes_answer_as_everything_does(
    client: httpx2.AsyncClient, method: str, path: str, status: int
) -> None:
    assert refused(await client.request(method, path))[0] == status


async def test_the_trace_is_passed_on(client: httpx2.AsyncClient, asked: Asked) -> None:
    await client.post("/v1/turns", json=submit(turn()), headers={"traceparent": "00-abc"})
    assert asked.traceparent == "00-abc"


@pytest.mark.parametrize("trace", ["00-äbc", "00-\tabc"])
async def test_a_trace_that_no_header_can_carry_is_left_out(
    client: httpx2.AsyncClient, asked: Asked, trace: str
) -> None:
    await client.post("/v1/turns", json=submit(turn()), headers={"traceparent": trace.encode("latin-1")})
    assert asked.traceparent == ""


@pytest.mark.parametrize("url", ["http://other/", "http://169.254.169.254/", "http://[fe80::1]/"])
async def test_hosts_that_are_not_allowed(client: httpx2.AsyncClient, url: str) -> None:
    assert refused(await client.post("/v1/turns", json=submit(turn(url=url)))) == (403, "url_not_allowed")


async def test_a_probe_may_look_where_turns_may_call(client: httpx2.AsyncClient) -> None:
    answer = await client.post("/v1/probe", json={"vllm_url": "http://127.0.0.1:1", "model": "m"})
    assert answer.json() == {"runner": "runner/ab/0", "models": True}
    for url, expected in [("http://other", (403, "url_not_allowed")), ("other", (422, "invalid_request"))]:
        assert refused(await client.post("/v1/probe", json={"vllm_url": url, "model": "m"})) == expected


async def test_a_body_too_large(client: httpx2.AsyncClient) -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b" " * 1000

    assert refused(await client.post("/v1/turns", content=b" " * 20_001)) == (413, "too_large")
    assert refused(await client.post("/v1/turns", content=endless())) == (413, "too_large")
    claimed = await client.post("/v1/turns", content=b"{}", headers={"Content-Length": "9" * 5000})
    assert refused(claimed) == (413, "too_large")


@pytest.mark.parametrize("length", ["abc", "-1", "1e3", "²"])
async def test_a_length_that_is_no_number(client: httpx2.AsyncClient, length: str) -> None:
    headers = {"Content-Length": length.encode()}
    assert refused(await client.post("/v1/turns", content=b"{}", headers=headers)) == (422, "invalid_request")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (submit(), "turns"),
        (submit(turn(messages=[{"role": "user", "parts": [{"ref": "nope"}]}])), "turns[0].messages: unknown ref"),
        (submit(turn(messages=[{"role": "user", "parts": [{}]}])), "turns[0].messages[0].parts[0]"),
        (submit(turn(parameters={"n": 2})), "turns[0].parameters.n"),
        (submit(turn(parameters={"response_format": {"type": "xml"}})), "turns[0].parameters.response_format.type"),
        (submit(turn(url="vllm:8000")), "turns[0].vllm_url"),
        (submit(turn(url="http://user:pw@127.0.0.1/")), "turns[0].vllm_url"),
        (submit(turn(url="http://127.0.0.1:99999/")), "turns[0].vllm_url"),
        (submit(turn(run_seconds=0)), "turns[0].run_seconds"),
        (submit(turn(parameters={"max_tokens": 100.5})), "turns[0].parameters.max_tokens"),
        (submit(turn("a b")), "turns[0].submission_id"),
        (submit(turn("t1"), turn("t1")), "occurs twice"),
        (submit(turn(), owner=""), "owner"),
        ([], "Input should be an object"),
    ],
)
async def test_invalid_submits_name_the_field(client: httpx2.AsyncClient, body: Any, field: str) -> None:
    response = await client.post("/v1/turns", json=body)
    assert refused(response) == (422, "invalid_request")
    assert field in response.json()["error"]["message"]


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
async def test_numbers_that_json_does_not_have(client: httpx2.AsyncClient, number: str) -> None:
    body = json.dumps(submit(turn(parameters={"temperature": 0.123}))).replace("0.123", number)
    response = await client.post("/v1/turns", content=body)
    assert refused(response) == (422, "invalid_request")
    assert "turns[0].parameters.temperature" in response.json()["error"]["message"]


async def test_no_refusal_quotes_the_prompt(client: httpx2.AsyncClient) -> None:
    body = submit(turn(messages=[{"role": "user", "parts": "SECRET PROMPT"}]), common={"task": ["SECRET TASK"]})
    assert "SECRET" not in (await client.post("/v1/turns", json=body)).text


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/turns/await", {**WAIT, "runner": ""}),
        ("/v1/turns/await", {**WAIT, "runner": "SERVE_CONTROLLER_ACTOR"}),
        ("/v1/turns/await", {**WAIT, "turns": [HANDLE]}),
        ("/v1/turns/await", {**WAIT, "turns": []}),
        ("/v1/turns/await", {**WAIT, "turns": [f"t{number}" for number in range(1025)]}),
        ("/v1/turns/stop", {"owner": "o", "turns": [{**HANDLE, "runner": ""}]}),
        ("/v1/turns/forget", {"owner": "o", "turns": []}),
        ("/v1/turns/forget", b"{"),
    ],
)
async def test_invalid_handles(client: httpx2.AsyncClient, path: str, body: Any) -> None:
    content = {"content": body} if isinstance(body, bytes) else {"json": body}
    assert refused(await client.post(path, **content)) == (422, "invalid_request")


async def test_a_listing_needs_an_owner(client: httpx2.AsyncClient) -> None:
    assert refused(await client.get("/v1/turns")) == (422, "invalid_request")


async def test_refusals_say_when_to_come_back(client: httpx2.AsyncClient, asked: Asked) -> None:
    for error, expected in [(full("x"), (429, "full")), (runner_unavailable("x"), (503, "runner_unavailable"))]:
        asked.error = error
        response = await client.post("/v1/turns", json=submit(turn()))
        assert refused(response) == expected
        assert int(response.headers["retry-after"]) > 0


async def test_a_defect_is_reported_without_its_words(
    client: httpx2.AsyncClient, asked: Asked, caplog: pytest.LogCaptureFixture
) -> None:
    asked.error = RuntimeError("SECRET PROMPT")
    response = await client.post("/v1/turns", json=submit(turn()))
    assert refused(response) == (500, "internal")
    assert "SECRET" not in response.text + caplog.text


async def test_waits_leave_room(asked: Asked) -> None:
    async with client_of(asked, gateway_waits=1) as client:
        gateway_full = Gateway("ab", Settings(ray_open=True, gateway_waits=1), asked)
        async with gateway_full._open_wait():
            app = gateway_full.app()
            async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://g") as crowded:
                response = await crowded.post("/v1/turns/await", json=WAIT)
        assert refused(response) == (503, "overloaded")
        assert (await client.post("/v1/turns/await", json=WAIT)).json() == {
            "turns": [],
            "left": [],
            "texts": [{"text": "Hello"}],
        }
