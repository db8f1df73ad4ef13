"""The command line."""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from stack import ports, preflight, prepare, processes
from stack.console import Failed, check_names, say, took
from stack.layout import ROOT, Layout
from stack.programs import NAMES, all_programs
from stack.record import Record, variables
from stack.running import Stack
from stack.supervision import UP, Supervisor

# Why the log of a program may be empty.
EMPTY = {"model": "the stand-in logs problems only; /control/calls at its address, see `make status`, has its calls"}
NOT_RUNNING = 3


def main() -> int:
    arguments = _parser().parse_args()
    # SIGTERM must do what Ctrl-C does: `run` still has to take its stack down.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        if program := getattr(arguments, "program", None):
            check_names([program], NAMES)
        return arguments.run(arguments, Layout.at(arguments.home)) or 0
    except (Failed, PermissionError) as failure:
        print(failure, file=sys.stderr)
        return 1
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
    command(_logs, "show the logs, and follow them on a terminal").add_argument("program", nargs="?")
    command(_start, "start one program, and wait until it is ready").add_argument("program")
    command(_stop, "stop one program").add_argument("program")
    run = command(_run, "up, then a command, then down, also after a failure")
    for each in (up, run):
        each.add_argument("--free-ports", action="store_true", help="pick free ports at the first start, keep them")
        each.add_argument("--with", dest="also", default="", metavar="NAMES", help=f"also {', '.join(ports.OPTIONAL)}")
        each.add_argument("--without", default="", metavar="NAMES", help="programs not to start, separated by commas")
        each.add_argument("--model", choices=("tiny",), help="a real small model in place of the stand-in")
    text = "gets the stack's env, and its folder as STACK_HOME"
    run.add_argument("command", nargs="+", metavar="-- COMMAND", help=text)
    steps = ", ".join(prepare.STEPS)
    command(_prepare, f"make what is missing of {steps}").add_argument("items", nargs="+", metavar="STEP")
    return parser


def _up(arguments: argparse.Namespace, layout: Layout) -> None:
    started, wanted, home = time.monotonic(), _wanted(arguments), os.path.relpath(layout.home, ROOT)
    say(f"stack in {home}: {', '.join(wanted)}")
    Stack(layout).up(wanted, arguments.free_ports, tiny=arguments.model == "tiny" and "model" in wanted)
    record = Record.load(layout)
    say(f"up in {took(started)}")
    say(f"  model             {record.urls()['model_url']}, {record.model()}")
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
    record, states = Record.load(layout), Supervisor(layout).states()
    if not states:
        left = len(processes.belonging(layout))
        dead = f"the supervisor is dead, {left} processes are left: make down (or make up)"
        say(dead if left else "no stack is running; `make up` starts one")
        return 1 if left else NOT_RUNNING
    everything = all_programs(record)
    up = [name for name in everything if states.get(name, {}).get("statename") in UP]
    with ThreadPoolExecutor() as pool:
        checks = {name: pool.submit(everything[name].is_ready) for name in up}
    ready = {name for name, check in checks.items() if check.result()}
    say(f"{'PROGRAM':<10}{'STATE':<11}{'READY':<9}{'PID':<9}{'UP':<10}WHERE")
    for name, program in everything.items():
        info, wanted = states.get(name, {}), name in record.wanted
        pid = info.get("pid") or "-"
        state = info.get("statename", "STOPPED").lower() if wanted or info.get("pid") else "-"
        is_ready = "yes" if name in ready else "no" if wanted else "-"
        uptime = f"{int(time.time() - info['start'])} s" if info.get("pid") else "-"
        say(f"{name:<10}{state:<11}{is_ready:<9}{pid:<9}{uptime:<10}{program.where}")
    return 0 if ready.issuperset(record.wanted) else 1


def _start(arguments: argparse.Namespace, layout: Layout) -> None:
    Stack(layout).start(arguments.program)


def _stop(arguments: argparse.Namespace, layout: Layout) -> None:
    Stack(layout).stop(arguments.program)
    say(f"  {arguments.program} stopped")


def _logs(arguments: argparse.Namespace, layout: Layout) -> None:
    names = [arguments.program] if arguments.program else NAMES
    logs = [log for log in map(layout.log, names) if log.exists()]
    if not logs:
        raise Failed(f"no logs in {layout.logs}")
    running = bool(processes.belonging(layout))
    if not running:
        print("no stack is running; these are the logs of the last one", file=sys.stderr, flush=True)
    if arguments.program and not logs[0].stat().st_size:
        print(f"the log is empty: {EMPTY.get(arguments.program, 'nothing has been written yet')}", file=sys.stderr)
    follow = ["-F"] if running and sys.stdout.isatty() else []
    os.execvp("tail", ["tail", "-n", "100" if arguments.program else "20", *follow, *map(str, logs)])


def _run(arguments: argparse.Namespace, layout: Layout) -> int:
    try:
        _up(arguments, layout)
        # With the mark, `down` also ends what the command leaves behind when it is killed.
        mine = {"STACK_HOME": str(layout.home), processes.MARK: str(layout.home)}
        return subprocess.run(arguments.command, env={**os.environ, **variables(layout), **mine}).returncode
    finally:
        _down(arguments, layout)


def _prepare(arguments: argparse.Namespace, _: Layout) -> None:
    preflight.check(preflight.tools())
    prepare.prepare(arguments.items)


def _wanted(arguments: argparse.Namespace) -> list[str]:
    also, without = _names("--with", arguments.also), _names("--without", arguments.without)
    without += [name for name in ports.OPTIONAL if name not in also]
    if os.environ.get("VLLM_URL"):
        without.append("model")
    return [name for name in NAMES if name not in without]


def _names(option: str, text: str) -> list[str]:
    names = [name for name in text.split(",") if name]
    check_names(names, NAMES, option=f"{option} ")
    return names
