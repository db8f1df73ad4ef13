"""Which runners are asked, and whose word counts."""

import asyncio
from typing import Any

import pytest
from submission import submit, turn

from deliberation_ray.asking import Asking
from deliberation_ray.pool import Gone, Pool
from deliberation_ray.refusal import Refusal, runner_unavailable
from deliberation_ray.settings import Settings
from deliberation_ray.wire import Await, End, Submit

OLD = "runner/0a/0"


class Runners(Pool):
    """A pool whose runners are dictionaries of answers."""

    def __init__(self) -> None:
        super().__init__("ff", Settings(runners=2))
        self.others = [OLD]
        self.asked: list[tuple[str, str]] = []
        self.has: dict[str, list[str]] = {}
        self.broken: dict[str, Exception] = {}
        self.ended: set[str] = set()
        self.news = asyncio.Event()

    async def call(self, name: str, method: str, *args: Any, seconds: float = 0) -> Any:
        self.asked.append((name, method))
        if name in self.broken:
            raise self.broken[name]
        return await getattr(self, f"_{method}")(name, *args)

    async def _known(self, name: str, ids: list[str]) -> list[str]:  # type: ignore[override]
        if name in self.broken:
            return [] if isinstance(self.broken[name], Gone) else await self.call(name, "known")
        return [key for key in ids if key in self.has.get(name, [])]

    async def _submit(self, name: str, body: dict[str, Any], traceparent: str) -> dict[str, Any]:
        return {"incarnation": name, "turns": []}

    async def _wait(self, name: str, ids: list[str], seen: dict[str, str], seconds: float) -> list[dict[str, Any]]:
        if seconds and not self.ended & set(ids):
            await self.news.wait()
        return [self._state(name, key) for key in ids]

    def _state(self, name: str, key: str) -> dict[str, Any]:
        return {"submission_id": key, "incarnation": name, "state": "completed" if key in self.ended else "running"}

    async def _stop(self, name: str, ends: dict[str, float], deliberation: str, reason: str) -> list[dict[str, Any]]:
        known = self.has.get(name, [])
        return [{**self._state(name, key), "state": "cancelled" if key in known else "unknown"} for key in ends]


@pytest.fixture
def runners() -> Runners:
    return Runners()


@pytest.fixture
def asking(runners: Runners) -> Asking:
    return Asking(runners)


def submitted(*ids: str) -> Submit:
    return Submit.model_validate(submit(*(turn(key) for key in ids), deliberation="d"))


def handles(**runners: str) -> list[dict[str, str]]:
    return [{"submission_id": key, "runner": name, "incarnation": "i"} for key, name in runners.items()]


def end(deliberation: str = "", **runners: str) -> End:
    return End.model_validate({"owner": "o", "deliberation": deliberation, "turns": handles(**runners)})


def test_one_deliberation_one_runner(runners: Runners) -> None:
    assert {runners.place(f"d{n}") for n in range(50)} == set(runners.current)
    assert runners.place("d") == Runners().place("d")


async def test_an_older_runner_that_has_the_ids_gets_the_submit(asking: Asking, runners: Runners) -> None:
    assert (await asking.submit(submitted("t1"), ""))["runner"] == runners.place("d")
    runners.has[OLD] = ["t1"]
    assert (await asking.submit(submitted("t1"), ""))["runner"] == OLD


async def test_an_older_runner_that_is_silent_may_have_them(asking: Asking, runners: Runners) -> None:
    runners.broken[OLD] = runner_unavailable("silent")
    with pytest.raises(Refusal):
        await asking.submit(submitted("t1"), "")
    runners.broken[OLD] = Gone(OLD)
    assert (await asking.submit(submitted("t1"), ""))["runner"] == runners.place("d")


async def test_a_runner_that_is_gone_takes_no_submit_but_is_known_to_be_empty(asking: Asking, runners: Runners) -> None:
    name = runners.place("d")
    runners.broken[name] = Gone(name)
    with pytest.raises(Refusal) as refusal:
        await asking.submit(submitted("t1"), "")
    assert refusal.value.kind == "runner_unavailable"
    (state,) = await asking.wait(Await.model_validate({"turns": handles(t1=name)}))
    assert (state["state"], state["incarnation"]) == ("unknown", "")


async def test_an_unavailable_runner_is_never_unknown(asking: Asking, runners: Runners) -> None:
    runners.broken[OLD] = runner_unavailable("restarting")
    with pytest.raises(Refusal):
        await asking.wait(Await.model_validate({"turns": handles(t1=OLD)}))


async def test_the_first_of_several_runners_ends_the_wait(asking: Asking, runners: Runners) -> None:
    first, second = runners.current
    body = Await.model_validate({"turns": handles(t1=first, t2=second), "wait_seconds": 20})
    waiting = asyncio.create_task(asking.wait(body))
    while runners.asked.count((second, "wait")) < 2:
        await asyncio.sleep(0)
    runners.ended.add("t2")
    runners.news.set()
    assert [state["state"] for state in await waiting] == ["running", "completed"]


async def test_an_end_goes_where_its_handle_says(asking: Asking, runners: Runners) -> None:
    name = runners.current[0]
    runners.has[name] = ["t1"]
    (state,) = await asking.end("stop", end(t1=name))
    assert (state["state"], runners.asked) == ("cancelled", [(name, "stop")])


async def test_an_end_without_a_runner_goes_where_a_submit_would(asking: Asking, runners: Runners) -> None:
    place = runners.place("d")
    (state,) = await asking.end("stop", end("d", t1=""))
    assert (state["state"], runners.asked) == ("unknown", [(place, "stop")])
    runners.has[OLD] = ["t1"]
    (state,) = await asking.end("stop", end("d", t1=""))
    assert (state["state"], state["incarnation"]) == ("cancelled", OLD)
    assert set(runners.asked[1:]) == {(OLD, "stop"), (place, "stop")}


async def test_the_end_of_an_older_turn_is_remembered_by_the_current_build(asking: Asking, runners: Runners) -> None:
    runners.broken[OLD] = Gone(OLD)
    (state,) = await asking.end("stop", end("d", t1=OLD))
    assert (state["state"], state["incarnation"]) == ("unknown", "")
    assert (runners.place("d"), "stop") in runners.asked


async def test_one_silent_runner_makes_an_end_a_refusal_after_all_have_heard(asking: Asking, runners: Runners) -> None:
    first, second = runners.current
    runners.broken[first] = runner_unavailable("restarting")
    with pytest.raises(Refusal):
        await asking.end("stop", end(t1=first, t2=second))
    assert (second, "stop") in runners.asked
