"""The text of turns in the answers of waits, where the app has no NATS."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from submission import submit, turn

from deliberation_ray import streams
from deliberation_ray.endpoints import Endpoints
from deliberation_ray.model import Answer, ModelCall, Progress
from deliberation_ray.reply import Reply
from deliberation_ray.streams import gathered
from deliberation_ray.turns import Turns
from deliberation_ray.wire import Submit

OWNER = "owner-1"


class Speakers:
    """A model that says for each turn what a test puts into its `words`, and ends with an empty one."""

    def __init__(self) -> None:
        self.words: dict[str, asyncio.Queue[str]] = {}
        self.progress: dict[str, Progress] = {}

    async def answer(self, call: ModelCall, progress: Progress) -> Answer:
        reply = Reply(call.model, "text", progress, None)
        self.progress[call.submission_id] = progress
        queue = self.words.setdefault(call.submission_id, asyncio.Queue())
        while word := await queue.get():
            reply.take({"choices": [{"index": 0, "delta": {"content": word}}]})
        return Answer("text", "stop", call.model, "text")

    async def say(self, key: str, word: str) -> None:
        self.words.setdefault(key, asyncio.Queue()).put_nowait(word)
        while not self.words[key].empty():
            await asyncio.sleep(0)
        await asyncio.sleep(0.01)


@pytest.fixture
def speakers() -> Speakers:
    return Speakers()


@pytest.fixture
def turns(speakers: Speakers) -> Turns:
    return Turns(speakers.answer, 2000, Endpoints(2000, 2000))


def start(turns: Turns, *ids: str, **changes: object) -> None:
    specs = [turn(key, agent_id=f"agent of {key}", phase="review", round=1, attempt=2, **changes) for key in ids]
    turns.submit(Submit.model_validate(submit(*specs)))


async def hear(turns: Turns, *ids: str, seconds: float = 30) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """One wait for turns and text, as a runner answers it."""
    views = await turns.listen(list(ids), seconds, OWNER, 0.1)
    return views, turns.texts(list(ids), OWNER)[0]


async def test_a_wait_brings_what_came_since_the_last_one(turns: Turns, speakers: Speakers) -> None:
    start(turns, "t1")
    await speakers.say("t1", "Hel")
    await speakers.say("t1", "lo")
    views, first = await hear(turns, "t1")
    await speakers.say("t1", ", world")
    _, second = await hear(turns, "t1")
    await speakers.say("t1", "!")
    await speakers.say("t1", "")
    ended, last = await hear(turns, "t1")
    about = {
        "deliberation_id": "deliberation-1",
        "agent_id": "agent of t1",
        "submission_id": "t1",
        "phase": "review",
        "round": 1,
        "attempt": 2,
    }
    assert views == [], "text names no turn"
    assert first == [
        {**about, "kind": "start", "sequence": 1, "tokens": 0, "text": ""},
        {**about, "kind": "text", "sequence": 2, "tokens": 2, "text": "Hello"},
    ]
    assert second == [{**about, "kind": "text", "sequence": 3, "tokens": 3, "text": ", world"}]
    assert [view["state"] for view in ended] == ["completed"]
    assert last == [
        {**about, "kind": "text", "sequence": 4, "tokens": 4, "text": "!"},
        {**about, "kind": "complete", "sequence": 5, "tokens": 4, "text": "", "state": "completed"},
    ]


async def test_the_messages_are_those_that_a_runner_publishes(turns: Turns, speakers: Speakers) -> None:
    expected = json.loads((Path(__file__).parent / "token_messages.json").read_text())
    spec = turn("t1", agent_id="qa 1", phase="review", round=1, attempt=2)
    turns.submit(Submit.model_validate(submit(spec, deliberation="plan.7")))
    await speakers.say("t1", "Limit <logins>")
    await speakers.say("t1", " & 議論")
    _, texts = await hear(turns, "t1")
    await speakers.say("t1", "")
    _, rest = await hear(turns, "t1")
    assert texts + rest == [event["data"] for event in expected["events"]]


async def test_an_end_is_answered_at_once_while_others_speak(turns: Turns, speakers: Speakers) -> None:
    start(turns, "t1", "t2")
    await speakers.say("t1", "on and on")
    waiting = asyncio.create_task(turns.listen(["t1", "t2"], 30, OWNER, 20))
    await asyncio.sleep(0.05)
    await speakers.say("t2", "")
    (view,) = await asyncio.wait_for(waiting, 5)
    assert view["submission_id"] == "t2"
    _, _ = await hear(turns, "t1")


async def test_a_wait_whose_time_is_over_names_all(turns: Turns, speakers: Speakers) -> None:
    start(turns, "t1", "t2")
    await speakers.say("t1", "text")
    views, texts = await hear(turns, "t1", "t2", seconds=0)
    assert [view["state"] for view in views] == ["running", "running"]
    assert [text["text"] for text in texts if text["kind"] == "text"] == ["text"]


async def test_a_wait_without_text_lasts(turns: Turns, speakers: Speakers) -> None:
    start(turns, "t1")
    await speakers.say("t1", "text")
    await hear(turns, "t1")
    waiting = asyncio.create_task(turns.listen(["t1"], 30, OWNER, 0.1))
    await asyncio.sleep(0.35)
    assert not waiting.done()
    await speakers.say("t1", "more")
    assert await asyncio.wait_for(waiting, 5) == []


async def test_a_wait_that_is_broken_off_takes_nothing(turns: Turns, speakers: Speakers) -> None:
    start(turns, "t1")
    waiting = asyncio.create_task(hear(turns, "t1"))
    await asyncio.sleep(0.01)
    await speakers.say("t1", "text")
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    _, texts = await hear(turns, "t1")
    assert texts[-1]["text"] == "text"


async def test_a_turn_that_nobody_listens_to_keeps_no_text(turns: Turns, speakers: Speakers) -> None:
    start(turns, "t1")
    await speakers.say("t1", "text")
    await speakers.say("t1", "")
    await turns.wait(["t1"], 30)
    (stream,) = turns._streams(["t1"], OWNER)
    assert (speakers.progress["t1"].texts.text(), stream._texts.text()) == ("", "")
    texts, dropped = turns.texts(["t1"], OWNER)
    assert [(text["kind"], text["sequence"], text["text"]) for text in texts] == [
        ("start", 1, ""),
        ("text", 2, ""),
        ("complete", 4, ""),
    ]
    assert dropped == 1


async def test_text_is_for_the_owner_only(turns: Turns, speakers: Speakers) -> None:
    start(turns, "t1")
    await speakers.say("t1", "text")
    assert turns.texts(["t1", "t2"], "another") == ([], 0)


async def test_what_has_no_room_in_one_answer_comes_in_the_next(turns: Turns, speakers: Speakers) -> None:
    start(turns, "t1", "t2", "t3")
    for key in ("t1", "t2", "t3"):
        await speakers.say(key, "text")
    every = turns._streams(["t1", "t2", "t3"], OWNER)
    gathered(every)
    for key in ("t1", "t2", "t3"):
        await speakers.say(key, "x" * streams.MESSAGE_CHARACTERS)
    await speakers.say("t3", "")
    took = []
    while any(stream.waiting for stream in every):
        messages, _ = gathered(every, limit=1000)
        took.append({message["submission_id"] for message in messages})
    assert took == [{"t3"}, {"t1"}, {"t2"}], "a turn that has ended comes first: nobody asks for it again"


async def test_ended_turns_without_room_are_dropped_and_counted(turns: Turns, speakers: Speakers) -> None:
    start(turns, "t1", "t2")
    for key in ("t1", "t2"):
        await speakers.say(key, "text")
    every = turns._streams(["t1", "t2"], OWNER)
    gathered(every)
    for key in ("t1", "t2"):
        await speakers.say(key, "y" * 2000)
        await speakers.say(key, "")
    messages, dropped = gathered(every, limit=1000)
    assert {message["submission_id"] for message in messages} == {"t1"}
    assert dropped == 2


async def test_text_is_what_utf8_can_carry(turns: Turns, speakers: Speakers) -> None:
    start(turns, "t1")
    await speakers.say("t1", "a\ud800b")
    _, texts = await hear(turns, "t1")
    assert texts[-1]["text"] == "a?b"
