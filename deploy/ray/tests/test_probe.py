"""What a probe of a model endpoint reports, against the stand-in."""

import pytest
from stand_in import StandIn

from deliberation_ray import probe as looking
from deliberation_ray.endpoints import Endpoints, key_of
from deliberation_ray.failures import Overloaded
from deliberation_ray.model import Model
from deliberation_ray.probe import probe


async def test_a_model_that_is_there_and_works(stand_in: StandIn) -> None:
    seen = await probe(Model((), {}), Endpoints(1, 1), stand_in.url, "canned")
    assert (seen["models"], seen["listed"], seen["call"]["ok"]) == (True, ["canned"], True)
    assert 0 < seen["call"]["ms"] < 8000


@pytest.mark.parametrize(
    ("step", "ok", "kind"),
    [
        ({"text": "p", "finish_reason": "length"}, True, None),
        ({"status": 404, "error": "no such model"}, False, "ModelRejected"),
        ({"status": 500}, False, "ModelUnavailable"),
        ({"hang": True}, False, "ModelTimeout"),
    ],
)
async def test_a_model_that_is_not_listed_may_work_all_the_same(
    stand_in: StandIn, name: str, monkeypatch: pytest.MonkeyPatch, step: dict[str, object], ok: bool, kind: str | None
) -> None:
    if kind == "ModelTimeout":
        monkeypatch.setattr(looking, "PROBE_SECONDS", 1.0)
    stand_in.script(name, step)
    seen = await probe(Model((), {}), Endpoints(1, 1), stand_in.url, name)
    assert (seen["models"], seen["listed"]) == (False, ["canned"])
    assert (seen["call"]["ok"], seen["call"].get("type")) == (ok, kind)
    assert len(stand_in.calls(name)) == 1


@pytest.mark.parametrize(
    ("allow", "url", "kind"),
    [((), "http://127.0.0.1:1", "ModelUnavailable"), (("other",), "http://127.0.0.1:1", "UrlNotAllowed")],
)
async def test_a_server_that_is_not_there_or_not_allowed(allow: tuple[str, ...], url: str, kind: str) -> None:
    seen = await probe(Model(allow, {}), Endpoints(1, 1), url, "m")
    assert (seen["models"], seen["listed"], seen["call"]["type"]) == (False, [], kind)


async def test_a_server_that_puts_calls_off_is_not_asked(stand_in: StandIn, name: str) -> None:
    endpoints = Endpoints(1, 1)
    endpoints.enter(key_of(stand_in.url, name), ("o", "d")).put_off(Overloaded("429: slow down", 429, 30))
    seen = await probe(Model((), {}), endpoints, stand_in.url, name)
    assert seen["call"] == {"ok": False, "type": "ModelOverloaded", "message": "429: slow down"}
    assert stand_in.calls(name) == []
