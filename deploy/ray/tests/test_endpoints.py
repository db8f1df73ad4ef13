"""Who calls a model when: fairness, bounds and pauses, and that no place is ever lost."""

import asyncio
import itertools
import random
from collections import Counter
from datetime import UTC, datetime

import pytest

from deliberation_ray import endpoints as places
from deliberation_ray.endpoints import Endpoints, Party, Place, key_of
from deliberation_ray.failures import Overloaded
from deliberation_ray.refusal import Refusal

KEY = key_of("http://vllm:8000", "m")
LARGE, SMALL = ("o", "large"), ("o", "small")


def opened(*line: Place) -> list[bool]:
    return [place.opened.is_set() for place in line]


@pytest.mark.parametrize(
    ("url", "same"),
    [
        ("http://vllm:8000/v1", True),
        ("http://VLLM:8000/other/", True),
        ("https://vllm:8000", False),
        ("http://vllm:8001", False),
        ("http://vllm", False),
    ],
)
def test_an_endpoint_is_a_server_and_a_model(url: str, same: bool) -> None:
    assert (key_of(url, "m") == KEY) is same
    assert key_of(url, "n") != KEY


async def test_no_more_than_the_limit_are_open() -> None:
    endpoints = Endpoints(2, 9)
    line = [endpoints.enter(KEY, LARGE) for _ in range(4)]
    assert opened(*line) == [True, True, False, False]
    line[0].leave()
    line[0].leave()
    assert opened(*line[1:]) == [True, True, False], "a place that is left twice is one"


async def test_a_council_of_64_does_not_starve_one_of_1() -> None:
    endpoints = Endpoints(4, 99)
    large = [endpoints.enter(KEY, LARGE) for _ in range(64)]
    small = endpoints.enter(KEY, SMALL)
    large[0].leave()
    large[1].leave()
    assert opened(small) == [True]
    assert opened(*large[:6]) == [True] * 5 + [False], "in the order in which they came"


async def test_those_who_wait_are_served_in_turn() -> None:
    endpoints = Endpoints(1, 99)
    names = "aaaabbc"
    current = endpoints.enter(KEY, ("o", "first"))
    line = {endpoints.enter(KEY, ("o", name)): name for name in names}
    served = ""
    for _ in names:
        current.leave()
        (current,) = (place for place in line if place.opened.is_set())
        served += line.pop(current)
    assert served == "abcabaa"


@pytest.mark.parametrize("seed", range(20))
async def test_whatever_happens_the_limit_holds_and_nobody_is_passed_twice(seed: int) -> None:
    chance = random.Random(seed)
    limit = chance.randint(1, 5)
    endpoints = Endpoints(limit, 99)
    waiting: dict[Place, Counter[Party]] = {}  # who was served since it came to be the first of its party
    calling: list[Place] = []

    def settle() -> None:
        served = [place for place in waiting if place.opened.is_set()]
        for place in served:
            del waiting[place]
            calling.append(place)
        heads = {place.party: place for place in reversed(waiting)}
        for head in heads.values():
            waiting[head].update(place.party for place in served if place.party != head.party)
            assert max(waiting[head].values(), default=0) <= 1, "one other is served again and again"
        assert len(calling) <= limit
        assert not waiting or len(calling) == limit, "a place is free and somebody waits"

    for _ in range(300):
        act = chance.choice(["enter", "enter", "leave", "give up"])
        if act == "enter":
            waiting[endpoints.enter(KEY, ("o", str(chance.randint(0, 4))))] = Counter()
        elif act == "leave" and calling:
            calling.pop(chance.randrange(len(calling))).leave()
        elif act == "give up" and waiting:
            place = chance.choice(list(waiting))
            del waiting[place]
            place.leave()
        settle()
        assert endpoints.waiting(paused=False) == len(waiting)
    for place in [*waiting, *calling]:
        place.leave()
    assert len(endpoints) == 0


async def test_a_submission_is_refused_while_too_many_wait() -> None:
    endpoints = Endpoints(1, 1)
    line = [endpoints.enter(KEY, LARGE) for _ in range(2)]
    endpoints.admit([KEY])
    line.append(endpoints.enter(KEY, LARGE))
    with pytest.raises(Refusal, match="2 turns wait for model m") as refusal:
        endpoints.admit([key_of("http://other", "m"), KEY])
    assert (refusal.value.status, refusal.value.kind, refusal.value.cause) == (429, "full", "waiting")
    endpoints.admit([key_of("http://other", "m")])
    line[0].leave()
    endpoints.admit([KEY])


def put_off(seconds: float | None = None, words: str = "503: busy") -> Overloaded:
    return Overloaded(words, 503, seconds)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "PAUSES_SECONDS", (0.05, 0.2))
    monkeypatch.setattr(places, "SHORTEST_PAUSE_SECONDS", 0.01)


@pytest.mark.usefixtures("quick")
async def test_a_server_that_puts_calls_off_is_left_alone_for_as_long_as_it_says() -> None:
    endpoints = Endpoints(2, 99)
    line = [endpoints.enter(KEY, LARGE) for _ in range(4)]
    loop = asyncio.get_running_loop()
    began = loop.time()
    line[0].put_off(put_off(0.3))
    assert opened(*line) == [False, True, False, False], "what runs goes on"
    line[1].leave()
    assert opened(*line) == [False, True, False, False], "nobody begins"
    assert endpoints.waiting(paused=True) == 3
    await asyncio.wait_for(line[0].taken(), 30)
    assert loop.time() - began >= 0.29
    assert opened(*line[2:]) == [False, False], "one asks for all, and holds no slot until then"
    line[0].answered()
    assert opened(*line[2:]) == [True, False]


