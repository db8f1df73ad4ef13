"""Which runners are asked, and whose word counts."""

from collections.abc import Coroutine
from types import SimpleNamespace
from typing import Any, cast

import pytest
from submission import submit, turn

from deliberation_ray import placement
from deliberation_ray.dispatch import Dispatch
from deliberation_ray.pool import CONTROL_SECONDS, Pool
from deliberation_ray.refusal import Refusal, RunnerMissing, runner_unavailable
from deliberation_ray.settings import Settings
from deliberation_ray.wire import SHORTEST_TEXT_SECONDS, Await, End, Submit

OLD = "runner/0a/0"
MARK = "cluster1.place1"
ELSEWHERE = "cluster2.place2.i"


class Runners(Pool):
    """A pool whose runners are dictionaries of answers."""

    def __init__(self) -> None:
        super().__init__("ff", Settings(ray_open=True, runners=2))
        self.others = [OLD]
        self.asked: list[tuple[str, str]] = []
        self.given: list[tuple[str, float]] = []
        self.given_to: list[tuple[str, str]] = []
        self.has: dict[str, list[str]] = {}
        self.broken: dict[str, Exception] = {}
        self.ended: set[str] = set()
        self.told: set[tuple[str, str, str]] = set()
        self.bodies: list[bytes] = []
        self.text_seconds: list[float] = []

    async def call(self, name: str, method: str, *args: Any, seconds: float = CONTROL_SECONDS) -> Any:
        if method != "known":
            self.asked.append((name, method))
        self.given.append((method, seconds))
        self.given_to.append((name, method))
        if name in self.broken:
            raise self.broken[name]
        if method == "known":
            return [key for key in args[0] if key in self.has.get(name, [])]
        return await getattr(self, f"_{method}")(name, *args)

    async def _submit(self, name: str, body: bytes, traceparent: str) -> dict[str, Any]:
        self.bodies.append(body)
        return {"incarnation": name, "turns": []}

    async def _wait(self, name: str, ids: list[str], seconds: float, owner: str) -> list[dict[str, Any]]:
        return [self._state(name, key) for key in ids]

    async def _listen(
        self, name: str, ids: list[str], seconds: float, owner: str, text_seconds: float
    ) -> dict[str, Any]:
        self.text_seconds.append(text_seconds)
        return {"turns": await self._wait(name, ids, seconds, owner), "texts": ["text"]}

    def _state(self, name: str, key: str) -> dict[str, Any]:
        return {"submission_id": key, "incarnation": name, "state": "completed" if key in self.ended else "running"}

    async def _stop(
        self, name: str, ends: dict[str, float], deliberation: str, reason: str, owner: str
    ) -> list[dict[str, Any]]:
        self.told |= {(key, name, deliberation) for key in ends}
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
def dispatch(runners: Runners) -> Dispatch:
    return Dispatch(runners, MARK)


def submitted(*ids: str) -> Submit:
    return Submit.model_validate(submit(*(turn(key) for key in ids), deliberation="d"))


def sent(dispatch: Dispatch, *ids: str) -> Coroutine[Any, Any, dict[str, Any]]:
    return dispatch.submit(submitted(*ids), b"as it came", "")


def wait_at(name: str, *ids: str, incarnation: str = "i", seconds: float = 0, **more: float) -> Await:
    body = {"runner": name, "incarnation": incarnation, "turns": ids, "wait_seconds": seconds, **more}
    return Await.model_validate(body)


def handle(key: str, name: str, deliberation: str = "", incarnation: str = "i") -> dict[str, str]:
    return {"submission_id": key, "runner": name, "incarnation": incarnation, "deliberation": deliberation}


def ends(*handles: dict[str, str]) -> End:
    return End.model_validate({"owner": "o", "turns": handles})


def end(deliberation: str = "", **runners: str) -> End:
    return ends(*(handle(key, name, deliberation) for key, name in runners.items()))


def test_one_deliberation_one_runner(runners: Runners) -> None:
    assert {runners.place(f"d{n}") for n in range(50)} == set(runners.current)
    assert runners.place("d") == Runners().place("d")


async def test_a_submit_is_passed_on_as_it_came(dispatch: Dispatch, runners: Runners) -> None:
    await sent(dispatch, "t1")
    assert runners.bodies == [b"as it came"]


async def test_an_older_runner_that_has_the_ids_gets_the_submit(dispatch: Dispatch, runners: Runners) -> None:
    assert (await sent(dispatch, "t1"))["runner"] == runners.place("d")
    runners.has[OLD] = ["t1"]
    assert (await sent(dispatch, "t1"))["runner"] == OLD


