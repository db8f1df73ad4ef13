"""Which runners are asked, and whose word counts."""

import asyncio
from collections.abc import Coroutine
from types import SimpleNamespace
from typing import Any

import pytest
from submission import submit, turn

from deliberation_ray.asking import Asking
from deliberation_ray.pool import CONTROL_SECONDS, Gone, Pool
from deliberation_ray.refusal import Refusal, runner_unavailable
from deliberation_ray.settings import Settings
from deliberation_ray.wire import Await, End, Submit

OLD = "runner/0a/0"


class Runners(Pool):
    """A pool whose runners are dictionaries of answers."""

    def __init__(self) -> None:
        super().__init__("ff", Settings(ray_open=True, runners=2))
        self.others = [OLD]
        self.asked: list[tuple[str, str]] = []
        self.given: list[tuple[str, float]] = []
        self.has: dict[str, list[str]] = {}
        self.broken: dict[str, Exception] = {}
        self.ended: set[str] = set()
        self.news = asyncio.Event()
        self.bodies: list[bytes] = []

    async def call(self, name: str, method: str, *args: Any, seconds: float = CONTROL_SECONDS) -> Any:
        if method != "known":
            self.asked.append((name, method))
        self.given.append((method, seconds))
        if name in self.broken:
            raise self.broken[name]
        if method == "known":
            return [key for key in args[0] if key in self.has.get(name, [])]
        return await getattr(self, f"_{method}")(name, *args)

    async def _submit(self, name: str, body: bytes, traceparent: str) -> dict[str, Any]:
        self.bodies.append(body)
        return {"incarnation": name, "turns": []}

    async def _wait(
        self, name: str, ids: list[str], seen: dict[str, str], seconds: float, owner: str
    ) -> list[dict[str, Any]]:
        if seconds and not self.ended & set(ids):
            await self.news.wait()
        return [self._state(name, key) for key in ids]

    def _state(self, name: str, key: str) -> dict[str, Any]:
        return {"submission_id": key, "incarnation": name, "state": "completed" if key in self.ended else "running"}

    async def _stop(
        self, name: str, ends: dict[str, float], deliberation: str, reason: str, owner: str
    ) -> list[dict[str, Any]]:
        known = self.has.get(name, [])
        return [{**self._state(name, key), "state": "cancelled" if key in known else "unknown"} for key in ends]

    async def _listing(self, name: str, owner: str) -> list[dict[str, Any]]:
        return [self._state(name, key) for key in self.has.get(name, [])]

    async def _forget(
        self, name: str, ends: dict[str, float], deliberation: str, reason: str, owner: str
    ) -> list[dict[str, Any]]:
        return await self._stop(name, ends, deliberation, reason, owner)


@pytest.fixture
def runners() -> Runners:
    return Runners()


@pytest.fixture
def asking(runners: Runners) -> Asking:
    return Asking(runners)


def submitted(*ids: str) -> Submit:
    return Submit.model_validate(submit(*(turn(key) for key in ids), deliberation="d"))


def sent(asking: Asking, *ids: str) -> Coroutine[Any, Any, dict[str, Any]]:
    return asking.submit(submitted(*ids), b"as it came", "")


def handles(**runners: str) -> list[dict[str, str]]:
    return [{"submission_id": key, "runner": name, "incarnation": "i"} for key, name in runners.items()]


def end(deliberation: str = "", **runners: str) -> End:
    return End.model_validate({"owner": "o", "deliberation": deliberation, "turns": handles(**runners)})


def test_one_deliberation_one_runner(runners: Runners) -> None:
    assert {runners.place(f"d{n}") for n in range(50)} == set(runners.current)
    assert runners.place("d") == Runners().place("d")


async def test_a_submit_is_passed_on_as_it_came(asking: Asking, runners: Runners) -> None:
    await sent(asking, "t1")
    assert runners.bodies == [b"as it came"]


async def test_an_older_runner_that_has_the_ids_gets_the_submit(asking: Asking, runners: Runners) -> None:
    assert (await sent(asking, "t1"))["runner"] == runners.place("d")
    runners.has[OLD] = ["t1"]
    assert (await sent(asking, "t1"))["runner"] == OLD


async def test_an_older_runner_that_is_silent_may_have_them(asking: Asking, runners: Runners) -> None:
    runners.broken[OLD] = runner_unavailable("silent")
    with pytest.raises(Refusal):
        await sent(asking, "t1")
    runners.broken[OLD] = Gone(OLD)
    assert (await sent(asking, "t1"))["runner"] == runners.place("d")


