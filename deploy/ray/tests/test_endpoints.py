"""Who calls a model when: fairness, bounds and pauses, and that no place is ever lost."""

import asyncio
import random
from collections import Counter

import pytest

from deliberation_ray import endpoints as places
from deliberation_ray.endpoints import Endpoints, Party, Place, key_of
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


async def test_a_server_that_refuses_is_left_alone_for_as_long_as_it_says() -> None:
    endpoints = Endpoints(2, 99)
    line = [endpoints.enter(KEY, LARGE) for _ in range(4)]
    loop = asyncio.get_running_loop()
    began = loop.time()
    line[0].refused(1.0)
    assert opened(*line) == [False, True, False, False], "what runs goes on"
    line[1].leave()
    assert opened(*line) == [False, True, False, False], "nobody begins"
    assert endpoints.waiting(paused=True) == 3
    with pytest.raises(Refusal, match="wants no call for 1 s") as refusal:
        endpoints.admit([KEY])
    assert (refusal.value.kind, refusal.value.cause, refusal.value.retry_after) == ("full", "paused", 1)
    await asyncio.wait_for(line[0].taken(), 30)
    assert loop.time() - began >= 0.99
    assert opened(*line[2:]) == [True, False], "the refused one came first"
    endpoints.admit([KEY])


async def test_after_a_refusal_fewer_call_at_once_for_a_while() -> None:
    endpoints = Endpoints(8, 99)
    line = [endpoints.enter(KEY, LARGE) for _ in range(20)]
    for place in line[:8]:
        place.refused(0.5)
    await asyncio.wait_for(line[7].taken(), 30)
    assert sum(opened(*line)) == 4, "half of what was open"
    ended = [place for place in line if place.opened.is_set()]
    for place in ended:
        place.leave()
    assert sum(opened(*line)) - len(ended) == 8, "each that ends widens it"


async def test_a_pause_is_bounded_and_a_later_word_only_lengthens_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "LONGEST_PAUSE_SECONDS", 10.0)
    endpoints = Endpoints(2, 9)
    first, second = (endpoints.enter(KEY, LARGE) for _ in range(2))
    first.pause(3600)
    assert 9 < endpoints.pause_left(KEY) <= 10
    second.pause(1)
    assert 9 < endpoints.pause_left(KEY) <= 10
    assert endpoints.pause_left(key_of("http://vllm:8000", "n")) == 0


async def test_a_turn_that_was_about_to_call_waits_for_the_end_of_the_pause() -> None:
    endpoints = Endpoints(2, 9)
    first, second = (endpoints.enter(KEY, LARGE) for _ in range(2))
    taking = asyncio.create_task(second.taken())
    await asyncio.sleep(0)
    first.pause(0.5)
    assert second.opened.is_set()
    first.leave()
    await asyncio.sleep(0.05)
    assert not taking.done()
    assert not second.opened.is_set()
    await asyncio.wait_for(taking, 30)


async def test_an_endpoint_is_forgotten_with_its_last_turn_and_pause() -> None:
    endpoints = Endpoints(2, 9)
    for number in range(100):
        endpoints.enter(key_of(f"http://h{number}", "m"), SMALL).leave()
    assert len(endpoints) == 0
    place = endpoints.enter(KEY, SMALL)
    place.pause(0.5)
    place.leave()
    assert len(endpoints) == 1
    loop = asyncio.get_running_loop()
    until = loop.time() + 30
    while len(endpoints):
        assert loop.time() < until
        await asyncio.sleep(0.05)
