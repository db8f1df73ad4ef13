import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from nats_server import NatsServer
from submission import submit, turn

from deliberation_ray import streams
from deliberation_ray.endpoints import Endpoints
from deliberation_ray.model import Answer, ModelCall, Progress
from deliberation_ray.nats_connection import NatsAwayError, NatsConnection
from deliberation_ray.reply import Reply
from deliberation_ray.streams import Streams, token
from deliberation_ray.turns import Turns
from deliberation_ray.wire import Submit

# What watchers read, whichever way it came.
TOKEN_MESSAGES = json.loads((Path(__file__).parent / "token_messages.json").read_text())


class Speaker:
    """A model that says what a test puts into `words`, and ends with an empty one."""

    def __init__(self) -> None:
        self.words: asyncio.Queue[str] = asyncio.Queue()

    async def answer(self, call: ModelCall, progress: Progress) -> Answer:
        reply = Reply(call.model, "text", progress, None)
        while word := await self.words.get():
            reply.take({"choices": [{"index": 0, "delta": {"content": word}}]})
        return Answer("text", "stop", call.model, "text")


class Streamed:
    """A runner's turns with their streams, connected to a server."""

    def __init__(self, server: NatsServer) -> None:
        self.server = server
        self.model = Speaker()
        self.counts: Counter[str] = Counter()
        self.connection = NatsConnection((server.url,), None, None)
        self.streams = Streams(self.connection, "deliberation", self._count)
        self.turns = Turns(self.model.answer, 100, Endpoints(100, 100))
        self.turns.open_stream = self.streams.open
        self.tasks = [asyncio.create_task(self.streams.keep())]

    def _count(self, outcome: str, messages: int) -> None:
        self.counts[outcome] += messages

    def connect(self) -> None:
        self.tasks.append(asyncio.create_task(self.connection.keep()))

    async def connected(self) -> None:
        self.connect()
        async with asyncio.timeout(30):
            while not self.connection.connected:
                await asyncio.sleep(0.01)

    async def until(self, outcome: str, count: int) -> None:
        async with asyncio.timeout(30):
            while self.counts[outcome] < count:
                await asyncio.sleep(0.01)

    def submit(self, deliberation: str = "d", **changes: object) -> None:
        self.turns.submit(Submit.model_validate(submit(turn("t1", **changes), deliberation=deliberation)))

    async def end(self) -> None:
        self.model.words.put_nowait("")
        await self.turns.wait(["t1"], 30)


@pytest.fixture
async def streamed(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Streamed]:
    monkeypatch.setattr("deliberation_ray.nats_connection._AGAIN_SECONDS", 0.1)
    server = NatsServer()
    await server.start()
    made = Streamed(server)
    yield made
    for task in made.tasks:
        task.cancel()
    await server.stop()
    with contextlib.suppress(OSError):  # it may have more to send
        await asyncio.wait_for(made.connection.close(), 5)


async def test_a_turn_is_streamed_from_its_start_to_its_end(streamed: Streamed) -> None:
    await streamed.connected()
    streamed.submit("plan.7", agent_id="qa 1", phase="review", round=1, attempt=2)
    await streamed.server.received(1)
    streamed.model.words.put_nowait("Limit <logins>")
    streamed.model.words.put_nowait(" & 議論")
    await streamed.server.received(2)
    await streamed.end()
    messages = await streamed.server.received(3)
    assert {subject for subject, _ in messages} == {TOKEN_MESSAGES["subject"]}
    assert all(event.pop("time") for _, event in messages)
    assert [event for _, event in messages] == TOKEN_MESSAGES["events"]
    assert streamed.counts == {"sent": 3, "dropped": 0}


async def test_ids_that_no_subject_has_room_for_cost_only_their_own_text(streamed: Streamed) -> None:
    """NATS ends a connection at a control line of over 4 KiB."""
    await streamed.connected()
    streamed.submit("é" * 800)
    await streamed.until("dropped", 1)
    other = Submit.model_validate(submit(turn("t2"), deliberation="other"))
    streamed.turns.submit(other)
    assert [subject for subject, _ in await streamed.server.received(1)] == ["deliberation.tokens.other.agent-dev-001"]


async def test_a_stopped_turn_says_so(streamed: Streamed) -> None:
    await streamed.connected()
    streamed.submit()
    await streamed.server.received(1)
    await streamed.turns.stop({"t1": 60.0}, "d", "stopped")
    assert (await streamed.server.received(2))[1][1]["data"]["state"] == "cancelled"


async def test_text_that_nats_cannot_take_is_dropped_and_counted(streamed: Streamed) -> None:
    streamed.submit()
    await streamed.until("dropped", 1)
    await streamed.connected()
    streamed.model.words.put_nowait("late")
    messages = await streamed.server.received(1)
    assert messages[0][1]["data"]["text"] == "late"
    assert messages[0][1]["data"]["sequence"] == 2, "a watcher sees that a message is missing"


async def test_nats_may_go_away_and_come_back(streamed: Streamed) -> None:
    await streamed.connected()
    streamed.submit()
    await streamed.server.received(1)
    await streamed.server.stop()
    streamed.model.words.put_nowait("lost")
    await streamed.until("dropped", 1)
    await streamed.server.start()
    async with asyncio.timeout(30):
        while len(streamed.server.messages) == 1:
            streamed.model.words.put_nowait("again")
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("error", ["User Authentication Expired", "Authorization Violation"])
async def test_a_runner_that_is_sent_away_connects_again(streamed: Streamed, error: str) -> None:
    await streamed.connected()
    streamed.submit()
    await streamed.server.received(1)
    streamed.server.dismiss(error)
    async with asyncio.timeout(20):
        while len(streamed.server.messages) == 1:
            streamed.model.words.put_nowait("again")
            await asyncio.sleep(0.05)


async def _flood(connection: NatsConnection) -> None:
    while True:
        await connection.publish("flood", b'"' + b"x" * 50_000 + b'"')
        await asyncio.sleep(0)


async def test_a_server_that_does_not_read_is_not_waited_for(streamed: Streamed) -> None:
    await streamed.connected()
    streamed.server.reads.clear()
    with pytest.raises(NatsAwayError, match="too slow"):
        await asyncio.wait_for(_flood(streamed.connection), 30)
    streamed.submit()
    streamed.model.words.put_nowait("x" * 60_000)
    await asyncio.wait_for(streamed.end(), 5)
    await streamed.until("dropped", 1)


async def test_the_text_of_one_message_is_bounded() -> None:
    spec = Submit.model_validate(submit(turn("t1")))
    stream = streams.TurnStream(spec.turns[0], spec, lambda stream: None)
    progress = Progress()
    stream.begin(progress)
    progress.texts.add("x" * streams.MESSAGE_CHARACTERS + "y")
    progress.tokens += 1
    stream.end("completed")
    messages, lost = stream.take()
    assert lost
    assert [message["text"] for message in messages] == ["", "x" * streams.MESSAGE_CHARACTERS, ""]
    assert [message["sequence"] for message in messages] == [1, 2, 4]


@pytest.mark.parametrize(
    ("name", "expected"),
    [("", "%"), ("agent-1", "agent-1"), ("a.b *>%", "a%2Eb%20%2A%3E%25"), ("é\x7f", "%C3%A9%7F")],
)
def test_ids_are_encoded_as_the_worker_encodes_them(name: str, expected: str) -> None:
    assert token(name) == expected