async def test_a_runner_that_is_gone_takes_no_submit_but_is_known_to_be_empty(asking: Asking, runners: Runners) -> None:
    name = runners.place("d")
    runners.broken[name] = Gone(name)
    with pytest.raises(Refusal) as refusal:
        await sent(asking, "t1")
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


async def test_a_stop_tells_what_is_known_beside_a_silent_runner(asking: Asking, runners: Runners) -> None:
    first, second = runners.current
    runners.broken[first] = runner_unavailable("restarting")
    runners.has[second] = ["t2"]
    unheard, cancelled = await asking.end("stop", end(t1=first, t2=second))
    assert (unheard["submission_id"], unheard["state"], unheard["incarnation"]) == ("t1", "running", "")
    assert (cancelled["state"], cancelled["incarnation"]) == ("cancelled", second)


async def test_nothing_known_is_a_refusal(asking: Asking, runners: Runners) -> None:
    first = runners.current[0]
    runners.broken[first] = runner_unavailable("restarting")
    with pytest.raises(Refusal):
        await asking.end("stop", end(t1=first))


async def test_a_forget_that_one_has_not_heard_is_to_be_repeated(asking: Asking, runners: Runners) -> None:
    first, second = runners.current
    runners.broken[first] = runner_unavailable("restarting")
    with pytest.raises(Refusal):
        await asking.end("forget", end(t1=first, t2=second))
    assert (second, "forget") in runners.asked


async def test_a_silent_older_runner_may_run_what_the_others_do_not_know(asking: Asking, runners: Runners) -> None:
    place = runners.place("d")
    runners.broken[OLD] = runner_unavailable("silent")
    runners.has[place] = ["t1"]
    known, unheard, named = await asking.end("stop", end("d", t1="", t2="", t3=place))
    assert (known["state"], known["incarnation"]) == ("cancelled", place)
    assert (unheard["state"], unheard["incarnation"]) == ("running", "")
    assert (named["state"], named["incarnation"]) == ("unknown", place)


async def test_a_turn_that_is_gone_may_still_be_started_by_an_heir_that_has_not_heard(
    asking: Asking, runners: Runners
) -> None:
    place = runners.place("d")
    runners.broken[place] = runner_unavailable("restarting")
    other = "runner/0a/1"
    runners.has[other] = ["t2"]
    runners.broken[OLD] = Gone(OLD)
    unheard, cancelled = await asking.end("stop", end("d", t1=OLD, t2=other))
    assert (unheard["state"], unheard["incarnation"]) == ("running", "")
    assert (cancelled["state"], cancelled["incarnation"]) == ("cancelled", other)


async def test_a_submit_goes_where_all_its_ids_are_whoever_else_is_silent(asking: Asking, runners: Runners) -> None:
    holder = "runner/0b/0"
    runners.others.append(holder)
    runners.has[holder] = ["t1"]
    runners.broken[OLD] = runner_unavailable("silent")
    assert (await sent(asking, "t1"))["runner"] == holder
    with pytest.raises(Refusal):
        await sent(asking, "t1", "t2")


async def test_a_stop_is_answered_before_its_caller_gives_up(
    asking: Asking, runners: Runners, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its caller gives it 9 s, and each runner takes all the time that it is given."""
    clock = SimpleNamespace(monotonic=lambda: sum(dict(runners.given).values()))
    monkeypatch.setattr("deliberation_ray.asking.time", clock)
    await asking.end("stop", end("d", t1=""))
    given = dict(runners.given)
    assert given["known"] + given["stop"] < 8
    assert given["stop"] > 3


async def test_a_silent_runner_hides_no_other_ones_turns(runners: Runners, asking: Asking) -> None:
    first, second = runners.current
    runners.has = {first: ["a"], second: ["b"], OLD: ["c"]}
    runners.broken = {first: runner_unavailable("silent"), OLD: Gone(OLD)}
    listed = await asking.listing("o")
    assert [turn["submission_id"] for turn in listed["turns"]] == ["b"]
    assert listed["unheard"] == [first]


async def test_a_listing_of_nobody_is_none(runners: Runners, asking: Asking) -> None:
    runners.broken = dict.fromkeys([*runners.current, OLD], runner_unavailable("silent"))
    with pytest.raises(Refusal):
        await asking.listing("o")