@pytest.mark.usefixtures("quick")
async def test_pauses_grow_while_the_server_names_no_time() -> None:
    endpoints = Endpoints(9, 99)
    line = [endpoints.enter(KEY, LARGE) for _ in range(3)]
    loop = asyncio.get_running_loop()
    moments = [loop.time()]
    for place in line:
        place.put_off(put_off())
    for _ in range(3):
        await asyncio.wait_for(line[2].taken(), 30)
        moments.append(loop.time())
        assert opened(*line[:2]) == [False, False]
        line[2].put_off(put_off())
    pauses = [after - before for before, after in itertools.pairwise(moments)]
    assert 0.05 <= pauses[0] < 0.2 <= pauses[1]
    assert 0.2 <= pauses[2] < 1


@pytest.mark.usefixtures("quick")
async def test_what_waits_says_for_what() -> None:
    endpoints = Endpoints(1, 99)
    first, second = (endpoints.enter(KEY, LARGE) for _ in range(2))
    assert first.waiting() is second.waiting() is None, "there is no room, but the server takes calls"
    first.put_off(put_off(30, "503: the model is being loaded"))
    waiting = second.waiting()
    assert waiting is not None
    assert (waiting["reason"], waiting["status"]) == ("model m puts calls off: 503: the model is being loaded", 503)
    assert 29 < seconds_between(waiting["since"], waiting["next_try"]) <= 31


def seconds_between(before: str, after: str) -> float:
    return (datetime.fromisoformat(after) - datetime.fromisoformat(before)).total_seconds()


@pytest.mark.usefixtures("quick")
async def test_the_next_one_asks_when_the_one_that_asked_is_stopped() -> None:
    endpoints = Endpoints(2, 99)
    line = [endpoints.enter(KEY, LARGE) for _ in range(3)]
    line[0].put_off(put_off())
    line[1].leave()
    await asyncio.wait_for(line[0].taken(), 30)
    line[0].leave()
    await asyncio.wait_for(line[2].taken(), 30)
    assert line[2].waiting() is not None


@pytest.mark.usefixtures("quick")
async def test_after_calls_were_put_off_fewer_are_made_together_for_a_while() -> None:
    endpoints = Endpoints(8, 99)
    line = [endpoints.enter(KEY, LARGE) for _ in range(20)]
    for place in line[:8]:
        place.put_off(put_off())
    await asyncio.wait_for(line[7].taken(), 30)
    line[7].answered()
    assert sum(opened(*line)) == 4, "half of what was open"
    ended = [place for place in line if place.opened.is_set()]
    for place in ended:
        place.leave()
    assert sum(opened(*line)) - len(ended) == 8, "each that ends widens it"


async def test_a_pause_is_bounded_and_a_later_answer_only_lengthens_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "LONGEST_PAUSE_SECONDS", 10.0)
    endpoints = Endpoints(2, 9)
    first, second = (endpoints.enter(KEY, LARGE) for _ in range(2))
    for place, seconds in ((first, 3600.0), (second, 1.0)):
        place.put_off(put_off(seconds))
        overload = endpoints.overload(KEY)
        assert overload is not None
        assert 9 < (overload.next_try - datetime.now(UTC)).total_seconds() <= 10
    assert endpoints.overload(key_of("http://vllm:8000", "n")) is None


@pytest.mark.usefixtures("quick")
async def test_a_turn_that_was_about_to_call_waits_for_the_end_of_the_pause() -> None:
    endpoints = Endpoints(2, 9)
    first, second = (endpoints.enter(KEY, LARGE) for _ in range(2))
    taking = asyncio.create_task(second.taken())
    await asyncio.sleep(0)
    first.put_off(put_off(0.3))
    assert second.opened.is_set()
    first.leave()
    await asyncio.sleep(0.05)
    assert not taking.done()
    assert not second.opened.is_set()
    await asyncio.wait_for(taking, 30)


async def test_new_deliberations_are_taken_while_a_server_puts_calls_off_until_many_wait() -> None:
    endpoints = Endpoints(1, 1)
    endpoints.enter(KEY, LARGE).put_off(put_off(30))
    endpoints.admit([KEY])
    endpoints.enter(KEY, LARGE)
    with pytest.raises(Refusal, match="2 turns wait for model m, which puts calls off: 503: busy") as refusal:
        endpoints.admit([KEY])
    assert (refusal.value.kind, refusal.value.cause) == ("full", "paused")


@pytest.mark.usefixtures("quick")
async def test_an_endpoint_is_forgotten_with_its_last_turn_and_pause() -> None:
    endpoints = Endpoints(2, 9)
    for number in range(100):
        endpoints.enter(key_of(f"http://h{number}", "m"), SMALL).leave()
    assert len(endpoints) == 0
    place = endpoints.enter(KEY, SMALL)
    place.put_off(put_off(0.3))
    place.leave()
    assert len(endpoints) == 1
    loop = asyncio.get_running_loop()
    until = loop.time() + 30
    while len(endpoints):
        assert loop.time() < until
        await asyncio.sleep(0.05)
