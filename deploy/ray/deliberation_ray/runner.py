"""The runner: the named, detached actor around the turns.

Only plain data crosses to it and back. A runner outlives the gateway that created it, so a gateway of another build,
with other classes, must still be able to ask it.
"""

import asyncio
import logging
import os
import resource
from collections.abc import Coroutine
from typing import Any

import ray

from deliberation_ray import placement
from deliberation_ray.answers import bounded
from deliberation_ray.endpoints import Endpoints, rfc3339
from deliberation_ray.metrics import RunnerMetrics, repeat
from deliberation_ray.model import Model, Patiences
from deliberation_ray.nats_connection import NatsConnection
from deliberation_ray.origin import cluster_mark, new_incarnation
from deliberation_ray.probe import probe
from deliberation_ray.refusal import Refusal
from deliberation_ray.secrets import ModelKeys
from deliberation_ray.settings import Settings
from deliberation_ray.streams import Streams
from deliberation_ray.transport import Transport
from deliberation_ray.turns import Turns
from deliberation_ray.wire import Submit

Plain = dict[str, Any]

_log = logging.getLogger("deliberation_ray.runner")


def _allow_many_connections() -> None:
    """Raises the soft limit of open files, usually 1,024, since each turn in flight is an open socket."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class Runner:
    """Ray cancels a method when its caller disconnects. What must be finished runs in the runner's own tasks."""

    def __init__(self, name: str, settings: Settings, generation: float) -> None:
        _allow_many_connections()
        self._name = name
        self._incarnation = new_incarnation(cluster_mark())
        node_address: Any = ray.util.get_node_ip_address
        self._node = str(node_address())
        self._node_id = ray.get_runtime_context().get_node_id()
        self._metrics = RunnerMetrics(name)
        patiences = Patiences(settings.model_silence_seconds, settings.model_first_token_share)
        transport = Transport(refuse_own=settings.vllm_refuse_own)
        self._model = Model(settings.vllm_allow, ModelKeys(settings.keys_source), patiences, transport)
        self._endpoints = Endpoints(settings.model_concurrency, settings.model_waiting)
        call = self._metrics.measured(self._model.answer)
        self._turns = Turns(call, settings.runner_capacity, self._endpoints, settings.runner_memory_bytes)
        self._turns.generation = generation
        peers = placement.runner_names(name.split("/")[1], settings.runners)
        self._turns.is_guest = lambda deliberation: placement.in_order(peers, deliberation)[0] != name
        self._tasks: set[asyncio.Task[Any]] = set()
        self._own(repeat(self._measure))
        self._streams_itself = bool(settings.stream_nats_url)
        if self._streams_itself:
            self._stream(settings)

    def _stream(self, settings: Settings) -> None:
        connection = NatsConnection(
            settings.stream_nats_url, settings.stream_nats_creds_source, settings.stream_nats_ca_file
        )
        streams = Streams(connection, settings.nats_prefix, self._metrics.streamed)
        self._turns.open_stream = streams.open
        self._own(connection.keep())
        self._own(streams.keep())

    async def submit(self, body: bytes, traceparent: str) -> Plain:
        """Takes the body of a submit as it came to the gateway.

        Parsing it here takes half the time of building the same objects without validation, and a fraction of the time
        of pickling them in the gateway.
        """
        try:
            turns = self._turns.submit(Submit.model_validate_json(body), traceparent)
        except Refusal as refusal:
            self._metrics.refused(refusal.cause)
            kind, message, after = refusal.kind, refusal.message, refusal.retry_after
            return {"refusal": {"status": refusal.status, "kind": kind, "message": message, "retry_after": after}}
        return {"incarnation": self._incarnation, "accepted_at": rfc3339(), "turns": turns}

    async def wait(self, ids: list[str], seconds: float, owner: str) -> list[Plain]:
        return bounded(self._signed(await self._turns.wait(ids, seconds, owner)))

    async def listen(self, ids: list[str], seconds: float, owner: str, text_seconds: float) -> Plain:
        """Waits, and also returns the text of turns, unless this runner publishes it."""
        if self._streams_itself:
            return {"turns": await self.wait(ids, seconds, owner), "texts": []}
        turns = await self._turns.listen(ids, seconds, owner, text_seconds)
        # No await from here on: a wait that is cancelled must not take any text.
        texts, dropped = self._turns.texts(ids, owner)
        self._metrics.streamed("sent", len(texts))
        self._metrics.streamed("dropped", dropped)
        return {"turns": bounded(self._signed(turns)), "texts": texts}

    async def stop(self, ends: dict[str, float], deliberation: str, reason: str, owner: str) -> list[Plain]:
        return bounded(self._signed(await self._finish(self._turns.stop(ends, deliberation, reason, owner))))

    async def forget(self, ends: dict[str, float], deliberation: str, reason: str, owner: str) -> list[Plain]:
        return self._signed(await self._finish(self._turns.forget(ends, deliberation, reason, owner)))

    async def known(self, ids: list[str], owner: str) -> list[str]:
        return [key for key in ids if self._turns.knows(key, owner)]

    async def listing(self, owner: str) -> list[Plain]:
        return [{**turn, "runner": self._name} for turn in self._signed(self._turns.listing(owner))]

    async def probe(self, vllm_url: str, model: str) -> Plain:
        return await probe(self._model, self._endpoints, vllm_url, model)

    async def info(self) -> Plain:
        in_flight = self._turns.in_flight
        return {
            "name": self._name,
            "incarnation": self._incarnation,
            "in_flight": in_flight,
            "kept": self._turns.held - in_flight,
            "guests": self._turns.guests,
            "capacity": self._turns.capacity,
            "draining": self._turns.draining,
            "generation": self._turns.generation,
            "pid": os.getpid(),
            "node": self._node,
            "node_id": self._node_id,
        }

    async def drain(self, generation: float) -> list[Plain] | None:
        """Returns None while turns run or are kept, then the tombstones, which others must take before it leaves."""
        return self._turns.drain(generation)

    async def resume(self, generation: float) -> None:
        self._turns.resume(generation)

    async def bury(self, tombstones: list[Plain]) -> None:
        self._turns.bury(tombstones)

    async def leave(self) -> None:
        """Ends the actor for good, unless a turn has come since it was found empty."""
        if self._turns.draining and not self._turns.held:
            _log.info("%s leaves", self._name)
            leave: Any = ray.actor.exit_actor
            leave()

    def _signed(self, views: list[Plain]) -> list[Plain]:
        return [{**view, "incarnation": self._incarnation} for view in views]

    async def _finish(self, work: Coroutine[Any, Any, list[Plain]]) -> list[Plain]:
        return await asyncio.shield(self._own(work))

    def _own(self, work: Coroutine[Any, Any, Any]) -> "asyncio.Task[Any]":
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _measure(self) -> None:
        waiting = {"pause": self._endpoints.waiting(paused=True), "room": self._endpoints.waiting(paused=False)}
        self._metrics.hold(self._turns.census(), waiting)
