"""The Serve application; a declarative Serve configuration imports `deliberation_ray.app:app`."""

import asyncio
import logging
from typing import cast

from ray import serve
from ray.serve import Application, Deployment
from starlette.applications import Starlette

from deliberation_ray.asking import Asking
from deliberation_ray.build import build_of
from deliberation_ray.gateway import Gateway
from deliberation_ray.metrics import repeat
from deliberation_ray.pool import Pool
from deliberation_ray.settings import Settings
from deliberation_ray.succession import Succession
from deliberation_ray.wire import LONGEST_WAIT_SECONDS

NAME = "deliberation"
ROUTE_PREFIX = "/deliberation"
# Serve's default is 5: far too few for a service that mostly waits.
_ONGOING_REQUESTS = 20_000

_log = logging.getLogger("deliberation_ray.app")


@serve.deployment(
    name="gateway",
    max_ongoing_requests=_ONGOING_REQUESTS,
    # A redeploy cuts requests with a plain 500 when this is over: let the longest wait end first.
    graceful_shutdown_timeout_s=LONGEST_WAIT_SECONDS + 5,
)
@serve.ingress()
class Deliberation:
    """Brings up the runners, then serves the gateway."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def __serve_build_asgi_app__(self) -> Starlette:
        _warn(self._settings)
        pool = Pool(build_of(self._settings), self._settings)
        succession = Succession(pool)
        await succession.begin()
        self._keeping = asyncio.create_task(succession.keep())
        gateway = Gateway(pool.build, self._settings, Asking(pool))
        self._telling = asyncio.create_task(repeat(gateway.tell))
        return gateway.app()


def _warn(settings: Settings) -> None:
    if not settings.ray_token.get_secret_value():
        _log.warning("DELIBERATION_RAY_TOKEN is not set: whoever reaches the port may use the application")
    if not settings.vllm_allow:
        _log.warning("DELIBERATION_VLLM_ALLOW is not set: turns may call every host that this cluster reaches")


def application(settings: Settings) -> Application:
    deployment: Deployment = cast(Deployment, Deliberation).options(
        num_replicas=settings.gateway_replicas,
        max_queued_requests=settings.gateway_queue,
        ray_actor_options={"num_cpus": settings.gateway_cpus},
    )
    return deployment.bind(settings)


def app(_: dict[str, str]) -> Application:
    """A builder, so that importing this module reads no environment."""
    return application(Settings.from_environment())
