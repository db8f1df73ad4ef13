"""The Serve application; a declarative Serve configuration imports `deliberation_ray.app:app`."""

import asyncio
import logging
from typing import Any, cast

from ray import serve
from ray.serve import Application, Deployment
from starlette.applications import Starlette

from deliberation_ray.build import build_of
from deliberation_ray.dispatch import Dispatch
from deliberation_ray.gateway import Gateway
from deliberation_ray.metrics import repeat
from deliberation_ray.origin import cluster_mark
from deliberation_ray.pool import Pool
from deliberation_ray.settings import ONGOING_REQUESTS, Settings
from deliberation_ray.succession import Succession
from deliberation_ray.wire import LONGEST_WAIT_SECONDS

NAME = "deliberation"
ROUTE_PREFIX = "/deliberation"

_log = logging.getLogger("deliberation_ray.app")


@serve.deployment(
    name="gateway",
    max_ongoing_requests=ONGOING_REQUESTS,
    # After this time a redeploy breaks off open requests with a plain 500. The longest wait must have ended by then.
    graceful_shutdown_timeout_s=LONGEST_WAIT_SECONDS + 5,
    # More tries don't help if a secret can't be read.
    max_constructor_retry_count=3,
    logging_config={"enable_access_log": False},
)
@serve.ingress()
class Deliberation:
    """Starts the runners, then serves the gateway."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._build = build_of(settings)

    async def __serve_build_asgi_app__(self) -> Starlette:
        _warn(self._settings)
        # This also checks the keys, which only runners need, so that the deploy fails if they can't be read.
        self._settings.check_secrets()
        pool = Pool(self._build, self._settings)
        succession = Succession(pool)
        await succession.begin()
        dispatch = Dispatch(pool, await asyncio.to_thread(cluster_mark))
        gateway = Gateway(self._build, self._settings, dispatch)
        self._tasks = [asyncio.create_task(succession.keep()), asyncio.create_task(repeat(gateway.measure))]
        return gateway.app()

    async def build(self) -> str:
        """Returns the build. The deployer calls this through a handle, which needs no token."""
        return self._build


def _warn(settings: Settings) -> None:
    if settings.token_source is None:
        _log.warning("DELIBERATION_RAY_OPEN is set: everybody who reaches the port may use the application")
    if not settings.vllm_allow:
        _log.warning("DELIBERATION_VLLM_ALLOW is not set: turns may call every host that this cluster reaches")


def application(settings: Settings) -> Application:
    deployment: Deployment = cast(Deployment, Deliberation).options(
        num_replicas=settings.gateway_replicas,
        max_queued_requests=settings.gateway_queue,
        ray_actor_options={"num_cpus": settings.gateway_cpus},
    )
    return deployment.bind(settings)


def app(arguments: dict[str, Any]) -> Application:
    """Builds the application. It is a function, so that importing this module reads no environment.

    The arguments are settings, by the names of their fields. Serve deploys the application again when an argument
    changes, but not when a variable in a node's environment changes.
    """
    return application(Settings.from_environment(**arguments))
