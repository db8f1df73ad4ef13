"""What Prometheus finds on Ray's metrics port."""

import re

import httpx2
import process
import pytest
from ray_app import App, handles
from stand_in import StandIn
from submission import submit, turn

pytestmark = pytest.mark.ray

_SERIES = re.compile(r"^(ray_deliberation_\w+)\{(.*)\} (\S+)$", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="([^"]*)"')

EXPORTED = {
    'ray_deliberation_turns{state="queued"}',
    'ray_deliberation_turns{state="running"}',
    'ray_deliberation_turns{state="kept"}',
    'ray_deliberation_turns_waiting{reason="room"}',
    'ray_deliberation_turns_waiting{reason="pause"}',
    'ray_deliberation_model_calls_total{outcome="completed"}',
    'ray_deliberation_model_calls_total{outcome="ModelUnavailable"}',
    'ray_deliberation_model_calls_total{outcome="ModelOverloaded"}',
    'ray_deliberation_model_calls_total{outcome="aborted"}',
    'ray_deliberation_model_call_seconds_bucket{outcome="completed"}',
    'ray_deliberation_model_call_seconds_sum{outcome="completed"}',
    'ray_deliberation_model_call_seconds_count{outcome="completed"}',
    "ray_deliberation_first_token_seconds_count{}",
    'ray_deliberation_refused_submissions_total{reason="paused"}',
    'ray_deliberation_refused_requests_total{route="/v1/turns",type="full"}',
    'ray_deliberation_refused_requests_total{route="/v1/turns/stop",type="invalid_request"}',
    "ray_deliberation_open_waits{}",
}


def test_the_metrics_are_exported(app: App, stand_in: StandIn, name: str) -> None:
    steps = [{"text": "done"}, {"status": 500}, {"status": 503, "headers": {"retry-after": "30"}}, {"hang": True}]
    for number, step in enumerate(steps):
        model = f"{name}-{number}"
        stand_in.script(model, step)
        answer = app.submit(turn(url=stand_in.url, model=model, run_seconds=20))
        stand_in.until_called(model)
        if "hang" not in step:
            app.wait(*handles(answer))
    app.stop(*handles(answer))
    # Each runner takes new deliberations of a server that puts calls off until many turns wait for it.
    crowds = (
        submit(*(turn(url=stand_in.url, model=f"{name}-2") for _ in range(256)), deliberation=f"{name}-{number}")
        for number in range(8)
    )
    assert 429 in (app.post("/v1/turns", crowd).status_code for crowd in crowds)
    app.clear()
    app.post("/v1/turns/stop", {})
    process.until(lambda: _exported(app) >= EXPORTED, f"all are exported; missing: {EXPORTED - _exported(app)}")


def _exported(app: App) -> set[str]:
    """The series by the labels that tell them apart."""
    text = httpx2.get(app.head.metrics, timeout=30, trust_env=False).text
    return {_series(name, dict(_LABEL.findall(labels))) for name, labels, _ in _SERIES.findall(text)}


def _series(name: str, labels: dict[str, str]) -> str:
    shown = {key: labels[key] for key in ("state", "reason", "outcome", "route", "type") if key in labels}
    return name + "{" + ",".join(f'{key}="{value}"' for key, value in shown.items()) + "}"
