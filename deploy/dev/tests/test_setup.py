"""What is checked and made before anything of the local stack starts."""

import json
import os
import socket

import pytest

from stack import ports, preflight, prepare

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
            {"nats": 25000, "ray_agent": 25000},
            ["port 25000 can't be for ray agent and for nats too: change one with NATS_PORT=…"],
        ),
        ({"nats": 8001, "model": 8001}, []),  # no model is started
    ],
)
def test_two_programs_never_share_a_port(chosen, want):
    assert ports.problems(chosen, PROGRAMS, starting=()) == want


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
        ("", 200, b"[]", "can't be read as a list of models", ""),
    ],
)
@pytest.mark.parametrize("path", ["", "/v1", "/v1/"])
def test_a_model_server_is_asked_for_its_models(server, monkeypatch, path, given, code, body, problem, used):
    server.update(code=code, body=body)
    monkeypatch.setenv("VLLM_URL", server["url"] + path)
    monkeypatch.setenv("VLLM_MODEL", given)

    problems = preflight.model()

    assert bool(problems) == bool(problem)
    assert problem in "".join(problems)
    assert preflight.os.environ["VLLM_MODEL"] == used


def test_a_model_server_that_is_not_there_is_named(monkeypatch):
    monkeypatch.setenv("VLLM_URL", "http://127.0.0.1:1")
    assert "VLLM_URL: http://127.0.0.1:1/v1/models can't be read as a list of models: " in preflight.model()[0]


def test_a_model_needs_its_server(monkeypatch):
    monkeypatch.delenv("VLLM_URL", raising=False)
    monkeypatch.setenv("VLLM_MODEL", "qwen")
    assert preflight.model() == ["VLLM_MODEL=qwen needs VLLM_URL, the server that has it"]


def test_a_new_port_is_picked_beside_those_that_stay(monkeypatch):
    first = ports.choose({}, (), free_ports=True)
    elsewhere = next(port for port in ports.PICKED if port not in first.values())
    monkeypatch.setattr("stack.ports.random.sample", lambda *_: [first["ray_gcs"], elsewhere])
    monkeypatch.setattr("stack.ports.is_free", lambda _: True)
    known = {name: port for name, port in first.items() if name != "nats"}

    assert ports.choose(known, (), free_ports=True) == {**first, "nats": elsewhere}


def test_a_port_that_is_taken_is_named_with_its_listener():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        (problem,) = ports.problems({"nats": port}, ["nats"], starting=["nats"])
        assert ports.problems({"nats": port}, ["nats"], starting=[]) == []
    assert problem.startswith(f"port {port} for nats is taken by ")
    assert problem.endswith(f"(pid {os.getpid()}): end that, or choose another port with NATS_PORT=…")


@pytest.fixture
def step(tmp_path, monkeypatch):
    """A step that counts how often it ran."""
    monkeypatch.setattr(prepare, "ROOT", tmp_path)
    monkeypatch.setattr(prepare, "LOGS", tmp_path)
    (tmp_path / "lock.txt").write_text("1")
    return prepare.Step("making", "at once", "echo >> made; test ! -e broken", ("lock.txt",), ("made",))


def test_a_step_runs_again_when_its_inputs_or_its_results_change(step, tmp_path):
    def runs():
        step.run("step")
        return len((tmp_path / "made").read_text())

    assert (runs(), runs()) == (1, 1)
    (tmp_path / "lock.txt").write_text("2")
    assert (runs(), runs()) == (2, 2)
    (tmp_path / "made").unlink()
    assert (runs(), runs()) == (1, 1)


def test_a_step_that_failed_runs_again(step, tmp_path):
    (tmp_path / "broken").touch()
    with pytest.raises(SystemExit, match="making: failed with exit code 1"):
        step.run("step")
    (tmp_path / "broken").unlink()
    step.run("step")
    assert len((tmp_path / "made").read_text()) == 2
