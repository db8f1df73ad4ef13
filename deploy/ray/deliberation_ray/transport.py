"""The connections of model calls: one HTTP session per runner, which connects to checked addresses only."""

import asyncio
import socket
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from deliberation_ray import untrusted
from deliberation_ray.addresses import check_address
from deliberation_ray.server_error import ServerError, error_in_body

CONNECT_SECONDS = 10.0
ERROR_BYTES = 64 * 1024
# The time for the body of an error. The status counts even if the body never ends.
ERROR_SECONDS = 5.0
_RESOLVE_SECONDS = 5.0
_REMEMBER_ADDRESSES_SECONDS = 10
# Servers close idle connections: uvicorn, under vLLM, after 5 s. A request must not use one that is being closed.
_KEEP_CONNECTION_SECONDS = 3.0
_CLOSING_SECONDS = 1.0


class CheckedResolver(AbstractResolver):
    """Checks each address that a name resolves to. The connector then uses exactly these addresses.

    The inner resolver must not use threads: a few lookups that hang would delay all others.
    """

    def __init__(self, resolver: AbstractResolver, refuse_own: bool) -> None:
        self._resolver = resolver
        self._refuse_own = refuse_own

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        try:
            found = await asyncio.wait_for(self._resolver.resolve(host, port, family), _RESOLVE_SECONDS)
        except TimeoutError as error:
            raise OSError(None, f"cannot resolve {host} in time") from error
        for each in found:
            check_address(each["host"], refuse_own=self._refuse_own)
        return found

    async def close(self) -> None:
        await self._resolver.close()


class Patience:
    """Raises TimeoutError in its block once no byte has come for `seconds`."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._timeout = asyncio.timeout(None)
        self._timer: asyncio.TimerHandle | None = None

    @property
    def over(self) -> bool:
        return self._timeout.expired()

    async def __aenter__(self) -> "Patience":
        self._loop = asyncio.get_running_loop()
        self._last_byte = self._loop.time()
        await self._timeout.__aenter__()
        self._look()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()
        await self._timeout.__aexit__(kind, error, trace)

    def byte_came(self) -> None:
        self._last_byte = self._loop.time()

    def allow(self, seconds: float) -> None:
        """Sets another limit, and starts it now."""
        self.seconds = seconds
        self._last_byte = self._loop.time()
        self._stop()
        self._look()

    def end_within(self, seconds: float) -> None:
        """Ends the block after this time, even if bytes come."""
        self._stop()
        self._timeout.reschedule(self._loop.time() + seconds)

    def _look(self) -> None:
        """Checks the limit when it could be over. A timer for each block of data would cost more than the block."""
        due = self._last_byte + self.seconds
        if due <= self._loop.time():
            self._timeout.reschedule(self._loop.time())
        else:
            self._timer = self._loop.call_at(due, self._look)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()


class Transport:
    """The connections of all calls. They are kept for a while, since most calls go to a few servers."""

    def __init__(self, resolver: AbstractResolver | None = None, *, refuse_own: bool = False) -> None:
        self._resolver = resolver
        self.refuse_own = refuse_own
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    @asynccontextmanager
    async def request(
        self, method: str, url: str, headers: dict[str, str], body: bytes | None = None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Yields a successful response, or raises ServerError. Leaving before its end closes the connection."""
        response = await self._send(method, url, headers, body)
        try:
            if not 200 <= response.status < 300:
                raise await _error_of(response)
            yield response
        except BaseException:
            response.close()
            raise
        response.release()  # this closes the connection if there is more to read

    async def _send(self, method: str, url: str, headers: dict[str, str], body: bytes | None) -> aiohttp.ClientResponse:
        self._session = self._session or self._open()
        while True:
            used, began = _Connection(), time.monotonic()
            try:
                return await self._session.request(
                    method,
                    URL(url, encoded=True),
                    data=body,
                    headers=headers,
                    allow_redirects=False,
                    trace_request_ctx=used,
                )
            except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError):
                # The server closed a kept connection before it read the request. Later it may have begun to work.
                if not used.kept or time.monotonic() - began > _CLOSING_SECONDS:
                    raise

    def _open(self) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(
            resolver=CheckedResolver(self._resolver or aiohttp.AsyncResolver(timeout=2, tries=2), self.refuse_own),
            ttl_dns_cache=_REMEMBER_ADDRESSES_SECONDS,
            ssl=ssl.create_default_context(),
            limit=0,
            keepalive_timeout=_KEEP_CONNECTION_SECONDS,
        )
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            # No server is asked to compress, and a small compressed body can be huge.
            auto_decompress=False,
            headers={"Accept-Encoding": "identity", "User-Agent": "deliberation-ray"},
            timeout=aiohttp.ClientTimeout(total=None, connect=CONNECT_SECONDS),
            trust_env=False,
            trace_configs=[_noting_kept_connections()],
        )


@dataclass
class _Connection:
    kept: bool = False  # it has served another request before


def _noting_kept_connections() -> aiohttp.TraceConfig:
    async def note(session: aiohttp.ClientSession, context: Any, parameters: Any) -> None:
        context.trace_request_ctx.kept = True

    trace = aiohttp.TraceConfig()
    trace.on_connection_reuseconn.append(note)
    return trace


async def read_up_to(response: aiohttp.ClientResponse, most: int) -> bytes:
    body = bytearray()
    await _read_into(body, response, most)
    return bytes(body)


async def _read_into(body: bytearray, response: aiohttp.ClientResponse, most: int) -> None:
    async for block in response.content.iter_any():
        body += block[: most - len(body)]
        if len(body) >= most:
            break


async def _error_of(response: aiohttp.ClientResponse) -> ServerError:
    """Reads the error from the start of the body. The status counts even if the body breaks off."""
    body = bytearray()
    with suppress(aiohttp.ClientError, TimeoutError):
        async with asyncio.timeout(ERROR_SECONDS):
            await _read_into(body, response, ERROR_BYTES)
    headers = {name.lower(): value for name, value in response.headers.items()}
    reason = response.reason or ""
    if (to := headers.get("location")) and 300 <= response.status < 400:
        return ServerError(response.status, untrusted.text(f"{reason}: the server redirects to {to}", ERROR_BYTES))
    return error_in_body(response.status, bytes(body), headers, reason)
