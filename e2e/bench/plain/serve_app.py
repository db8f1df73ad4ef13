"""A plain Ray Serve app: a request is a turn, and its response is the model's answer."""

import argparse
import logging
from typing import Any

import aiohttp
import ray
from ray import serve
from starlette.requests import Request
from starlette.responses import PlainTextResponse

NAME = "plain"


@serve.deployment(num_replicas=2, max_ongoing_requests=1000, ray_actor_options={"num_cpus": 0.1})
class Plain:
    """As many replicas as the Ray app of this project has runners."""

    def __init__(self) -> None:
        self._http: aiohttp.ClientSession | None = None

    async def __call__(self, request: Request) -> PlainTextResponse:
        asked: dict[str, Any] = await request.json()
        if self._http is None:
            self._http = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
        body = {"model": asked["model"], "stream": True, "messages": asked["messages"]}
        async with self._http.post(f"{asked['vllm_url']}/v1/chat/completions", json=body) as response:
            return PlainTextResponse(await response.text())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--address", required=True, help="Ray's address, host:port")
    parser.add_argument("action", choices=["deploy", "delete"])
    arguments = parser.parse_args()
    ray.init(arguments.address, log_to_driver=False, logging_level=logging.ERROR, namespace="serve")
    if arguments.action == "deploy":
        serve.run(Plain.bind(), name=NAME, route_prefix=f"/{NAME}")
    else:
        serve.delete(NAME)


if __name__ == "__main__":
    main()
