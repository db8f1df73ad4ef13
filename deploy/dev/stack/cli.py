"""The command line."""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time

from stack import model, ports, preflight, prepare, processes
from stack.console import Failed, say, took
from stack.layout import ROOT, VENV, VENV_PYTHON, Layout
from stack.programs import NAMES
from stack.record import Record


def main() -> int:
    arguments = _parser().parse_args()
    # Whoever ends us politely means what Ctrl-C means: `run` must still take its stack down.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return arguments.run(arguments)
    except (Failed, ValueError, PermissionError) as failure:
        print(failure, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="stack.py", description="The local stack.")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--home", default=".dev/stack", help="where it lives, from the repository's root (%(default)s)")
    choice = argparse.ArgumentParser(add_help=False, parents=[common])
    choice.add_argument("--free-ports", action="store_true", help="pick free ports at the first start, keep them")
    optional = ", ".join(ports.OPTIONAL)
    choice.add_argument("--with", dest="also", default="", metavar="NAMES", help=f"programs to start too: {optional}")
    choice.add_argument("--without", default="", metavar="NAMES", help="programs not to start, by commas")
    choice.add_argument("--prepared-since", type=float, default=0.0, help=argparse.SUPPRESS)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: object, text: str, kind: argparse.ArgumentParser = common) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=text, description=text, parents=[kind])
        made.set_defaults(run=run)
        return made

    command("up", _up, "start what is missing, and wait until it answers", choice)
    command("down", _down, "end everything, and see that nothing stays")
    command("clean", _clean, "end everything, and remove its data: history, events, logs")
    command("status", _status, "what runs").add_argument("--json", action="store_true")
    logs = command("logs", _logs, "the logs, of all programs or of one; follows them on a terminal")
    logs.add_argument("program", nargs="?", choices=NAMES)
    for name, run, text in (
        ("start", _start, "start one program and wait until it answers"),
        ("stop", _stop, "stop one program"),
        ("kill", _kill, "SIGKILL one program; the supervisor starts it again"),
    ):
        command(name, run, text).add_argument("program", choices=NAMES)
    command("run", _run, "up, then a command, then down, whatever came of it", choice).add_argument(
        "command", nargs="+", metavar="-- COMMAND", help="gets the stack's env; STACK_HOME says where it lives"
    )
    command("prepare", _prepare, "make what has to exist: venv, nats, temporal, lint, binaries").add_argument(
        "items", nargs="+"
    )
    return parser


def _up(arguments: argparse.Namespace) -> int:
    started = arguments.prepared_since or time.monotonic()
    layout, wanted = Layout.at(arguments.home), _wanted(arguments)
    if not arguments.prepared_since:
        say(f"stack in {os.path.relpath(layout.home, ROOT)}: {', '.join(wanted)}")
        _check([*preflight.tools(), *model.choose(), *_taken_ports(layout, wanted, arguments.free_ports)])
        prepare.prepare(["venv", "nats", "temporal", *(["binaries"] if "worker" in wanted else [])])
    _enter_environment("--prepared-since", str(started))
    from stack.report import farewell
    from stack.running import Stack

    Stack(layout).up(wanted, arguments.free_ports)
    say(f"up in {took(started)}")
    say(farewell(layout))
    return 0


def _down(arguments: argparse.Namespace) -> int:
    _enter_environment()
    from stack.running import Stack

    started = time.monotonic()
    found = Stack(Layout.at(arguments.home)).down()
    say(f"down in {took(started)}, nothing left running" if found else "nothing was running")
    return 0


def _clean(arguments: argparse.Namespace) -> int:
    layout = Layout.at(arguments.home)
    if VENV_PYTHON.exists():
        _down(arguments)
    elif processes.belonging(layout):
        raise Failed(f"a stack runs, and its Python environment {VENV} is gone: end it first")
    there = layout.home.exists()
    shutil.rmtree(layout.home, ignore_errors=True)
    say(f"{os.path.relpath(layout.home, ROOT)} removed" if there else "there was no data")
    return 0


def _status(arguments: argparse.Namespace) -> int:
    _enter_environment()
    from stack.report import status

    return status(Layout.at(arguments.home), as_json=arguments.json)


