"""The network under a model call: it connects only to checked addresses and reads a bounded answer."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Iterable
from typing import Any

import httpcore2
import httpx2

from deliberation_ray.addresses import check_address, is_address

# A stream of the longest answer permitted, with a hundred times its size in framing, stays below this.
RAW_RESPONSE_BYTES = 64 * 1024 * 1024
# The longest answer permitted in one event, each of its characters escaped, stays below this. The decoder of events
# keeps an unfinished one whole, and the whole body of an error.
EVENT_BYTES = 8 * 1024 * 1024
ERROR_BYTES = 64 * 1024
CONNECT_SECONDS = 10.0

_EVENT_ENDS = (b"\n\n", b"\n\r\n", b"\r\r")
_LONGEST_END = max(map(len, _EVENT_ENDS))


class ResponseTooLarge(Exception):  # noqa: N818 — told to the caller as AnswerTooLarge
    """The server sends more than any permitted answer needs."""


class Names:
    """Looks a name up once at a time: one that hangs takes one thread, however many turns wait for it."""

    def __init__(self) -> None:
        self._lookups: dict[tuple[str, int], asyncio.Task[list[str]]] = {}

    async def addresses(self, host: str, port: int) -> list[str]:
        """Of a host that is an address, itself. No turn waits longer than for a connection."""
        if is_address(host):
            return [host]
        lookup = self._lookups.get((host, port)) or self._look_up(host, port)
        try:
            return await asyncio.wait_for(asyncio.shield(lookup), CONNECT_SECONDS)
        except TimeoutError as error:
            raise httpcore2.ConnectTimeout(f"cannot resolve {host} in time") from error
        except OSError as error:
            raise httpcore2.ConnectError(f"cannot resolve {host}: {error}") from error

    def _look_up(self, host: str, port: int) -> "asyncio.Task[list[str]]":
        lookup = asyncio.create_task(_found(host, port))
        self._lookups[host, port] = lookup

        def done(lookup: "asyncio.Task[list[str]]") -> None:
            del self._lookups[host, port]
            if not lookup.cancelled():
                lookup.exception()  # nobody may be left to hear of it

        lookup.add_done_callback(done)
        return lookup


async def _found(host: str, port: int) -> list[str]:
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in found]


class CheckedBackend(httpcore2.AnyIOBackend):
    """Resolves, checks, then connects to what it checked: a name can't change its address in between."""

    def __init__(self, names: Names) -> None:
        self._names = names

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        failure: Exception = httpcore2.ConnectError(f"{host} has no address")
        addresses = await self._names.addresses(host, port)
        for address in addresses:
            check_address(address)
        for address in addresses:
            try:
                return await super().connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
        raise failure


class _Bounded(httpx2.AsyncByteStream):
    def __init__(self, stream: httpx2.AsyncByteStream) -> None:
        self._stream = stream

    async def aclose(self) -> None:
        await self._stream.aclose()


class _Events(_Bounded):
    """Raises where an event, or all of them, take more than any answer needs."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        received = unfinished = 0
        tail = b""
        async for block in self._stream:
            received += len(block)
            seen = tail + block
            if (end := max(map(seen.rfind, _EVENT_ENDS))) >= 0:
                unfinished = len(seen) - end
            else:
                unfinished += len(block)
            if received > RAW_RESPONSE_BYTES or unfinished > EVENT_BYTES:
                raise ResponseTooLarge(
                    f"the response is larger than {RAW_RESPONSE_BYTES} bytes, or one event too large"
                )
            tail = seen[1 - _LONGEST_END :]
            yield block


class _Words(_Bounded):
    """Ends where an error has said enough: its status counts, whatever else there is."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        left = ERROR_BYTES
        async for block in self._stream:
            yield block[:left]
            left -= len(block)
            if left <= 0:
                return


class CheckedTransport(httpx2.AsyncHTTPTransport):
    def __init__(self, tls: ssl.SSLContext, names: Names) -> None:
        super().__init__(verify=tls, trust_env=False)
        # httpx offers no argument for httpcore's network backend.
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=tls, max_connections=4, network_backend=CheckedBackend(names)
        )

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        response = await super().handle_async_request(request)
        assert isinstance(response.stream, httpx2.AsyncByteStream)
        response.stream = (_Events if response.status_code == 200 else _Words)(response.stream)
        # It wasn't asked for, and what is small on the wire may be huge when unpacked.
        response.headers.pop("content-encoding", None)
        return response


def open_client(tls: ssl.SSLContext, names: Names) -> httpx2.AsyncClient:
    """One client a turn: closing it ends exactly that turn's connection, and no pool is shared by thousands."""
    return httpx2.AsyncClient(
        transport=CheckedTransport(tls, names),
        headers={"Accept-Encoding": "identity"},
        timeout=httpx2.Timeout(None, connect=CONNECT_SECONDS),
        follow_redirects=False,
        trust_env=False,
    )
