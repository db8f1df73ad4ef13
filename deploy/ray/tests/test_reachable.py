import errno
from typing import Any

import aiohttp
import pytest

from deliberation_ray.failures import Overloaded
from deliberation_ray.reachable import Reachable

SERVER = ("http", "vllm", 8000)


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def refused(number: int = errno.ECONNREFUSED) -> aiohttp.ClientConnectorError:
    connection: Any = None
    return aiohttp.ClientConnectorError(connection, OSError(number, "refused"))


def test_only_a_server_that_answered_lately_is_taken_to_be_restarted() -> None:
    clock = Clock()
    reachable = Reachable(clock)
    reachable.check_restart(SERVER, refused(), "http://vllm:8000")
    reachable.answered(SERVER)
    with pytest.raises(Overloaded, match="http://vllm:8000 refuses connections"):
        reachable.check_restart(SERVER, refused(), "http://vllm:8000")
    reachable.check_restart(("http", "vllm", 8001), refused(), "")
    reachable.check_restart(SERVER, refused(errno.EHOSTUNREACH), "")
    clock.now += 600
    reachable.check_restart(SERVER, refused(), "")
