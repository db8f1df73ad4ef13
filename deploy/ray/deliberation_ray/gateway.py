"""The gateway's HTTP interface. It has no state: runners hold the turns."""

import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import ray
from pydantic import BaseModel, ValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from deliberation_ray.addresses import AddressRefused, check_url
from deliberation_ray.answers import answer
from deliberation_ray.dispatch import Dispatch
from deliberation_ray.metrics import GatewayMetrics
from deliberation_ray.refusal import Refusal, invalid_request, overloaded
from deliberation_ray.secrets import Tokens
from deliberation_ray.settings import Settings
from deliberation_ray.wire import Await, End, Probe, Submit, describe

API_VERSION = 1
# Python refuses to read much longer numbers.
_LENGTH_DIGITS = 20
_NAMES = {404: "not_found", 405: "method_not_allowed"}

Body = TypeVar("Body", bound=BaseModel)
Handler = Callable[[Request], Awaitable[Any]]

_log = logging.getLogger("deliberation_ray.gateway")


class Gateway:
    """Routes, token, bounds and error bodies. Dispatch knows what the requests mean."""

    def __init__(self, build: str, settings: Settings, dispatch: Dispatch) -> None:
        self._build = build
        self._settings = settings
        self._dispatch = dispatch
        self._tokens = Tokens(settings.token_source)
        self._open_waits = 0
        self._metrics = GatewayMetrics(build)

    def app(self) -> Starlette:
        routes = [
            Route("/healthz", self._healthz, methods=["GET"]),
            self._route("/v1/turns", {"POST": self._submit, "GET": self._listing}),
            self._route("/v1/turns/await", {"POST": self._await}),
            self._route("/v1/turns/stop", {"POST": self._stop}),
            self._route("/v1/turns/forget", {"POST": self._forget}),
            self._route("/v1/probe", {"POST": self._probe}),
            self._route("/v1/info", {"GET": self._info}),
        ]
        handlers: dict[Any, Any] = {HTTPException: self._unrouted}
        app = Starlette(routes=routes, exception_handlers=handlers)
        # A redirect would be sent before the token is checked.
        app.router.redirect_slashes = False
        return app

    def measure(self) -> None:
        self._metrics.waits(self._open_waits)

    def _route(self, path: str, handlers: dict[str, Handler]) -> Route:
        async def endpoint(request: Request) -> Response:
            try:
                self._authorize(request)
                return JSONResponse(await handlers[request.method](request))
            except Refusal as refusal:
                self._metrics.refused(path, refusal.kind)
                return _refused(refusal)
            except Exception as error:
                # Neither the message nor the request goes to the log: both may carry a prompt.
                _log.error("%s %s failed: %s", request.method, path, type(error).__name__)
                return _refused(Refusal(500, "internal", f"unexpected {type(error).__name__}"))

        # GET alone would make Starlette answer HEAD too, which no handler serves.
        route = Route(path, endpoint, methods=list(handlers))
        route.methods = set(handlers)
        return route

    def _authorize(self, request: Request) -> None:
        if not self._tokens.accept(request.headers.get("authorization", "")):
            raise Refusal(401, "unauthorized", "the bearer token is missing or wrong")

    async def _unrouted(self, request: Request, error: HTTPException) -> Response:
        try:
            self._authorize(request)
        except Refusal as refusal:
            return _refused(refusal)
        return _refused(Refusal(error.status_code, _NAMES.get(error.status_code, "invalid_request"), str(error.detail)))

    async def _read(self, request: Request, shape: type[Body]) -> Body:
        return _validated(await self._bytes(request), shape)

    async def _bytes(self, request: Request) -> bytes:
        limit = self._settings.max_body_bytes
        body = bytearray()
        length = request.headers.get("content-length") or "0"
        if not (length.isascii() and length.isdigit()):
            raise invalid_request("Content-Length: must be a whole number")
        if len(length) > _LENGTH_DIGITS or int(length) > limit:
            raise Refusal(413, "too_large", f"the body is larger than {limit} bytes")
        async for block in request.stream():
            body += block
            if len(body) > limit:
                raise Refusal(413, "too_large", f"the body is larger than {limit} bytes")
        return bytes(body)

    async def _submit(self, request: Request) -> Any:
        body = await self._bytes(request)
        submit = _validated(body, Submit)
        for index, turn in enumerate(submit.turns):
            try:
                check_url(turn.vllm_url, self._settings.vllm_allow)
            except AddressRefused as error:
                raise Refusal(403, "url_not_allowed", f"turns[{index}].vllm_url: {error}") from None
        return await self._dispatch.submit(submit, body, _traceparent(request))

    async def _await(self, request: Request) -> Any:
        body = await self._read(request, Await)
        async with self._open_wait():
            came = await self._dispatch.wait(body)
            return answer(came["turns"]) | {"texts": came["texts"]}

    @asynccontextmanager
    async def _open_wait(self) -> AsyncIterator[None]:
        """Counts the open waits. They stay below Serve's own limit, so that there is always room for a stop."""
        if self._open_waits >= self._settings.gateway_waits:
            raise overloaded(f"{self._open_waits} waits are open")
        self._open_waits += 1
        try:
            yield
        finally:
            self._open_waits -= 1

    async def _stop(self, request: Request) -> Any:
        return answer(await self._dispatch.end("stop", await self._read(request, End)))

    async def _forget(self, request: Request) -> Any:
        return {"turns": await self._dispatch.end("forget", await self._read(request, End))}

    async def _listing(self, request: Request) -> Any:
        owner = request.query_params.get("owner", "")
        if not owner:
            raise invalid_request("owner: cannot be empty")
        return await self._dispatch.listing(owner)

    async def _probe(self, request: Request) -> Any:
        probe = await self._read(request, Probe)
        try:
            check_url(probe.vllm_url, self._settings.vllm_allow)
        except AddressRefused as error:
            raise Refusal(403, "url_not_allowed", f"vllm_url: {error}") from None
        return await self._dispatch.probe(probe)

    async def _info(self, _: Request) -> Any:
        runners = await self._dispatch.runners()
        return {
            "api_version": API_VERSION,
            "build": self._build,
            "ray_version": ray.__version__,
            "runners": runners,
            "in_flight": sum(runner["in_flight"] for runner in runners),
            "capacity": sum(runner["capacity"] for runner in runners if not runner["draining"]),
            "open_waits": self._open_waits,
        }

    async def _healthz(self, _: Request) -> Response:
        return JSONResponse({"status": "ok"})


def _validated(body: bytes, shape: type[Body]) -> Body:
    try:
        return shape.model_validate_json(body)
    except ValidationError as error:
        raise invalid_request(describe(error.errors(include_input=False, include_url=False))) from None


def _traceparent(request: Request) -> str:
    """Returns the trace header; empty if it has characters that another header can't have."""
    given = request.headers.get("traceparent", "")[:256]
    return given if given.isascii() and given.isprintable() else ""


def _refused(refusal: Refusal) -> Response:
    headers = {"Retry-After": str(refusal.retry_after)} if refusal.retry_after is not None else None
    return Response(json.dumps(refusal.body()), refusal.status, headers, "application/json")