def _start(arguments: argparse.Namespace) -> int:
    _enter_environment()
    from stack.running import Stack

    Stack(Layout.at(arguments.home)).start(arguments.program)
    return 0


def _stop(arguments: argparse.Namespace) -> int:
    _enter_environment()
    from stack.running import Stack

    Stack(Layout.at(arguments.home)).stop(arguments.program)
    say(f"  {arguments.program} stopped")
    return 0


def _kill(arguments: argparse.Namespace) -> int:
    _enter_environment()
    from stack.running import Stack

    pids = Stack(Layout.at(arguments.home)).kill(arguments.program)
    say(f"  {arguments.program} killed: {len(pids)} processes")
    return 0


def _logs(arguments: argparse.Namespace) -> int:
    layout = Layout.at(arguments.home)
    files = [layout.log(name) for name in ([arguments.program] if arguments.program else NAMES)]
    present = [str(file) for file in files if file.exists()]
    if not present:
        raise Failed(f"no logs in {layout.logs}")
    running = bool(processes.belonging(layout))
    if not running:
        print("no stack is running; these are the logs of the last one", file=sys.stderr, flush=True)
    if arguments.program and not layout.log(arguments.program).stat().st_size:
        print(f"the log is empty: {_silence(arguments.program, layout)}", file=sys.stderr, flush=True)
    follow = ["-F"] if running and sys.stdout.isatty() else []
    os.execvp("tail", ["tail", "-n", "100" if arguments.program else "20", *follow, *present])


def _silence(program: str, layout: Layout) -> str:
    if program != "model":
        return f"{program} has had nothing to say"
    port = Record.load(layout).ports.get("model", "…")
    return f"the stand-in writes of trouble only; its calls are at http://{ports.HOST}:{port}/control/calls"


def _run(arguments: argparse.Namespace) -> int:
    layout = Layout.at(arguments.home)
    shared = ["--home", arguments.home]
    choice = [*shared, "--with", arguments.also, "--without", arguments.without]
    choice += ["--free-ports"] if arguments.free_ports else []
    script = [sys.executable, os.path.abspath(sys.argv[0])]
    try:
        up = subprocess.run([*script, "up", *choice], check=False)
        if up.returncode != 0:
            return up.returncode
        variables = dict(line.split("=", 1) for line in shlex.split(layout.env.read_text()))
        environment = {**os.environ, **variables, "STACK_HOME": str(layout.home)}
        return subprocess.run(arguments.command, env=environment, check=False).returncode
    finally:
        subprocess.run([*script, "down", *shared], check=False)


def _prepare(arguments: argparse.Namespace) -> int:
    _check(preflight.tools())
    prepare.prepare(arguments.items)
    return 0


def _wanted(arguments: argparse.Namespace) -> list[str]:
    also, without = _names("--with", arguments.also), _names("--without", arguments.without)
    without += [name for name in ports.OPTIONAL if name not in also]
    if os.environ.get("VLLM_URL"):
        without.append("model")
    return [name for name in NAMES if name not in without]


def _names(option: str, text: str) -> list[str]:
    names = [name for name in text.split(",") if name]
    if unknown := [name for name in names if name not in NAMES]:
        raise Failed(f"{option} {unknown[0]}: there is no such program; there are {', '.join(NAMES)}")
    return names


def _taken_ports(layout: Layout, wanted: list[str], free_ports: bool) -> list[str]:
    """Before minutes of set-up are spent; once something of ours runs, `up` looks more closely."""
    if processes.belonging(layout):
        return []
    record = Record.load(layout)
    chosen = ports.choose(record.ports, (), record.free_ports or free_ports, wanted)
    return [*preflight.equal(chosen, wanted), *preflight.taken(chosen, wanted)]


def _check(problems: list[str]) -> None:
    if problems:
        raise Failed("\n".join(["before anything can start:", *(f"  - {problem}" for problem in problems)]))


def _enter_environment(*more: str) -> None:
    """Goes on under the Python that has the supervisor's client, if this one isn't it."""
    if os.path.realpath(sys.prefix) == os.path.realpath(VENV):
        return
    if not VENV_PYTHON.exists():
        raise Failed("nothing is set up yet: `make up` does it")
    os.execv(VENV_PYTHON, [str(VENV_PYTHON), *sys.argv, *more])
