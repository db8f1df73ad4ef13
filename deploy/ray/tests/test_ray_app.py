"""The whole way: HTTP, Serve, a runner, a model."""

import json
import socket
import struct
import time
from typing import Any

import process
import pytest
from ray_app import TOKEN, App, handles, states, statuses, waiting
from stand_in import StandIn
from submission import SCHEMA, new_id, submit, turn

pytestmark = pytest.mark.ray


def test_a_turn_from_submit_to_forget(app: App, stand_in: StandIn, name: str) -> None:
    spec = turn(url=stand_in.url, model=name, parameters={"response_format": SCHEMA})
    answer = app.submit(spec)
    assert statuses(answer) == ["accepted"]
    assert statuses(app.submit(spec)) == ["attached"]
    (state,) = app.wait(*handles(answer))
    assert state["incarnation"] == answer["incarnation"]
    assert state["state"] == "completed"
    assert "CANNED" in state["result"]["text"]
    assert state["result"]["response_format"] == "json_schema"
    (listed,) = [
        each
        for each in app.get("/v1/turns", owner="owner-1")["turns"]
        if each["submission_id"] == spec["submission_id"]
    ]
    assert (listed["runner"], listed["state"]) == (answer["runner"], "completed")
    assert states(app.forget(*handles(answer))) == ["completed"]
    assert statuses(app.submit(spec)) == ["cancelled"]
    assert states(app.wait(*handles(answer))) == ["cancelled"]
    (call,) = stand_in.calls(name)
    assert call["request_id"] == spec["submission_id"]


def test_the_text_of_a_turn_comes_by_waits(app: App, stand_in: StandIn, name: str) -> None:
    stand_in.script(name, {"text": "Word by word. " * 30, "chunk_delay_seconds": 0.05})
    answer = app.submit(turn(url=stand_in.url, model=name))
    texts: list[dict[str, Any]] = []
    alone = 0
    ended: list[dict[str, Any]] = []
    while not ended:
        body = {**waiting(*handles(answer)), "wait_seconds": 20, "text_seconds": 0.2}
        came = app.post("/v1/turns/await", body).json()
        ended, texts, alone = came["turns"], texts + came["texts"], alone + (not came["turns"])
    assert states(ended) == ["completed"]
    assert alone > 1, "the text comes while the turn runs"
    assert "".join(text["text"] for text in texts) == ended[0]["result"]["text"]
    assert [text["sequence"] for text in texts] == list(range(1, len(texts) + 1))
    assert [texts[0]["kind"], texts[-1]["kind"]] == ["start", "complete"]


def test_info_lists_the_runners(app: App) -> None:
    info = app.get("/v1/info")
    assert info["api_version"] == 1
    assert [runner["name"] for runner in info["runners"]] == [f"runner/{info['build']}/{index}" for index in (0, 1)]
    assert info["capacity"] == 10_000


def test_it_refuses_in_json(app: App) -> None:
    assert app.http.get("/v1/info", headers={"Authorization": "Bearer no"}).json()["error"]["type"] == "unauthorized"
    assert app.http.get("/healthz", headers={"Authorization": ""}).json() == {"status": "ok"}
    for status, kind, response in [
        (403, "url_not_allowed", app.post("/v1/turns", submit(turn(url="http://169.254.169.254/")))),
        (413, "too_large", app.http.post("/v1/turns", content=b" " * (8 * 1024 * 1024 + 1))),
        (422, "invalid_request", app.post("/v1/turns", submit())),
        (404, "not_found", app.http.get("/v2")),
        (405, "method_not_allowed", app.http.delete("/v1/turns")),
    ]:
        assert (response.status_code, response.json()["error"]["type"]) == (status, kind)


def test_stop_closes_the_connection_and_returns_what_had_completed(app: App, stand_in: StandIn, name: str) -> None:
    stand_in.script(name, {"text": "done"}, {"hang": True})
    done, hung = turn(url=stand_in.url, model=name), turn(url=stand_in.url, model=name)
    first = app.submit(done)
    app.wait(*handles(first))
    second = app.submit(hung)
    stand_in.until_called(name, 2)
    began = time.monotonic()
    completed, cancelled = app.stop(*handles(first), *handles(second))
    # One sample on a busy machine; test_ray_scale measures.
    assert time.monotonic() - began < 3
    assert (completed["state"], completed["result"]["text"]) == ("completed", "done")
    assert (cancelled["state"], cancelled["error"]["type"]) == ("cancelled", "Cancelled")
    process.until(lambda: stand_in.calls(name)[1]["outcome"] == "disconnected", "the model notices", seconds=5)