async def test_an_older_runner_that_is_silent_may_have_them(dispatch: Dispatch, runners: Runners) -> None:
    runners.broken[OLD] = runner_unavailable("silent")
    with pytest.raises(Refusal):
        await sent(dispatch, "t1")
    runners.broken[OLD] = RunnerMissing(OLD)
    assert (await sent(dispatch, "t1"))["runner"] == runners.place("d")


async def test_a_missing_runner_takes_no_submit_and_has_no_turns(dispatch: Dispatch, runners: Runners) -> None:
    name = runners.place("d")
    runners.broken[name] = RunnerMissing(name)
    with pytest.raises(Refusal) as refusal:
        await sent(dispatch, "t1")
    assert refusal.value.kind == "runner_unavailable"
    came = await dispatch.wait(wait_at(name, "t1"))
    (state,) = came["turns"]
    assert came["texts"] == []
    assert (state["state"], state["incarnation"]) == ("unknown", "")


async def test_an_unavailable_runner_is_never_unknown(dispatch: Dispatch, runners: Runners) -> None:
    runners.broken[OLD] = runner_unavailable("restarting")
    with pytest.raises(Refusal):
        await dispatch.wait(wait_at(OLD, "t1"))


async def test_a_wait_asks_one_runner_once(dispatch: Dispatch, runners: Runners) -> None:
    first = runners.current[0]
    runners.ended.add("t2")
    came = await dispatch.wait(wait_at(first, "t1", "t2", seconds=20))
    assert [state["state"] for state in came["turns"]] == ["running", "completed"]
    assert runners.asked == [(first, "wait")]
    assert runners.given == [("wait", 20 + CONTROL_SECONDS)]


async def test_text_is_asked_for_only_where_a_caller_wants_it(dispatch: Dispatch, runners: Runners) -> None:
    name = runners.current[0]
    assert (await dispatch.wait(wait_at(name, "t1")))["texts"] == []
    assert (await dispatch.wait(wait_at(name, "t1", text_seconds=0.5)))["texts"] == ["text"]
    await dispatch.wait(wait_at(name, "t1", text_seconds=0.001))
    assert runners.text_seconds == [0.5, SHORTEST_TEXT_SECONDS], "a caller that is in a hurry makes no flood"


async def test_a_runner_of_an_earlier_build_is_only_waited_for(dispatch: Dispatch, runners: Runners) -> None:
    came = await dispatch.wait(wait_at(OLD, "t1", text_seconds=0.5))
    assert [state["state"] for state in came["turns"]] == ["running"]
    assert runners.asked == [(OLD, "wait")]


async def test_turns_of_several_deliberations_end_together(dispatch: Dispatch, runners: Runners) -> None:
    """Each is remembered where a late submit of its own deliberation would go."""
    first, second = runners.current
    at_first, at_second = (
        next(f"d{n}" for n in range(50) if runners.home(f"d{n}") == name) for name in (first, second)
    )
    runners.has = {first: ["t1"], second: ["t2"]}
    body = ends(handle("t1", first, at_first), handle("t2", second, at_second), handle("t3", OLD, at_first))
    states = await dispatch.end("forget", body)
    assert [state["submission_id"] for state in states] == ["t1", "t2", "t3"]
    assert sorted(runners.asked) == sorted([(first, "forget"), (second, "forget"), (OLD, "forget")])
    assert ("t3", first, at_first) in runners.told, "where a late submit of it would go"


async def test_an_end_goes_where_its_handle_says(dispatch: Dispatch, runners: Runners) -> None:
    name = runners.current[0]
    runners.has[name] = ["t1"]
    (state,) = await dispatch.end("stop", end(t1=name))
    assert (state["state"], runners.asked) == ("cancelled", [(name, "stop")])


async def test_an_end_without_a_runner_goes_where_a_submit_would(dispatch: Dispatch, runners: Runners) -> None:
    place = runners.place("d")
    (state,) = await dispatch.end("stop", end("d", t1=""))
    assert (state["state"], runners.asked) == ("unknown", [(place, "stop")])
    runners.has[OLD] = ["t1"]
    (state,) = await dispatch.end("stop", end("d", t1=""))
    assert (state["state"], state["incarnation"]) == ("cancelled", OLD)
    assert set(runners.asked[1:]) == {(OLD, "stop"), (place, "stop")}


