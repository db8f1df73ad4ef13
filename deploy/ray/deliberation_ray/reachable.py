"""Remembers which model servers answered lately. If one of them then refuses connections, it is being restarted."""

import errno
import time
from collections import OrderedDict
from collections.abc import Callable

import aiohttp

from deliberation_ray.failures import Overloaded

# Loading a large model takes minutes. A server that was never reached has probably another address.
_REMEMBER_SECONDS = 600.0
_REMEMBER_SERVERS = 1024

Server = tuple[str, str, int]


class Reachable:
    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._answered: OrderedDict[Server, float] = OrderedDict()

    def answered(self, server: Server) -> None:
        self._answered[server] = self._clock()
        self._answered.move_to_end(server)
        while len(self._answered) > _REMEMBER_SERVERS:
            self._answered.popitem(last=False)

    def check_restart(self, server: Server, error: aiohttp.ClientConnectorError, url: str) -> None:
        """Raises Overloaded if the server answered lately and accepts no connection now."""
        if error.os_error.errno != errno.ECONNREFUSED:
            return
        if self._clock() - self._answered.get(server, -_REMEMBER_SECONDS) < _REMEMBER_SECONDS:
            words = f"{url} refuses connections, though it answered lately: it is being restarted"
            raise Overloaded(words, None, None) from error
