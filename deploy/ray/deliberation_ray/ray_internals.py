"""Access to what Ray's public interface doesn't offer. Only this module uses Ray's private ones."""

from typing import Any

import ray
from ray.actor import ActorHandle
from ray.experimental import internal_kv
from ray.serve.context import _get_global_client

_KV_NAMESPACE = b"deliberation"
_RUNNERS = b"runners/"
_SECONDS = 5


def actor_id(handle: "ActorHandle[Any]") -> Any:
    return handle._actor_id


def actor_is_alive(handle: "ActorHandle[Any]") -> bool:
    """Reports whether the actor's process runs, as far as Ray knows: it isn't being placed or started again."""
    info = ray._private.state.actors(handle._actor_id.hex())
    return bool(info) and info.get("State") == "ALIVE"


def _gcs() -> Any:
    worker: Any = ray._private.worker.global_worker
    return worker.gcs_client


def nodes() -> list[dict[str, Any]]:
    """Returns the nodes that are alive, with their labels and resources."""
    every: Any = ray.nodes
    return [node for node in every() if node["Alive"]]


def cluster_id() -> str:
    """Returns the id that a Ray cluster gets when its control service starts without stored state."""
    return str(_gcs().cluster_id.hex())


def draining_nodes() -> set[str]:
    """Returns the ids of the nodes that are to leave the cluster."""
    return set(_gcs().get_draining_nodes(timeout=_SECONDS))


def serve_address() -> tuple[str, int] | None:
    """Returns Serve's HTTP host and port; None if Serve doesn't run."""
    client = _get_global_client(raise_if_no_controller_running=False)
    return None if client is None else (client.http_config.host, client.http_config.port)


# Ray lists the named actors of all namespaces, or those of the caller's job. A gateway runs in Serve's job, and a
# cluster may have thousands of actors. So the names of runners are kept in Ray's key-value store.


def note_runner(name: str) -> None:
    internal_kv._internal_kv_put(_RUNNERS + name.encode(), b"", overwrite=True, namespace=_KV_NAMESPACE)


def drop_runner(name: str) -> None:
    internal_kv._internal_kv_del(_RUNNERS + name.encode(), namespace=_KV_NAMESPACE)


def noted_runners() -> list[str]:
    keys = internal_kv._internal_kv_list(_RUNNERS, namespace=_KV_NAMESPACE)
    return sorted(key.decode().removeprefix(_RUNNERS.decode()) for key in keys)
