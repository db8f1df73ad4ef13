"""What the local stack checks before it starts anything, and what it says."""

import http.server
import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import threading

import pytest
from supervisor.options import ServerOptions

from stack import cli, ports, preflight, prepare, processes, programs, supervision
from stack.console import Failed, tail
from stack.layout import Layout
from stack.record import STAND_IN_MODEL, TINY_MODEL, Record, variables

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

    problems = preflight.model()

    assert bool(problems) == bool(problem)
    assert problem in "".join(problems)
    assert preflight.os.environ["VLLM_MODEL"] == used


def test_a_model_server_that_is_not_there_is_named(monkeypatch):
    monkeypatch.setenv("VLLM_URL", "http://127.0.0.1:1")
    assert "VLLM_URL: http://127.0.0.1:1/v1/models can't be read: " in preflight.model()[0]


def test_a_model_needs_its_server(monkeypatch):
    monkeypatch.delenv("VLLM_URL", raising=False)
    monkeypatch.setenv("VLLM_MODEL", "qwen")
    assert preflight.model() == ["VLLM_MODEL=qwen needs VLLM_URL, the server that has it"]


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
def test_a_worker_is_ready_once_it_has_heard_from_ray(server, tmp_path, code, cluster, with_ray, ready):
    server.update(path="/readyz", code=code, body=json.dumps({"clusters": [cluster]}).encode())
    known = {"worker": int(server["url"].rpartition(":")[2])}
    wanted = ["worker", "rayapp"] if with_ray else ["worker"]
    record = Record(Layout(tmp_path), ports.choose(known, ["worker"], free_ports=True), wanted=wanted)
    assert programs.all_programs(record)["worker"].is_ready() == ready


def test_what_a_killed_command_leaves_behind_is_ended(tmp_path):
    # For a moment after its start, a process shows no environment.
    script = """if True:
        import os, signal, subprocess
        left = subprocess.Popen(["sleep", "600"])
        while not open(f"/proc/{left.pid}/environ").read():
            pass
        os.kill(os.getpid(), signal.SIGKILL)"""
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
    assert Record.load(record.layout) == record
    assert variables(record.layout)["DELIBERATION_VLLM_URL"] == "http://vllm:8000"
    assert variables(record.layout)["DELIBERATION_VLLM_MODEL"] == "qwen"

    record.vllm_url = record.vllm_model = ""
    record.save()
    assert Record.load(record.layout) == record
    assert variables(record.layout)["DELIBERATION_VLLM_MODEL"] == STAND_IN_MODEL


def test_a_real_small_model_may_replace_the_stand_in(tmp_path, monkeypatch):
    monkeypatch.setenv("DELIBERATION_RAY_TOKEN", "t")
    record = Record(Layout(tmp_path), ports.choose({}, (), True, programs.NAMES), tiny=True)
    record.save()
    kept = Record.load(record.layout)
    assert kept.model() == TINY_MODEL
    assert programs.MODELS / "tiny.py" in programs.all_programs(kept)["model"].command


def test_a_logs_end_is_of_this_run(tmp_path):
    log = tmp_path / "log"
    log.write_text("old\n")
    size = log.stat().st_size
    log.write_text("old\nnew\n")
    assert tail(log, since=size) == "    new"
    log.write_text("n\n")  # rotated
    assert tail(log, since=size) == "    n"


def test_a_dead_supervisor_is_not_a_stack_that_is_down(tmp_path, monkeypatch, capsys):
    assert cli._status(None, Layout(tmp_path)) == 3
    monkeypatch.setattr("stack.processes.belonging", lambda _: {7: "ray", 8: "nats"})
    assert cli._status(None, Layout(tmp_path)) == 1
    assert capsys.readouterr().out.splitlines() == [
        "no stack is running; `make up` starts one",
        "the supervisor is dead, 2 processes are left: make down (or make up)",
    ]


def test_a_second_ray_is_there_only_when_it_was_asked_for(tmp_path, monkeypatch):
    monkeypatch.setenv("DELIBERATION_RAY_TOKEN", "t")
    alone = Record(Layout(tmp_path), ports.choose({}, (), free_ports=True))
    assert "ray2" not in programs.all_programs(alone)
    assert "ray2_app_url" not in alone.urls()

    both = Record(Layout(tmp_path), ports.choose(alone.ports, (), free_ports=True, wanted=programs.NAMES))
    assert both.ports.items() >= alone.ports.items()
    assert ports.problems(both.ports, programs.NAMES, starting=()) == []
    ray, ray2 = (set(map(str, programs.all_programs(both)[name].command)) for name in ("ray", "ray2"))
    assert {option.split("=")[0] for option in ray ^ ray2} == {option.split("=")[0] for option in ray if own(option)}


def test_supervisord_reads_what_is_written_for_it(tmp_path, monkeypatch):
    monkeypatch.setenv("DELIBERATION_RAY_TOKEN", "100%(x)s")
    layout = Layout(tmp_path)
    layout.short = tmp_path
    layout.create()
    everything = programs.all_programs(Record(layout, ports.choose({}, (), free_ports=True)))
    with (tmp_path / "conf").open("w") as file:
        supervision._configuration(layout, tmp_path / "sock", everything).write(file)

    options = ServerOptions()
    options.realize(["-c", str(tmp_path / "conf")])
    read = {config.name: config for group in options.process_group_configs for config in group.process_configs}
    assert read.keys() == everything.keys()
    assert read["worker"].environment == everything["worker"].environment
    assert read["worker"].environment["DELIBERATION_RAY_TOKEN"] == "100%(x)s"
    assert (read["worker"].stopwaitsecs, read["ray"].stopasgroup, read["nats"].stopasgroup) == (30, False, True)
    assert shlex.split(read["ray"].command) == list(map(str, everything["ray"].command))


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


def own(option):
    """Whether an option of Ray's is one that no two on a machine may share; port 0 is any free one."""
    return ("port=" in option and not option.endswith("=0")) or option.startswith("--temp-dir=")


def test_programs_are_wanted_by_name(monkeypatch):
    monkeypatch.delenv("VLLM_URL", raising=False)
    wanted = lambda *options: cli._wanted(cli._parser().parse_args(["up", *options]))  # noqa: E731
    assert wanted() == ["temporal", "nats", "ray", "rayapp", "model", "worker"]
    assert wanted("--with", "ray2,rayapp2", "--without", "worker,nats") == [
        "temporal", "ray", "rayapp", "ray2", "rayapp2", "model",
    ]  # fmt: skip
    with pytest.raises(
        Failed, match=r"--with rai2: there is no such program \(did you mean ray2\?\); there are temporal"
    ):
        wanted("--with", "rai2")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["logs", "wurker"],
            "wurker: there is no such program (did you mean worker?); there are temporal, nats, ",
        ),
        (["stop", "zzz"], "zzz: there is no such program; there are temporal, nats, "),
        (["prepare", "tempral"], "tempral: there is no such step (did you mean temporal?); there are venv, tiny, "),
    ],
)
def test_a_name_that_is_not_known_is_answered_with_the_nearest(monkeypatch, capsys, arguments, said):
    monkeypatch.setattr(sys, "argv", ["stack.py", *arguments])
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.setattr(preflight, "tools", list)
    assert cli.main() == 1
    assert capsys.readouterr().err.startswith(said)


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
    with pytest.raises(Failed, match="making: failed with exit code 1"):
        step.run("step")
    (tmp_path / "broken").unlink()
    step.run("step")
    assert len((tmp_path / "made").read_text()) == 2
