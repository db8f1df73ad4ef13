"""Submits, waits and listings: which runners are asked, and whose answer counts."""

from typing import cast

import pytest
from scripted_runners import MARK, OLD, Runners, sent, wait_at

from deliberation_ray import placement
from deliberation_ray.dispatch import Dispatch
from deliberation_ray.pool import CONTROL_SECONDS
from deliberation_ray.refusal import Refusal, RunnerMissing, runner_unavailable
from deliberation_ray.wire import SHORTEST_TEXT_SECONDS


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


async def test_a_submit_goes_where_all_its_ids_are_whoever_else_is_silent(dispatch: Dispatch, runners: Runners) -> None:
    holder = "runner/0b/0"
    runners.others.append(holder)
    runners.has[holder] = ["t1"]
    runners.broken[OLD] = runner_unavailable("silent")
    assert (await sent(dispatch, "t1"))["runner"] == holder
    with pytest.raises(Refusal):
        await sent(dispatch, "t1", "t2")


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


async def test_a_repeated_submit_waits_for_a_runner_that_hangs(dispatch: Dispatch, runners: Runners) -> None:
    """Another gateway, or this one before it was restarted, may have sent the turns there."""
    home, neighbour = placement.in_order(runners.current, "d")
    runners.silent = {home}
    with pytest.raises(Refusal):
        await sent(dispatch, "t1", repeated=True)
    runners.dead = {home}  # and what it had is gone
    assert (await sent(dispatch, "t1", repeated=True))["runner"] == neighbour


async def test_a_repeated_submit_waits_while_ray_cannot_say_who_runs(
    dispatch: Dispatch, runners: Runners, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unknown(_: str) -> bool:
        raise ConnectionError("no control plane")

    monkeypatch.setattr(runners, "is_alive", unknown)
    home, neighbour = placement.in_order(runners.current, "d")
    runners.silent = {home}
    with pytest.raises(Refusal) as refused:
        await sent(dispatch, "t1", repeated=True)
    assert refused.value.kind == "runner_unavailable"
    assert (await sent(dispatch, "t1"))["runner"] == neighbour


async def test_a_repeated_submit_finds_where_another_gateway_placed_it(dispatch: Dispatch, runners: Runners) -> None:
    home, neighbour = placement.in_order(runners.current, "d")
    runners.has[neighbour] = ["t1"]  # the other gateway passed over the home
    assert (await sent(dispatch, "t1", repeated=True))["runner"] == neighbour
    assert (await sent(dispatch, "t2", repeated=True))["runner"] == home


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
