"""What the local stack runs, what it remembers, and what it says."""

import json
import os
import shlex
import signal
import subprocess
import sys
import urllib.request

import pytest
from supervisor.options import ServerOptions

from stack import cli, ports, preflight, processes, programs, supervision
from stack.console import tail
from stack.layout import Layout
from stack.record import STAND_IN_MODEL, TINY_MODEL, Record
from stack.running import Stack


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
    record = Record(str(tmp_path), ports.choose(known, ["worker"], free_ports=True), wanted=wanted)
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

    assert list(processes.sweep(Layout(tmp_path), wait=0.1).values()) == ["sleep"]

    assert processes.belonging(Layout(tmp_path)) == {}


def test_what_a_stack_uses_is_remembered_and_can_be_sourced(tmp_path):
    chosen = ports.choose({}, (), free_ports=True)
    record = Record(str(tmp_path), chosen, vllm_url="http://vllm:8000", vllm_model="it's mine", ray_token="t")
    record.save()
    assert Record.load(Layout(tmp_path)) == record

    script = f'. {tmp_path}/env; echo "$DELIBERATION_VLLM_URL, $DELIBERATION_VLLM_MODEL, $DELIBERATION_RAY_TOKEN"'
    sourced = subprocess.run(["sh", "-c", script], capture_output=True, text=True)
    assert sourced.stdout == "http://vllm:8000, it's mine, t\n"


@pytest.mark.parametrize(
    ("shell", "tiny", "before", "model"),
    [
        ({}, False, {}, STAND_IN_MODEL),
        ({}, True, {}, TINY_MODEL),
        ({}, False, {"vllm_url": "http://vllm", "vllm_model": "qwen"}, STAND_IN_MODEL),
        ({"VLLM_URL": "http://vllm", "VLLM_MODEL": "qwen"}, False, {}, "qwen"),
    ],
)
def test_each_start_says_which_model_is_used(tmp_path, monkeypatch, shell, tiny, before, model):
    for name in ("VLLM_URL", "VLLM_MODEL"):
        monkeypatch.setenv(name, shell.get(name, ""))
    Record(str(tmp_path), ports.choose({}, (), free_ports=True), **before).save()

    record = Stack(short_of(tmp_path))._record(["model"], set(), True, tiny)

    assert (record.vllm_url, record.vllm_model) == (shell.get("VLLM_URL", ""), model)
    runs = "tiny.py" if tiny else "standin.py"
    assert programs.MODELS / runs in programs.all_programs(record)["model"].command


def test_a_model_that_runs_is_not_replaced(tmp_path, monkeypatch):
    monkeypatch.setenv("VLLM_MODEL", "")
    with pytest.raises(SystemExit, match="the stack runs with another model"):
        Stack(short_of(tmp_path))._record(["model"], {"model"}, True, tiny=True)


def test_a_token_is_made_once_or_given(tmp_path, monkeypatch):
    def token():
        record = Stack(short_of(tmp_path))._record([], set(), True, tiny=False)
        record.save()
        return record.ray_token

    monkeypatch.delenv("DELIBERATION_RAY_TOKEN", raising=False)
    tmp_path.chmod(0o755)
    made = token()
    assert len(made) > 20
    assert token() == made
    assert tmp_path.stat().st_mode & 0o777 == 0o700
    monkeypatch.setenv("DELIBERATION_RAY_TOKEN", "mine")
    assert token() == "mine"


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


def test_the_status_shows_all_that_runs(tmp_path, monkeypatch, capsys):
    Record(str(tmp_path), ports.choose({}, (), free_ports=True), wanted=["ray", "nats"]).save()
    said = {"nats": ("BACKOFF", "Exited too quickly (process log may have details)"), "ray2": ("RUNNING", "pid 7")}
    states = {name: said.get(name, ("STOPPED", "Not started")) for name in programs.PROGRAMS}
    known = {name: {"statename": state, "description": words} for name, (state, words) in states.items()}
    monkeypatch.setattr(supervision.Supervisor, "states", lambda _: known)
    monkeypatch.setattr(programs.Program, "is_ready", lambda _: True)

    assert cli._status(None, Layout(tmp_path)) == 1

    shown = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert "ray2" in shown
    assert "rayapp2" not in shown
    assert "details) nats://" in shown["nats"]


@pytest.mark.parametrize(("written", "said"), [("", True), ("up\n", False)])
def test_an_empty_log_is_not_shown_as_nothing(tmp_path, monkeypatch, capsys, written, said):
    layout = short_of(tmp_path)
    layout.create()
    layout.log("temporal").write_text(written)
    monkeypatch.setattr(os, "execvp", lambda *_: None)
    cli._logs(cli._parser().parse_args(["logs", "temporal"]), layout)
    assert ("nothing has been written yet" in capsys.readouterr().err) == said


@pytest.mark.parametrize(
    ("given", "local", "other"), [("", True, False), ("vllm", True, True), ("*", True, True), ("x", True, False)]
)
def test_what_is_local_is_asked_without_a_proxy(monkeypatch, given, local, other):
    monkeypatch.setattr(sys, "argv", ["stack.py", "down"])
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, given)
    asked = {}

    def _down(*_):
        asked.update({host: bool(urllib.request.proxy_bypass(host)) for host in ("127.0.0.1:1", "vllm:8000")})

    monkeypatch.setattr(cli, "_down", _down)
    assert cli.main() == 0
    assert asked == {"127.0.0.1:1": local, "vllm:8000": other}


def test_what_another_user_owns_is_named(monkeypatch):
    def _down(*_):
        raise PermissionError(13, "Permission denied", "stack/lock")

    monkeypatch.setattr(sys, "argv", ["stack.py", "down"])
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.setattr(cli, "_down", _down)
    with pytest.raises(SystemExit, match="Permission denied: 'stack/lock'"):
        cli.main()


def test_a_second_ray_stands_next_to_the_first(tmp_path):
    both = Record(str(tmp_path), ports.choose({}, (), free_ports=True))
    assert ports.problems(both.ports, programs.PROGRAMS, starting=()) == []
    ray, ray2 = (set(map(str, programs.all_programs(both)[name].command)) for name in ("ray", "ray2"))
    assert {option.split("=")[0] for option in ray ^ ray2} == {option.split("=")[0] for option in ray if own(option)}


def test_supervisord_reads_what_is_written_for_it(tmp_path):
    layout = short_of(tmp_path)
    layout.create()
    record = Record(str(tmp_path), ports.choose({}, (), free_ports=True), ray_token="100%(x)s")
    everything = programs.all_programs(record)
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


def short_of(home):
    """A layout whose folder for sockets is the home, so that a test makes none in /tmp."""
    layout = Layout(home)
    layout.short = home
    return layout


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
    monkeypatch.setenv("VLLM_URL", "http://vllm")
    assert wanted() == ["temporal", "nats", "ray", "rayapp", "worker"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["logs", "wurker"],
            "wurker: there is no such program (did you mean worker?); there are temporal, nats, ",
        ),
        (["up", "--with", "rai2"], "rai2: there is no such program (did you mean ray2?); there are temporal, nats, "),
        (["start", "zzz"], "zzz: there is no such program; there are temporal, nats, "),
        (["prepare", "tempral"], "tempral: there is no such step (did you mean temporal?); there are venv, tiny, "),
    ],
)
def test_a_name_that_is_not_known_is_answered_with_the_nearest(monkeypatch, arguments, said):
    monkeypatch.setattr(sys, "argv", ["stack.py", *arguments])
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.setattr(preflight, "tools", list)
    with pytest.raises(SystemExit) as exit:
        cli.main()
    assert exit.value.code.startswith(said)
