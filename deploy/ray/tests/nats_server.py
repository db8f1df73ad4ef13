"""A NATS server that keeps what is published, as far as a publisher needs one. It can stop reading."""

import asyncio
import json
from typing import Any


class NatsServer:
    def __init__(self) -> None:
        self.messages: list[tuple[str, dict[str, Any]]] = []
        self.reads = asyncio.Event()
        self.reads.set()
        self._server: asyncio.Server | None = None
        self._port = 0
        self._writers: list[asyncio.StreamWriter] = []

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self._port}"

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        self.reads.set()
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    def dismiss(self, error: str) -> None:
        """Ends the connections as a server does when credentials have expired."""
        for writer in self._writers:
            writer.write(f"-ERR '{error}'\r\n".encode())
            writer.close()
        self._writers.clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        writer.write(b'INFO {"server_id":"t","version":"2.12.0","max_payload":1048576,"headers":true}\r\n')
        while line := await reader.readline():
            await self.reads.wait()  # what has come stays in the socket
            match line.split():
                case [b"PING"]:
                    writer.write(b"PONG\r\n")
                case [b"PUB", subject, size]:
                    payload = await reader.readexactly(int(size))
                    await reader.readexactly(2)
                    self.messages.append((subject.decode(), json.loads(payload)))

    async def received(self, count: int, seconds: float = 30) -> list[tuple[str, dict[str, Any]]]:
        async with asyncio.timeout(seconds):
            while len(self.messages) < count:
                await asyncio.sleep(0.01)
        return self.messages
