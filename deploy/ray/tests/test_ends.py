"""Stops and forgets: which runners are told, and whose answer counts."""

from types import SimpleNamespace

import pytest
from scripted_runners import ELSEWHERE, MARK, OLD, Runners, end, ends, handle, wait_at

from deliberation_ray import placement
from deliberation_ray.dispatch import Dispatch
from deliberation_ray.refusal import Refusal, RunnerMissing, runner_unavailable


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
