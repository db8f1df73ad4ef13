"""The runner's connection to NATS, for the text of turns. Runners work without it, for any length of time."""

import asyncio
import logging
import ssl
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit

import nats
from nats.aio.client import Client, RawCredentials

from deliberation_ray.secrets import SecretError, Source

# With more unsent bytes, NATS counts as too slow. The client itself waits at twice as many.
BACKLOG_BYTES = 2 * 1024 * 1024
_AGAIN_SECONDS = 2
# The client notices a silent server after two of these.
_PING_SECONDS = 10

_SCHEMES = ("nats", "tls", "ws", "wss")

_log = logging.getLogger("deliberation_ray.nats")


class NatsAwayError(Exception):
    """NATS isn't connected, or is too slow."""


def check_servers(servers: Iterable[str]) -> tuple[str, ...]:
    """Returns the servers, or raises a ValueError. It quotes no server, since a user name may be a token."""
    kept = tuple(server.strip() for server in servers if server.strip())
    for server in kept:
        try:
            parts = urlsplit(server)
            usable = parts.scheme in _SCHEMES and bool(parts.hostname) and parts.port != 0
        except ValueError:
            usable = False
        if not usable:
            raise ValueError("must be nats://host:port (or tls, ws, wss), or several by commas")
        if parts.username or parts.password:
            raise ValueError("has a user in it, which Ray would store; use DELIBERATION_STREAM_NATS_CREDS_FILE")
    return kept


def credentials(source: Source | None) -> Path | RawCredentials | None:
    """Returns a user's JWT and seed, or their file, which the client reads again for each connection."""
    if source is None:
        return None
    text = source.text()
    if "BEGIN NATS USER JWT" not in text or "BEGIN USER NKEY SEED" not in text:
        raise SecretError(f"{source.name}: no NATS credentials, which contain a user's JWT and its seed")
    return source.file or RawCredentials(text)


class NatsConnection:
    """Publishes at once or not at all."""

    def __init__(self, servers: tuple[str, ...], creds: Source | None, authorities: Path | None) -> None:
        self._servers = servers
        self._creds = creds
        self._authorities = authorities
        self._client = Client()
        self._closed = asyncio.Event()
        self._said = ""

    async def keep(self) -> None:
        """Stays connected, for ever. The client reconnects by itself, except after an error that the server sends.

        The server sends one when credentials have expired. A new client then reads the new ones.
        """
        while True:
            self._closed.clear()
            try:
                await self._connect()
                await self._closed.wait()
            except Exception as error:
                await self._say(error)
            await asyncio.sleep(_AGAIN_SECONDS)

    async def _connect(self) -> None:
        tls = ssl.create_default_context(cafile=str(self._authorities)) if self._authorities else None
        self._client = await nats.connect(
            servers=list(self._servers),
            name="deliberation-runner",
            user_credentials=credentials(self._creds),
            tls=tls,
            allow_reconnect=True,
            max_reconnect_attempts=-1,
            reconnect_time_wait=_AGAIN_SECONDS,
            ping_interval=_PING_SECONDS,
            pending_size=2 * BACKLOG_BYTES,
            error_cb=self._say,
            disconnected_cb=self._disconnected,
            reconnected_cb=self._connected,
            closed_cb=self._end,
        )
        await self._connected()

    @property
    def connected(self) -> bool:
        return bool(self._client.is_connected)

    async def publish(self, subject: str, payload: bytes) -> None:
        client = self._client
        if not self.connected:
            raise NatsAwayError("not connected")
        if client.pending_data_size + len(payload) > BACKLOG_BYTES:
            raise NatsAwayError("too slow")
        await client.publish(subject, payload)

    async def close(self) -> None:
        if self._client.is_connected:
            await self._client.close()

    async def _connected(self) -> None:
        self._said = ""
        _log.info("the text of turns is streamed to NATS")

    async def _disconnected(self) -> None:
        _log.warning("NATS is not connected: the text of turns is not streamed")

    async def _end(self) -> None:
        self._closed.set()

    async def _say(self, error: Exception) -> None:
        """Logs an error once, and not again at each try."""
        words = f"{type(error).__name__}: {error}"
        if words != self._said:
            self._said = words
            _log.warning("NATS: %s", words)
