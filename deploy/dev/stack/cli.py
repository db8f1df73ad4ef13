"""The command line."""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import time

from stack import model_server, ports, preflight, prepare, processes
from stack.console import Failed, say, took
from stack.layout import ROOT, Layout
from stack.programs import NAMES
from stack.record import Record, variables
from stack.report import farewell, status
from stack.running import Stack


def main() -> int:
    arguments = _parser().parse_args()
    # SIGTERM must do what Ctrl-C does: `run` still has to take its stack down.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return arguments.run(arguments, Layout.at(arguments.home)) or 0
    except (Failed, ValueError, PermissionError) as failure:
        print(failure, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="stack.py", description="The local stack.")
    home = argparse.ArgumentParser(add_help=False)
    home.add_argument("--home", default=".dev/stack", help="its folder, relative to the repository (%(default)s)")
    choice = argparse.ArgumentParser(add_help=False)
    choice.add_argument("--free-ports", action="store_true", help="pick free ports at the first start, keep them")
    optional = ", ".join(ports.OPTIONAL)
    choice.add_argument("--with", dest="also", default="", metavar="NAMES", help=f"optional programs: {optional}")
    choice.add_argument("--without", default="", metavar="NAMES", help="programs not to start, separated by commas")
    choice.add_argument("--model", choices=("tiny",), help="a real small model in place of the stand-in")
    one = argparse.ArgumentParser(add_help=False)
    one.add_argument("program", choices=NAMES)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(run: object, text: str, *parents: argparse.ArgumentParser) -> argparse.ArgumentParser:
        name = run.__name__.strip("_")
        made = commands.add_parser(name, help=text, description=text, parents=[home, *parents])
        made.set_defaults(run=run)
        return made

    command(_up, "start what is missing, and wait until all of it is ready", choice)
    command(_down, "stop everything, and check that nothing is left")
    command(_clean, "stop everything, and remove its data: history, events, logs")
    command(_status, "show what runs").add_argument("--json", action="store_true")
    command(_logs, "show the logs, and follow them on a terminal").add_argument("program", nargs="?", choices=NAMES)
    command(_start, "start one program, and wait until it is ready", one)
    command(_stop, "stop one program", one)
    command(_kill, "SIGKILL one program; the supervisor starts it again", one)
    command(_run, "up, then a command, then down, also after a failure", choice).add_argument(
        "command", nargs="+", metavar="-- COMMAND", help="gets the stack's env, and its folder as STACK_HOME"
    )
    command(_prepare, f"make what is missing of {', '.join(prepare.STEPS)}").add_argument("items", nargs="+")
    return parser


def _up(arguments: argparse.Namespace, layout: Layout) -> None:
    started, wanted = time.monotonic(), _wanted(arguments)
    say(f"stack in {os.path.relpath(layout.home, ROOT)}: {', '.join(wanted)}")
    _check([*preflight.tools(), *model_server.choose(), *_taken_ports(layout, wanted, arguments.free_ports)])
    tiny = arguments.model == "tiny" and "model" in wanted
    extra = [name for name, needed in {"tiny": tiny, "binaries": "worker" in wanted}.items() if needed]
    prepare.prepare(["venv", "nats", "temporal", *extra])
    Stack(layout).up(wanted, arguments.free_ports, tiny)
    say(f"up in {took(started)}")
    say(farewell(layout))


def _down(_: argparse.Namespace, layout: Layout) -> None:
    started = time.monotonic()
    found = Stack(layout).down()
    say(f"down in {took(started)}, nothing left running" if found else "nothing was running")


def _clean(arguments: argparse.Namespace, layout: Layout) -> None:
    _down(arguments, layout)
    existed = layout.home.exists()
    shutil.rmtree(layout.home, ignore_errors=True)
    say(f"{os.path.relpath(layout.home, ROOT)} removed" if existed else "there was no data")


def _status(arguments: argparse.Namespace, layout: Layout) -> int:
    return status(layout, as_json=arguments.json)


def _start(arguments: argparse.Namespace, layout: Layout) -> None:
    Stack(layout).start(arguments.program)


def _stop(arguments: argparse.Namespace, layout: Layout) -> None:
    Stack(layout).stop(arguments.program)
    say(f"  {arguments.program} stopped")


def _kill(arguments: argparse.Namespace, layout: Layout) -> None:
    pids = Stack(layout).kill(arguments.program)
    say(f"  {arguments.program} killed: {len(pids)} processes")


def _logs(arguments: argparse.Namespace, layout: Layout) -> None:
    files = [layout.log(name) for name in ([arguments.program] if arguments.program else NAMES)]
    present = [str(file) for file in files if file.exists()]
    if not present:
        raise Failed(f"no logs in {layout.logs}")
    running = bool(processes.belonging(layout))
    if not running:
        print("no stack is running; these are the logs of the last one", file=sys.stderr, flush=True)
    if arguments.program and not layout.log(arguments.program).stat().st_size:
        print(f"the log is empty: {_reason(arguments.program, layout)}", file=sys.stderr, flush=True)
    follow = ["-F"] if running and sys.stdout.isatty() else []
    os.execvp("tail", ["tail", "-n", "100" if arguments.program else "20", *follow, *present])


def _reason(program: str, layout: Layout) -> str:
    if program != "model":
        return f"{program} has written nothing yet"
    port = Record.load(layout).ports.get("model", "…")
    return f"the stand-in model logs problems only; its calls are at http://{ports.HOST}:{port}/control/calls"


def _run(arguments: argparse.Namespace, layout: Layout) -> int:
    try:
        _up(arguments, layout)
        # With the mark, `down` also ends what the command leaves behind when it is killed.
        mine = {"STACK_HOME": str(layout.home), processes.MARK: str(layout.home)}
        return subprocess.run(
            arguments.command, env={**os.environ, **variables(layout), **mine}, check=False
        ).returncode
    finally:
        _down(arguments, layout)


def _prepare(arguments: argparse.Namespace, _: Layout) -> None:
    _check(preflight.tools())
    prepare.prepare(arguments.items)


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
    """Checks the ports before minutes of set-up; when a part of this stack runs, `up` checks the rest later."""
    if processes.belonging(layout):
        return []
    record = Record.load(layout)
    chosen = ports.choose(record.ports, (), record.free_ports or free_ports, wanted)
    return [*preflight.equal(chosen, wanted), *preflight.taken(chosen, wanted)]


def _check(problems: list[str]) -> None:
    if problems:
        raise Failed("\n".join(["before anything can start:", *(f"  - {problem}" for problem in problems)]))
