"""Measures what model calls cost a runner: CPU per chunk and per call, and how late its event loop is.

    python bench/model_calls.py

The model server is a process of its own, on loopback. Each row names the target that it is compared with; the exit
status is 1 if one is missed. On a machine that does other work, trust the CPU times and not the lag.
"""

import argparse
import asyncio
import json
import multiprocessing
import sys
import time
from multiprocessing.connection import Connection

import uvloop

from deliberation_ray.model import Model, ModelCall, Progress

MICROSECONDS_A_CHUNK = 45.0
MILLISECONDS_A_CALL = 1.2
TOKENS_A_SECOND = 15_000
LAG_MILLISECONDS = 50.0

_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
_TICK_SECONDS = 0.02


def _event(**fields: object) -> bytes:
    common = {
        "id": "chatcmpl-4f0c9a2e",
        "object": "chat.completion.chunk",
        "created": 1767225600,
        "model": "Qwen/Qwen3-8B",
    }
    event = b"data: " + json.dumps({**common, **fields}).encode() + b"\n\n"
    return b"%x\r\n%b\r\n" % (len(event), event)


_PIECE = _event(choices=[{"index": 0, "delta": {"content": " token"}, "logprobs": None, "finish_reason": None}])
_FINISH = _event(choices=[{"index": 0, "delta": {"content": ""}, "logprobs": None, "finish_reason": "stop"}])
_USAGE = _event(choices=[], usage={"prompt_tokens": 40, "completion_tokens": 100, "total_tokens": 140})
_END = _FINISH + _USAGE + b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n"


async def _serve_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Streams one token a tick. The model's name is the number of tokens; a model `0` answers immediately."""
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
            tokens = int(json.loads(await reader.readexactly(length))["model"])
            writer.write(_HEAD)
            for number in range(tokens):
                if number:
                    await asyncio.sleep(_TICK_SECONDS)
                writer.write(_PIECE)
            writer.write((_PIECE if not tokens else b"") + _END)
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


def _serve(port: "Connection") -> None:
    async def serve() -> None:
        server = await asyncio.start_server(_serve_one, "127.0.0.1", 0, backlog=4096)
        port.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    uvloop.run(serve())


class Runner:
    """Calls a model as the turns of a runner do, in this process."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._model = Model((), {})

    async def call(self, tokens: int) -> None:
        messages = [{"role": "user", "content": "Add rate limiting to the login API."}]
        call = ModelCall("t1", self._url, str(tokens), messages, {"temperature": 0.7, "max_tokens": 2048})
        progress = Progress()
        await self._model.answer(call, progress)
        assert progress.tokens == max(1, tokens)

    async def cost_of_a_call(self, calls: int = 1000) -> float:
        await self.call(0)
        began = time.process_time()
        for _ in range(calls):
            await self.call(0)
        return (time.process_time() - began) / calls

    async def cost_of_a_chunk(self, call_seconds: float, streams: int = 100, tokens: int = 150) -> float:
        began = time.process_time()
        await asyncio.gather(*(self.call(tokens) for _ in range(streams)))
        return (time.process_time() - began - streams * call_seconds) / (streams * tokens)

    async def load(self, tokens_a_second: int, seconds: float) -> tuple[float, list[float]]:
        """Returns the tokens that were read a second, and how late the loop was, measured every 5 ms."""
        streams = round(tokens_a_second * _TICK_SECONDS)
        tokens = round(seconds / _TICK_SECONDS)
        lags: list[float] = []
        watching = asyncio.create_task(_watch(lags))
        began = time.monotonic()

        async def begin(number: int) -> None:
            await asyncio.sleep(_TICK_SECONDS * number / streams)  # not all in the same tick
            await self.call(tokens)

        await asyncio.gather(*(begin(number) for number in range(streams)))
        took = time.monotonic() - began
        watching.cancel()
        return streams * tokens / took, sorted(lags)

    async def close(self) -> None:
        await self._model.close()


async def _watch(lags: list[float]) -> None:
    while True:
        began = time.monotonic()
        await asyncio.sleep(0.005)
        lags.append(time.monotonic() - began - 0.005)


async def _measure(url: str, seconds: float) -> bool:
    runner = Runner(url)
    call = await runner.cost_of_a_call()
    chunk = await runner.cost_of_a_chunk(call)
    reached, lags = await runner.load(TOKENS_A_SECOND, seconds)
    await runner.close()
    lag = lags[int(len(lags) * 0.99)] * 1000
    rows = [
        ("CPU a call, one token", call * 1000, "ms", MILLISECONDS_A_CALL),
        ("CPU a chunk", chunk * 1_000_000, "µs", MICROSECONDS_A_CHUNK),
        (f"loop lag p99 while {reached:,.0f} tokens/s arrive", lag, "ms", LAG_MILLISECONDS),
    ]
    for what, measured, unit, target in rows:
        print(f"{what:48} {measured:8.2f} {unit}   target ≤ {target:g} {unit}")
    # A stream of n tokens takes n - 1 ticks and its call. Any more time is the runner's.
    print(f"{'tokens a second':48} {reached:8,.0f}      target {TOKENS_A_SECOND:,}, less the start of the calls")
    return all(measured <= target for _, measured, _, target in rows) and reached > 0.9 * TOKENS_A_SECOND


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10.0, help="how long the load lasts")
    given = parser.parse_args()
    here, there = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=_serve, args=(there,), daemon=True)
    server.start()
    try:
        return 0 if uvloop.run(_measure(f"http://127.0.0.1:{here.recv()}", given.seconds)) else 1
    finally:
        server.kill()


if __name__ == "__main__":
    sys.exit(main())
