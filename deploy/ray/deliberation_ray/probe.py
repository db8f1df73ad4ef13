"""A check of a model endpoint from where the turns run: does it list the model, and does a call work?"""

import asyncio
import time
import uuid
from typing import Any

from deliberation_ray import untrusted
from deliberation_ray.endpoints import Endpoints, key_of
from deliberation_ray.failures import Failure
from deliberation_ray.model import Model, ModelCall, Progress

# The time for both requests, which run at the same time. The gateway waits a little longer.
PROBE_SECONDS = 8.0
_LISTED = 5
_NAME_CHARACTERS = 200


async def probe(model: Model, endpoints: Endpoints, vllm_url: str, name: str) -> dict[str, Any]:
    """Lists the models and makes one call, which no metric counts. It calls nothing while the server puts calls off."""
    if overload := endpoints.overload(key_of(vllm_url, name)):
        return {"models": False, "listed": [], "call": _failed("ModelOverloaded", overload.words)}
    listed, call = await asyncio.gather(_list(model, vllm_url), _call(model, vllm_url, name))
    shown = [untrusted.text(each, _NAME_CHARACTERS) for each in listed[:_LISTED]]
    return {"models": name in listed, "listed": shown, "call": call}


async def _list(model: Model, vllm_url: str) -> list[str]:
    try:
        return await asyncio.wait_for(model.listed(vllm_url), PROBE_SECONDS)
    except Exception:  # the call to the same server reports the reason
        return []


async def _call(model: Model, vllm_url: str, name: str) -> dict[str, Any]:
    began = time.monotonic()
    messages = [{"role": "user", "content": "ping"}]
    call = ModelCall(f"probe-{uuid.uuid4().hex}", vllm_url, name, messages, {"max_tokens": 1})
    try:
        await asyncio.wait_for(model.answer(call, Progress()), PROBE_SECONDS)
    except TimeoutError:
        return _failed("ModelTimeout", f"no answer within {PROBE_SECONDS:g} s")
    except Failure as failure:
        if failure.kind != "Truncated":  # this call allows one token, so its answer always is
            return _failed(failure.kind, failure.message)
    return {"ok": True, "ms": round((time.monotonic() - began) * 1000)}


def _failed(kind: str, message: str) -> dict[str, Any]:
    return {"ok": False, "type": kind, "message": message}