async def test_the_end_of_an_older_turn_is_remembered_by_the_new_build(dispatch: Dispatch, runners: Runners) -> None:
    runners.broken[OLD] = RunnerMissing(OLD)
    (state,) = await dispatch.end("stop", end("d", t1=OLD))
    assert (state["state"], state["incarnation"]) == ("unknown", "")
    assert (runners.place("d"), "stop") in runners.asked


async def test_a_stop_says_what_is_known_beside_a_silent_runner(dispatch: Dispatch, runners: Runners) -> None:
    first, second = runners.current
    runners.broken[first] = runner_unavailable("restarting")
    runners.has[second] = ["t2"]
    not_seen, cancelled = await dispatch.end("stop", end(t1=first, t2=second))
    assert (not_seen["submission_id"], not_seen["state"], not_seen["incarnation"]) == ("t1", "running", "")
    assert (cancelled["state"], cancelled["incarnation"]) == ("cancelled", second)


async def test_nothing_known_is_a_refusal(dispatch: Dispatch, runners: Runners) -> None:
    first = runners.current[0]
    runners.broken[first] = runner_unavailable("restarting")
    with pytest.raises(Refusal):
        await dispatch.end("stop", end(t1=first))


async def test_a_forget_that_one_did_not_answer_is_to_be_repeated(dispatch: Dispatch, runners: Runners) -> None:
    first, second = runners.current
    runners.broken[first] = runner_unavailable("restarting")
    with pytest.raises(Refusal):
        await dispatch.end("forget", end(t1=first, t2=second))
    assert (second, "forget") in runners.asked


async def test_a_silent_older_runner_may_run_what_the_others_do_not_know(dispatch: Dispatch, runners: Runners) -> None:
    place = runners.place("d")
    runners.broken[OLD] = runner_unavailable("silent")
    runners.has[place] = ["t1"]
    known, not_seen, named = await dispatch.end("stop", end("d", t1="", t2="", t3=place))
    assert (known["state"], known["incarnation"]) == ("cancelled", place)
    assert (not_seen["state"], not_seen["incarnation"]) == ("running", "")
    assert (named["state"], named["incarnation"]) == ("unknown", place)


async def test_a_turn_that_is_missing_may_still_be_started_by_an_heir_that_does_not_answer(
    dispatch: Dispatch, runners: Runners
) -> None:
    place = runners.place("d")
    runners.broken[place] = runner_unavailable("restarting")
    other = "runner/0a/1"
    runners.has[other] = ["t2"]
    runners.broken[OLD] = RunnerMissing(OLD)
    not_seen, cancelled = await dispatch.end("stop", end("d", t1=OLD, t2=other))
    assert (not_seen["state"], not_seen["incarnation"]) == ("running", "")
    assert (cancelled["state"], cancelled["incarnation"]) == ("cancelled", other)


async def test_a_submit_goes_where_all_its_ids_are_whoever_else_is_silent(dispatch: Dispatch, runners: Runners) -> None:
    holder = "runner/0b/0"
    runners.others.append(holder)
    runners.has[holder] = ["t1"]
    runners.broken[OLD] = runner_unavailable("silent")
    assert (await sent(dispatch, "t1"))["runner"] == holder
    with pytest.raises(Refusal):
        await sent(dispatch, "t1", "t2")


