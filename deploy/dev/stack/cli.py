"""The command line."""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable

from stack import ports, preflight, prepare, processes
from stack.console import check_names, say, took
from stack.layout import ROOT, Layout
from stack.programs import PROGRAMS, all_programs
from stack.record import Record
from stack.running import Stack
from stack.supervision import Supervisor


def main() -> int:
    arguments = _parser().parse_args()
    # SIGTERM must do what Ctrl-C does: `run` still has to take its stack down.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # What the shell names must lead neither to another cluster nor through a proxy.
    for name in ("RAY_ADDRESS", "VIRTUAL_ENV"):
        os.environ.pop(name, None)
    for name in ("NO_PROXY", "no_proxy"):
        if os.environ.get(name) != "*":  # it stands for every host, but only alone
            os.environ[name] = ",".join(filter(None, (os.environ.get(name), ports.HOST, "localhost")))
    try:
        return arguments.run(arguments, Layout(arguments.home)) or 0
    except PermissionError as refused:  # another user has started the stack before
        raise SystemExit(str(refused)) from None
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="stack.py", description="The local stack.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(run: Callable[..., object], text: str) -> argparse.ArgumentParser:
        made = commands.add_parser(run.__name__.strip("_"), help=text, description=text)
        made.add_argument("--home", default=".dev/stack", help="its folder, relative to the repository (%(default)s)")
        made.set_defaults(run=run)
        return made

    up = command(_up, "start what is missing, and wait until all of it is ready")
    command(_down, "stop everything, and check that nothing is left")
    command(_clean, "stop everything, and remove its data: history, events, logs")
    command(_status, "show what runs")
    logs = command(_logs, "show the logs, and follow them on a terminal")
    logs.add_argument("programs", nargs="?", type=_names, default=[], metavar="PROGRAM")
    start = command(_start, "start a program, and wait until it is ready")
    start.add_argument("programs", type=_names, metavar="PROGRAM")
    run = command(_run, "up, then a command, then down, also after a failure")
    for each in (up, run):
        each.add_argument("--free-ports", action="store_true", help="pick free ports at the first start, keep them")
        each.add_argument("--with", dest="also", type=_names, default=[], help="ray2,rayapp2: a second Ray")
        each.add_argument("--without", type=_names, default=[], help="programs not to start, separated by commas")
        each.add_argument("--model", choices=("tiny",), help="a real small model in place of the stand-in")
    run.add_argument("command", nargs="+", metavar="-- COMMAND", help="gets the stack's env, and its STACK_HOME")
    making = command(_prepare, f"make what is missing of {', '.join(prepare.STEPS)}")
    making.add_argument("steps", nargs="+", metavar="STEP")
    return parser


def _names(text: str) -> list[str]:
    names = text.split(",")
    check_names(names, PROGRAMS, "program")
    return names


def _wanted(arguments: argparse.Namespace) -> list[str]:
    without = {*arguments.without, *ports.OPTIONAL} - {*arguments.also}
    if os.environ.get("VLLM_URL"):
        without.add("model")
    return [name for name in PROGRAMS if name not in without]


def _up(arguments: argparse.Namespace, layout: Layout) -> None:
    started, wanted, home = time.monotonic(), _wanted(arguments), os.path.relpath(layout.home, ROOT)
    say(f"stack in {home}: {', '.join(wanted)}")
    record = Stack(layout).up(wanted, arguments.free_ports, tiny=arguments.model == "tiny" and "model" in wanted)
    say(f"up in {took(started)}")
    say(f"  model             {record.urls()['model_url']}, {record.vllm_model}")
    say(f"  for your shell    set -a; . {home}/env; set +a")


def _down(_: argparse.Namespace, layout: Layout) -> None:
    started = time.monotonic()
    found = Stack(layout).down()
    say(f"down in {took(started)}, nothing left running" if found else "nothing was running")


def _clean(arguments: argparse.Namespace, layout: Layout) -> None:
    _down(arguments, layout)
    existed = layout.home.exists()
    shutil.rmtree(layout.home, ignore_errors=True)
    say(f"{os.path.relpath(layout.home, ROOT)} removed" if existed else "there was no data")


def _status(_: argparse.Namespace, layout: Layout) -> int:
    """Prints what runs. Returns 0 if all that is wanted is ready, 1 if not, and 3 if no stack is running."""
    record, supervisor = Record.load(layout), Supervisor(layout)
    states, running = supervisor.states(), supervisor.running()
    if not states:
        left = len(processes.belonging(layout))
        dead = f"the supervisor is dead, {left} processes are left: make down (or make up)"
        say(dead if left else "no stack is running; `make up` starts one")
        return 1 if left else 3
    say(f"{'PROGRAM':<10}{'STATE':<10}{'READY':<7}{'PROCESS':<28}WHERE")
    everything = all_programs(record)
    ready = {name for name, program in everything.items() if name in running and program.is_ready()}
    for name in (name for name in everything if name not in ports.OPTIONAL or name in {*record.wanted, *running}):
        state, process = states[name]["statename"].lower(), states[name]["description"]
        is_ready = "yes" if name in ready else "no" if name in record.wanted else "-"
        say(f"{name:<10}{state:<10}{is_ready:<7}{process:<27} {everything[name].where}")
    return 0 if ready.issuperset(record.wanted) else 1


def _start(arguments: argparse.Namespace, layout: Layout) -> None:
    Stack(layout).start(arguments.programs)


def _logs(arguments: argparse.Namespace, layout: Layout) -> None:
    logs = [log for log in map(layout.log, arguments.programs or PROGRAMS) if log.exists()]
    if not logs:
        raise SystemExit(f"no logs in {layout.logs}")
    running = Supervisor(layout).alive()
    if not running:
        print("no stack is running; these are the logs of the last one", file=sys.stderr, flush=True)
    if not any(log.stat().st_size for log in logs):
        print("nothing has been written yet", file=sys.stderr, flush=True)
    follow = ["-F"] if running and sys.stdout.isatty() else []
    os.execvp("tail", ["tail", "-n", "100" if arguments.programs else "20", *follow, *logs])


def _run(arguments: argparse.Namespace, layout: Layout) -> int:
    try:
        _up(arguments, layout)
        record = Record.load(layout)
        # With the mark, `down` also ends what the command leaves behind when it is killed.
        mine = {"STACK_HOME": record.home, processes.MARK: record.home}
        return subprocess.run(arguments.command, env={**os.environ, **record.variables(), **mine}).returncode
    finally:
        _down(arguments, layout)


def _prepare(arguments: argparse.Namespace, _: Layout) -> None:
    preflight.check(preflight.tools())
    prepare.prepare(arguments.steps)
