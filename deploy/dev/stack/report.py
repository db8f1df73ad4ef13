"""What a stack says about itself."""

from __future__ import annotations

import json
import os
import time
from concurrent.futures import ThreadPoolExecutor

from stack import processes
from stack.console import say
from stack.layout import ROOT, Layout
from stack.programs import all_programs
from stack.record import Record
from stack.supervision import UP, Supervisor

NOT_RUNNING = 3


def farewell(layout: Layout) -> str:
    """Says where to go next."""
    record = Record.load(layout)
    urls = record.urls()
    pages = {
        "temporal": f"Temporal Web UI   {urls['temporal_ui']}",
        "ray": f"Ray dashboard     {urls['ray_dashboard']}",
        "rayapp": f"Ray app           {urls['ray_app_url']}",
        "rayapp2": f"second Ray app    {urls.get('ray2_app_url')}",
        "worker": f"worker's metrics  {urls['worker_url']}/metrics",
    }
    lines = [line for program, line in pages.items() if program in record.wanted]
    lines.append(f"model             {urls['model_url']}, {record.model()['DELIBERATION_VLLM_MODEL']}")
    lines.append(f"for your shell    set -a; . {os.path.relpath(layout.home, ROOT)}/env; set +a")
    return "\n".join(f"  {line}" for line in lines)


def status(layout: Layout, as_json: bool) -> int:
    """Prints what runs. Returns 0 if all that is wanted is ready, 1 if not, and 3 if no stack is running."""
    record, states = Record.load(layout), Supervisor(layout).states()
    if not states:
        left, words = len(processes.belonging(layout)), "no stack is running"
        if left:
            words = f"the supervisor is dead, {left} processes are left: make down (or make up)"
        say(json.dumps({"running": False, "programs": {}, "left": left}) if as_json else words)
        return 1 if left else NOT_RUNNING
    rows = _rows(record, states)
    say(json.dumps({"running": True, "programs": rows, **record.urls()}, indent=2) if as_json else _table(rows))
    return 0 if all(row["ready"] for row in rows.values() if row["wanted"]) else 1


def _rows(record: Record, states: dict[str, dict]) -> dict[str, dict]:
    everything = all_programs(record)
    up = [name for name in everything if states.get(name, {}).get("statename") in UP]
    with ThreadPoolExecutor() as pool:
        ready = dict(zip(up, pool.map(lambda name: everything[name].ready(), up), strict=True))
    rows = {}
    for name, program in everything.items():
        info = states.get(name, {})
        rows[name] = {
            "state": info.get("statename", "STOPPED").lower(),
            "ready": ready.get(name, False),
            "wanted": name in record.wanted,
            "pid": info.get("pid") or None,
            "uptime_seconds": int(time.time() - info["start"]) if info.get("pid") else 0,
            "where": program.where,
        }
    return rows


def _table(rows: dict[str, dict]) -> str:
    lines = [f"{'PROGRAM':<10}{'STATE':<11}{'READY':<9}{'PID':<9}{'UP':<10}WHERE"]
    for name, row in rows.items():
        ready = "yes" if row["ready"] else "no" if row["wanted"] else "-"
        up = f"{row['uptime_seconds']} s" if row["pid"] else "-"
        state = row["state"] if row["wanted"] or row["pid"] else "-"
        lines.append(f"{name:<10}{state:<11}{ready:<9}{row['pid'] or '-':<9}{up:<10}{row['where']}")
    return "\n".join(lines)