async def test_a_stop_is_answered_before_its_caller_gives_up(
    dispatch: Dispatch, runners: Runners, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its caller gives it 9 s, and each runner takes all the time that it is given."""
    clock = SimpleNamespace(monotonic=lambda: sum(dict(runners.given).values()))
    monkeypatch.setattr("deliberation_ray.dispatch.time", clock)
    await dispatch.end("stop", end("d", t1=""))
    given = dict(runners.given)
    assert given["known"] + given["stop"] < 8
    assert given["stop"] > 3


async def test_a_silent_runner_hides_no_other_ones_turns(runners: Runners, dispatch: Dispatch) -> None:
    first, second = runners.current
    runners.has = {first: ["a"], second: ["b"], OLD: ["c"]}
    runners.broken = {first: runner_unavailable("silent"), OLD: RunnerMissing(OLD)}
    listed = await dispatch.listing("o")
    assert [turn["submission_id"] for turn in listed["turns"]] == ["b"]
    assert listed["unheard"] == [first]


async def test_a_listing_of_nobody_is_none(runners: Runners, dispatch: Dispatch) -> None:
    runners.broken = dict.fromkeys([*runners.current, OLD], runner_unavailable("silent"))
    with pytest.raises(Refusal):
        await dispatch.listing("o")


async def test_a_runner_that_hangs_is_passed_over_for_new_deliberations(dispatch: Dispatch, runners: Runners) -> None:
    home, neighbour = placement.in_order(runners.current, "d")
    runners.silent = {home}
    runners.broken[home] = runner_unavailable("hangs")
    assert (await sent(dispatch, "t1"))["runner"] == neighbour
    assert (home, "known") not in runners.given_to, "nobody waits for it"


async def test_what_was_sent_to_a_runner_that_hangs_waits_for_it(dispatch: Dispatch, runners: Runners) -> None:
    """It may have taken the submit before it hung, whether its answer was read or not."""
    home, neighbour = placement.in_order(runners.current, "d")
    await sent(dispatch, "t1")
    runners.broken[home] = runner_unavailable("hangs")
    with pytest.raises(Refusal):
        await sent(dispatch, "t2")
    runners.silent = {home}
    for key in ("t1", "t2"):
        with pytest.raises(Refusal):
            await sent(dispatch, key)
    assert (await sent(dispatch, "t3"))["runner"] == neighbour


async def test_a_repeated_submit_finds_the_neighbour_that_took_it(dispatch: Dispatch, runners: Runners) -> None:
    home, neighbour = placement.in_order(runners.current, "d")
    runners.leaving = {home}
    assert (await sent(dispatch, "t1"))["runner"] == neighbour
    runners.has[neighbour] = ["t1"]
    runners.leaving = set()
    assert (await sent(dispatch, "t1"))["runner"] == neighbour, "it was passed over a moment ago"
    assert (await sent(dispatch, "t2"))["runner"] == home

    restarted = Dispatch(Runners(), MARK)
    pool = cast(Runners, restarted._pool)
    pool.has, pool.hosts = runners.has, {neighbour}
    assert (await sent(restarted, "t1"))["runner"] == neighbour, "it hosts turns of others"


async def test_a_runner_whose_node_leaves_is_better_than_one_that_hangs(dispatch: Dispatch, runners: Runners) -> None:
    home, neighbour = placement.in_order(runners.current, "d")
    runners.silent, runners.leaving = {home}, {neighbour}
    assert (await sent(dispatch, "t1"))["runner"] == neighbour
    runners.silent = {home, neighbour}
    assert runners.place("d") == home


async def test_usually_no_other_current_runner_is_asked(dispatch: Dispatch, runners: Runners) -> None:
    await sent(dispatch, "t1")
    assert {name for name, method in runners.given_to if method == "known"} == {OLD}


async def test_an_end_is_remembered_where_a_late_submit_would_go(dispatch: Dispatch, runners: Runners) -> None:
    home, neighbour = placement.in_order(runners.current, "d")
    runners.leaving = {home}
    await dispatch.end("stop", end("d", t1=""))
    assert {name for name, method in runners.asked if method == "stop"} == {home, neighbour}
    runners.broken[home] = runner_unavailable("hangs")
    with pytest.raises(Refusal):
        await dispatch.end("stop", end("d", t1=""))


async def test_turns_of_another_ray_cluster_are_not_lost(dispatch: Dispatch, runners: Runners) -> None:
    name = runners.current[0]
    with pytest.raises(Refusal) as refusal:
        await dispatch.wait(wait_at(name, "t1", incarnation=ELSEWHERE))
    assert (refusal.value.status, refusal.value.kind) == (503, "runner_unavailable")
    assert refusal.value.body()["error"]["ray_cluster"] == MARK
    for method in ("stop", "forget"):
        with pytest.raises(Refusal):
            await dispatch.end(method, ends(handle("t1", name, incarnation=ELSEWHERE)))
    assert runners.asked == []


async def test_a_turn_of_another_cluster_hides_no_other(dispatch: Dispatch, runners: Runners) -> None:
    name = runners.current[0]
    body = ends(handle("t1", name, incarnation=ELSEWHERE), handle("t2", name))
    runners.has[name] = ["t2"]
    first, second = await dispatch.end("stop", body)
    assert (first["submission_id"], first["state"], first["incarnation"]) == ("t1", "running", "")
    assert (second["submission_id"], second["state"], second["incarnation"]) == ("t2", "cancelled", name)
    with pytest.raises(Refusal):
        await dispatch.end("forget", body)
    assert (name, "forget") in runners.asked
