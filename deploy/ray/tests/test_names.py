"""The names of model servers: which addresses are called, and what a name server that is slow costs."""

import asyncio
import socket
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from model_cases.server import Server

from deliberation_ray.failures import Failure
from deliberation_ray.model import Model, ModelCall, Progress
from deliberation_ray.transport import Transport

Open = Callable[..., Model]


class Names(AbstractResolver):
    """Resolves names as given."""

    def __init__(self, **addresses: str) -> None:
        self._addresses = addresses
        self.asked: list[str] = []

    async def resolve(self, host: str, port: int = 0, family: Any = socket.AF_UNSPEC) -> list[ResolveResult]:
        self.asked.append(host)
        if host not in self._addresses:
            raise OSError(None, "no such name")
        address = self._addresses[host]
        kind = socket.AF_INET6 if ":" in address else socket.AF_INET
        return [{"hostname": host, "host": address, "port": port, "family": kind, "proto": 6, "flags": 0}]

    async def close(self) -> None:
        pass


@pytest.mark.parametrize("address", ["169.254.169.254", "fd00:ec2::254", "::ffff:169.254.169.254", "168.63.129.16"])
async def test_a_name_that_resolves_to_metadata_is_not_called(open_model: Open, address: str) -> None:
    model = open_model(transport=Transport(Names(innocent=address)))
    with pytest.raises(Failure) as failure:
        await model.answer(ModelCall("t1", "http://innocent", "m", [], {}), Progress())
    assert (failure.value.kind, failure.value.retryable) == ("UrlNotAllowed", False)


@pytest.mark.parametrize("url", ["http://innocent:9", "http://127.0.0.1:9", "http://[::1]:9"])
async def test_a_runner_can_refuse_to_call_its_own_node(open_model: Open, url: str) -> None:
    model = open_model(transport=Transport(Names(innocent="127.0.0.1"), refuse_own=True))
    with pytest.raises(Failure, match="DELIBERATION_VLLM_REFUSE_OWN") as failure:
        await model.answer(ModelCall("t1", url, "m", [], {}), Progress())
    assert (failure.value.kind, failure.value.retryable) == ("UrlNotAllowed", False)


async def test_the_address_that_was_checked_is_the_one_that_is_called(cases: Server, open_model: Open) -> None:
    names = Names(model="127.0.0.1")
    model = open_model(transport=Transport(names))
    url = cases.url.replace("127.0.0.1", "model")
    for _ in range(3):
        assert (await model.answer(ModelCall("t1", url, "ok", [], {}), Progress())).finish_reason == "stop"
    assert names.asked == ["model"], "once for all connections within a while"


async def test_a_name_that_does_not_resolve_is_a_failed_attempt(open_model: Open) -> None:
    model = open_model(transport=Transport(Names()))
    with pytest.raises(Failure, match="cannot reach http://nowhere") as failure:
        await model.answer(ModelCall("t1", "http://nowhere", "m", [], {}), Progress())
    assert (failure.value.kind, failure.value.retryable) == ("ModelUnavailable", True)


async def test_names_that_hang_delay_their_own_turns_only(cases: Server, open_model: Open) -> None:
    """The name server answers nothing; `localhost` needs none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        servers = [f"127.0.0.1:{silent.getsockname()[1]}"]
        model = open_model(transport=Transport(aiohttp.AsyncResolver(nameservers=servers, timeout=30, tries=1)))
        hung = [
            asyncio.create_task(model.answer(ModelCall("t1", f"http://hung{number}.example", "m", [], {}), Progress()))
            for number in range(50)
        ]
        await asyncio.sleep(0.1)
        url = cases.url.replace("127.0.0.1", "localhost")
        answer = await asyncio.wait_for(model.answer(ModelCall("t1", url, "ok", [], {}), Progress()), 2)
        assert answer.finish_reason == "stop"
        assert not any(each.done() for each in hung)
        for each in hung:
            each.cancel()
        await asyncio.gather(*hung, return_exceptions=True)