def test_run_seconds_and_keep_seconds(app: App, stand_in: StandIn, name: str) -> None:
    stand_in.script(name, {"hang": True})
    answer = app.submit(turn(url=stand_in.url, model=name, run_seconds=0.5, keep_seconds=5))
    (state,) = app.wait(*handles(answer))
    assert (state["state"], state["error"]["type"]) == ("failed", "ModelTimeout")
    stand_in.until_outcome(name, "disconnected")
    process.until(lambda: states(app.wait(*handles(answer), seconds=0)) == ["unknown"], "it is dropped")
    (state,) = app.wait(*handles(answer))
    assert state["incarnation"] == answer["incarnation"]


def test_a_stop_whose_submit_was_never_answered(app: App, stand_in: StandIn, name: str) -> None:
    stand_in.script(name, {"hang": True})
    seen, unseen = (turn(url=stand_in.url, model=name) for _ in range(2))
    app.submit(seen, deliberation="d-lost")
    stand_in.until_called(name)
    ends = [{"submission_id": spec["submission_id"], "deliberation": "d-lost"} for spec in (seen, unseen)]
    assert states(app.stop(*ends)) == ["cancelled", "unknown"]
    assert statuses(app.submit(seen, unseen, deliberation="d-lost")) == ["cancelled", "cancelled"]
    stand_in.until_outcome(name, "disconnected")
    assert len(stand_in.calls(name)) == 1


STEPS = ["connected", "half of the headers", "headers", "half of the body", "body", "body and a moment"]


def cut(app: App, path: str, request: object, step: str) -> None:
    """Sends a part of the request, then resets the connection."""
    body = json.dumps(request).encode()
    headers = (
        f"POST /deliberation{path} HTTP/1.1\r\nHost: app\r\nAuthorization: Bearer {TOKEN}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode()
    sent = {
        "connected": b"",
        "half of the headers": headers[: len(headers) // 2],
        "headers": headers,
        "half of the body": headers + body[: len(body) // 2],
    }.get(step, headers + body)
    with socket.create_connection(("127.0.0.1", app.port)) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.sendall(sent)
        if step == "body and a moment":
            time.sleep(0.01)


@pytest.mark.parametrize("step", STEPS)
def test_a_submit_cut_at_every_step_is_made_once(app: App, stand_in: StandIn, name: str, step: str) -> None:
    spec = turn(url=stand_in.url, model=name)
    cut(app, "/v1/turns", submit(spec), step)
    answer = app.submit(spec)
    assert states(app.wait(*handles(answer))) == ["completed"]
    assert len(stand_in.calls(name)) == 1


@pytest.mark.parametrize("step", STEPS)
def test_a_stop_cut_at_every_step_can_be_repeated(app: App, stand_in: StandIn, name: str, step: str) -> None:
    stand_in.script(name, {"hang": True})
    spec = turn(url=stand_in.url, model=name)
    answer = app.submit(spec)
    stand_in.until_called(name)
    cut(app, "/v1/turns/stop", {"owner": "owner-1", "turns": handles(answer)}, step)
    assert states(app.stop(*handles(answer))) == ["cancelled"]
    assert statuses(app.submit(spec)) == ["cancelled"]
    stand_in.until_outcome(name, "disconnected")
    assert len(stand_in.calls(name)) == 1


def test_a_wait_that_is_cut_harms_no_turn(app: App, stand_in: StandIn, name: str) -> None:
    stand_in.script(name, {"delay_seconds": 1, "text": "done"})
    answer = app.submit(turn(new_id(), url=stand_in.url, model=name))
    cut(app, "/v1/turns/await", {**waiting(*handles(answer)), "wait_seconds": 20}, "body and a moment")
    assert states(app.wait(*handles(answer))) == ["completed"]
