"""A model server that sends the pattern named by the model, again and again, until the client leaves."""

import asyncio
import json
import sys
from pathlib import Path

import process

PATTERNS = {
    "objects": b"data: {}\n\n" * 6_000,
    "lines": b"a\n" * 32_000,
    "comments": b":\n\n" * 20_000,
    "nothing": b"\n" * 64_000,
    "carriage returns": b"\r" * 64_000,
    "deep": b"data: " + b"[" * 60_000 + b"\n\n",
    "many": b"data: [" + b"{}," * 900_000 + b"{}]\n\n",
    "open": b"data: {\n" * 8_000,
    "errors": b"event: error\n" * 5_000,
    "thoughts": b'data: {"choices":[{"delta":{"reasoning":"hm"}}]}\n\n' * 1_000,
    "finishes": b'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\n' * 1_000,
}
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"


async def _serve_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    pattern = PATTERNS[json.loads(await reader.readexactly(length))["model"]]
    try:
        writer.write(_HEAD)
        while True:
            writer.write(pattern)
            await writer.drain()
    except ConnectionError:
        writer.close()


async def _serve(port: int) -> None:
    await (await asyncio.start_server(_serve_one, "127.0.0.1", port)).serve_forever()


class Flood:
    """The server, as a process of its own: it must not share the loop or the interpreter with what is measured."""

    def __init__(self, log: Path) -> None:
        (port,) = process.free_ports(1)
        self.url = f"http://127.0.0.1:{port}"
        self._process = process.start([sys.executable, __file__, str(port)], log)
        process.until(lambda: process.listens(port), "the flood")

    def end(self) -> None:
        process.end(self._process)


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))
