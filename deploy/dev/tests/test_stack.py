"""What the local stack checks before it starts anything, and what it says."""

import http.server
import json
import os
import subprocess
import sys
import threading

import pytest

from stack import cli, model_server, ports, preflight, processes, programs
from stack.console import Failed, tail
from stack.layout import Layout
from stack.readiness import worker_ready
from stack.record import STAND_IN_MODEL, TINY_MODEL, Record
from stack.report import status

PROGRAMS = ("temporal", "nats", "ray")


@pytest.mark.parametrize(
    ("chosen", "want"),
    [
        ({"temporal": 7233, "nats": 4222}, []),
        (
            {"temporal": 7233, "nats": 7233},
            ["port 7233 can't be for nats and for temporal too: change one with TEMPORAL_PORT=… or NATS_PORT=…"],
        ),
        (
            {"nats": 25100, "ray_workers": 25000},
            ["port 25000 can't be for ray workers and for nats too: change one with NATS_PORT=…"],
        ),
        ({"nats": 8001, "model": 8001}, []),  # no model is started
    ],
)
def test_two_programs_never_share_a_port(chosen, want):
    assert preflight.equal(chosen, PROGRAMS) == want


@pytest.fixture
def server():
    """A server whose answer to one path is set by the test."""
    answer = {"path": "/v1/models", "code": 200, "body": b""}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(answer["code"] if self.path == answer["path"] else 404)
            self.end_headers()
            self.wfile.write(answer["body"])

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        threading.Thread(target=listening.serve_forever, args=(0.01,), daemon=True).start()
        answer["url"] = f"http://127.0.0.1:{listening.server_port}"
        yield answer
        listening.shutdown()


def lists(*models):
    return json.dumps({"data": [{"id": name} for name in models]}).encode()


@pytest.mark.parametrize(
    ("given", "code", "body", "problem", "used"),
    [
        ("", 200, lists("qwen"), "", "qwen"),
        ("", 200, lists("qwen", "llama"), "serves qwen, llama: name one", ""),
        ("", 401, b"", "serves no model that it lists: name one", ""),
        ("llama", 401, b"", "", "llama"),
        ("llama", 200, lists("qwen"), "", "llama"),
        ("", 500, b"", "Internal Server Error", ""),
        ("", 200, b"<html>", "can't be read", ""),
        ("", 200, b"[]", "the answer isn't a list of models", ""),
    ],
)
@pytest.mark.parametrize("path", ["", "/v1", "/v1/"])
def test_a_model_server_is_asked_for_its_models(server, monkeypatch, path, given, code, body, problem, used):
    server.update(code=code, body=body)
    monkeypatch.setenv("VLLM_URL", server["url"] + path)
    monkeypatch.setenv("VLLM_MODEL", given)

    problems = model_server.choose()

    assert bool(problems) == bool(problem)
    assert problem in "".join(problems)
    assert model_server.os.environ["VLLM_MODEL"] == used


def test_a_model_server_that_is_not_there_is_named(monkeypatch):
    monkeypatch.setenv("VLLM_URL", "http://127.0.0.1:1")
    assert "VLLM_URL: http://127.0.0.1:1/v1/models can't be read: " in model_server.choose()[0]


def test_a_model_needs_its_server(monkeypatch):
    monkeypatch.delenv("VLLM_URL", raising=False)
    monkeypatch.setenv("VLLM_MODEL", "qwen")
    assert model_server.choose() == ["VLLM_MODEL=qwen needs VLLM_URL, the server that has it"]


@pytest.mark.parametrize(
    ("code", "cluster", "with_ray", "ready"),
    [
        (200, {"breaker": "closed", "room": 9}, True, True),
        (200, {"breaker": "open", "room": 9}, True, False),
        (200, {"breaker": "closed", "room": 0, "fault": "not asked yet"}, True, False),
        (200, {"breaker": "open", "room": 0, "fault": "connection refused"}, False, True),
        (503, {"breaker": "closed", "room": 9}, True, False),
    ],
)
def test_a_worker_is_ready_once_it_has_heard_from_ray(server, code, cluster, with_ray, ready):
    server.update(path="/readyz", code=code, body=json.dumps({"clusters": [cluster]}).encode())
    assert worker_ready(server["url"], with_ray) == ready


def test_what_a_killed_command_leaves_behind_is_ended(tmp_path):
    script = "import os, signal, subprocess; subprocess.Popen(['sleep', '600']); os.kill(os.getpid(), signal.SIGKILL)"
    environment = {**os.environ, processes.MARK: str(tmp_path)}
    subprocess.run([sys.executable, "-c", script], env=environment, check=False)
    assert list(processes.belonging(Layout(tmp_path)).values()) == ["sleep"]

    assert [name.split()[0] for name in processes.sweep(Layout(tmp_path), wait=0.1)] == ["sleep"]

    assert processes.belonging(Layout(tmp_path)) == {}


