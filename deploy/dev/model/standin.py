"""A stand-in for vLLM: the OpenAI protocol with canned answers, and a control API for scripted faults."""

import argparse
import resource
from typing import Any

import canned
import uvicorn
from calls import Calls
from completion import Asked, Completion
from pydantic import ValidationError
from script import Script, Scripts
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send


class StandIn:
    def __init__(self, delay: float, model: str) -> None:
        self._delay = delay
        self._model = model
        self._scripts = Scripts()
        self._calls = Calls()

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/healthz", self._healthz),
                Route("/control/script", self._script, methods=["PUT", "DELETE"]),
                Route("/control/release", self._release, methods=["POST"]),
                Route("/control/calls", self._log, methods=["GET", "DELETE"]),
                *(Route(path + "/v1/models", self._models) for path in ("", "/{anything:path}")),
                *(Route(path + "/v1/chat/completions", _Endpoint(self)) for path in ("", "/{anything:path}")),
            ]
        )

    async def complete(self, request: Request, send: Send) -> Completion:
        asked = Asked.of(await request.json())
        call = self._calls.open(
            request.headers.get("x-request-id", ""),
            asked.model,
            asked.response_format,
            request.headers.get("traceparent", ""),
        )
        step = self._scripts.next(asked.model, canned.phase_of(asked.messages))
        gate = self._scripts.gate(asked.model)
        return Completion(asked, step, gate, call, self._delay, send)

    async def _healthz(self, _: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def _models(self, _: Request) -> Response:
        card: dict[str, Any] = {"id": self._model, "object": "model", "owned_by": "stand-in", "max_model_len": 32768}
        return JSONResponse({"object": "list", "data": [card]})

    async def _script(self, request: Request) -> Response:
        model = request.query_params.get("model")
        if request.method == "DELETE":
            self._scripts.delete(model)
        elif model is None:
            return JSONResponse({"error": {"message": "model: missing in the query"}}, 422)
        else:
            try:
                self._scripts.put(model, Script.model_validate_json(await request.body()))
            except ValidationError as error:
                return JSONResponse({"error": {"message": str(error)}}, 422)
        return Response(status_code=204)

    async def _release(self, request: Request) -> Response:
        self._scripts.release(request.query_params.get("model", ""))
        return Response(status_code=204)

    async def _log(self, request: Request) -> Response:
        if request.method == "DELETE":
            self._calls.clear()
            return Response(status_code=204)
        return JSONResponse({"calls": self._calls.listing(request.query_params.get("model"))})


class _Endpoint:
    """A plain ASGI endpoint, because a streaming response of Starlette notices a lost client only at its next write."""

    def __init__(self, stand_in: StandIn) -> None:
        self._stand_in = stand_in

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] != "POST":
            await Response(status_code=405)(scope, receive, send)
            return
        try:
            completion = await self._stand_in.complete(Request(scope, receive), send)
        except (ValueError, AttributeError):
            await JSONResponse({"error": {"message": "the body is not a chat completion"}}, 400)(scope, receive, send)
            return
        await completion.run(receive)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8001)
    parser.add_argument("--delay", type=float, default=0.5, help="seconds that an answer takes (%(default)s)")
    parser.add_argument("--model", default="canned", help="the name that GET /v1/models lists; calls may use any name")
    arguments = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    app = StandIn(arguments.delay, arguments.model).app()
    calls = f"http://{arguments.host}:{arguments.port}/control/calls"
    print(f"the stand-in logs problems only; its calls are at {calls}", flush=True)
    uvicorn.run(app, host=arguments.host, port=arguments.port, log_level="warning", access_log=False)


if __name__ == "__main__":
    main()
