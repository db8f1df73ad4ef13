"""Somebody else's Serve application: `python other_app.py <Ray address> <HTTP port>`."""

import sys

import ray
from ray import serve


@serve.deployment(ray_actor_options={"num_cpus": 0})
class Other:
    def __init__(self) -> None:
        self._calls = 0

    def __call__(self) -> str:
        self._calls += 1
        return str(self._calls)


if __name__ == "__main__":
    ray.init(sys.argv[1], log_to_driver=False)
    serve.start(http_options={"host": "127.0.0.1", "port": int(sys.argv[2])})
    serve.run(Other.bind(), name="other", route_prefix="/other")
