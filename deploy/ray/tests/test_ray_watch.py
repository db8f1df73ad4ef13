"""The watching deployer. The last test ends the Ray of all: this file runs last, by its name."""

import signal
from collections.abc import Callable
from pathlib import Path

import process
import pytest
from ray_app import App

pytestmark = pytest.mark.ray


@pytest.fixture
def said(app: App) -> Callable[[str], bool]:
    log = app.logs / "deploy.log"
    length = log.stat().st_size
    return lambda words: words in log.read_text()[length:]


def test_it_brings_the_application_back_and_leaves_it(app: App, said: Callable[[str], bool]) -> None:
    watch = app.deployer("--watch")
    deleter = None
    try:
        process.until(lambda: said("already runs this build") or said("is up"), "it has looked")
        # It would wait for an absence that the watch ends before it sees it.
        deleter = app.program_in_ray("serve.delete('deliberation')")
        process.until(lambda: said("deploying it again"), "it notices")
        process.until(app.healthy, "it brings it back")
        process.until(lambda: said("/deliberation is up"), "it says so")
        watch.send_signal(signal.SIGTERM)
        assert watch.wait(10) == 0
        assert app.healthy()
    finally:
        if deleter:
            process.end(deleter)
        process.end(watch)


def test_it_waits_for_ray_and_leaves_at_sigterm(app: App, said: Callable[[str], bool]) -> None:
    (port,) = process.free_ports(1)
    watch = app.deployer("--watch", "--address", f"127.0.0.1:{port}")
    try:
        process.until(lambda: said(f"waiting for Ray at 127.0.0.1:{port}"), "it waits")
        watch.send_signal(signal.SIGTERM)
        assert watch.wait(10) == 0
    finally:
        process.end(watch)


def test_it_fails_when_ray_is_gone(app: App, said: Callable[[str], bool], logs: Path) -> None:
    watch = app.deployer("--watch")
    try:
        process.until(lambda: said("is up") or said("already runs"), "it has looked")
        app.head.end()
        assert watch.wait(30) != 0
        assert said("is gone") or said("no longer answers")
    finally:
        process.end(watch)