def test_the_model_in_use_is_remembered(tmp_path, monkeypatch):
    monkeypatch.setenv("DELIBERATION_RAY_TOKEN", "t")
    chosen = dict.fromkeys(
        ("temporal", "temporal_ui", "nats", "ray_dashboard", "ray_app", "model", "worker", "ray_gcs"), 1
    )
    record = Record(Layout(tmp_path), chosen, vllm_url="http://vllm:8000", vllm_model="qwen")
    record.save()
    assert Record.load(record.layout).model() == {
        "DELIBERATION_VLLM_URL": "http://vllm:8000",
        "DELIBERATION_VLLM_MODEL": "qwen",
    }

    record.vllm_url = record.vllm_model = ""
    record.save()
    assert Record.load(record.layout).model()["DELIBERATION_VLLM_MODEL"] == STAND_IN_MODEL


def test_a_real_small_model_may_replace_the_stand_in(tmp_path, monkeypatch):
    monkeypatch.setenv("DELIBERATION_RAY_TOKEN", "t")
    record = Record(Layout(tmp_path), ports.choose({}, (), True, programs.NAMES), tiny=True)
    record.save()
    kept = Record.load(record.layout)
    assert kept.model()["DELIBERATION_VLLM_MODEL"] == TINY_MODEL
    assert str(programs.TINY) in programs.all_programs(kept)["model"].command


def test_a_logs_end_is_of_this_run(tmp_path):
    log = tmp_path / "log"
    log.write_text("old\n")
    size = log.stat().st_size
    log.write_text("old\nnew\n")
    assert tail(log, since=size) == "    new"
    log.write_text("n\n")  # rotated
    assert tail(log, since=size) == "    n"


def test_a_dead_supervisor_is_not_a_stack_that_is_down(tmp_path, monkeypatch, capsys):
    assert status(Layout(tmp_path), as_json=False) == 3
    monkeypatch.setattr("stack.processes.belonging", lambda _: {7: "ray", 8: "nats"})
    assert status(Layout(tmp_path), as_json=False) == 1
    assert capsys.readouterr().out.splitlines() == [
        "no stack is running",
        "the supervisor is dead, 2 processes are left: make down (or make up)",
    ]


def test_a_second_ray_is_there_only_when_it_was_asked_for(tmp_path, monkeypatch):
    monkeypatch.setenv("DELIBERATION_RAY_TOKEN", "t")
    alone = Record(Layout(tmp_path), ports.choose({}, (), free_ports=True))
    assert "ray2" not in programs.all_programs(alone)
    assert "ray2_app_url" not in alone.urls()

    both = Record(Layout(tmp_path), ports.choose(alone.ports, (), free_ports=True, wanted=programs.NAMES))
    assert both.ports.items() >= alone.ports.items()
    assert preflight.equal(both.ports, programs.NAMES) == []
    ray, ray2 = (set(programs.all_programs(both)[name].command) for name in ("ray", "ray2"))
    assert {option.split("=")[0] for option in ray ^ ray2} == {option.split("=")[0] for option in ray if own(option)}


def test_a_new_port_is_picked_beside_those_that_stay(tmp_path, monkeypatch):
    first = ports.choose({}, (), free_ports=True)
    inside = first["ray_workers"] + 1
    elsewhere = next(port for port in range(ports.LOWEST, ports.HIGHEST) if port not in taken(first))
    candidates = iter((inside, elsewhere))
    monkeypatch.setattr("stack.ports.random.randrange", lambda *_: next(candidates))
    monkeypatch.setattr("stack.ports.is_free", lambda _: True)
    known = {name: port for name, port in first.items() if name != "nats"}

    assert ports.choose(known, (), free_ports=True) == {**first, "nats": elsewhere}


def taken(chosen):
    return {port for name, port in chosen.items() for port in ports.span(name, port)}


def own(option):
    """Whether an option of Ray's is one that no two on a machine may share."""
    return "port=" in option or option.startswith("--temp-dir=")


def test_programs_are_wanted_by_name(monkeypatch):
    monkeypatch.delenv("VLLM_URL", raising=False)
    wanted = lambda *options: cli._wanted(cli._parser().parse_args(["up", *options]))  # noqa: E731
    assert wanted() == ["temporal", "nats", "ray", "rayapp", "model", "worker"]
    assert wanted("--with", "ray2,rayapp2", "--without", "worker,nats") == [
        "temporal", "ray", "rayapp", "ray2", "rayapp2", "model",
    ]  # fmt: skip
    with pytest.raises(Failed, match="--with ray3: there is no such program"):
        wanted("--with", "ray3")
