"""Which Ray cluster an incarnation belongs to, so that no cluster reports another cluster's turns as lost.

Two clusters may share an address while a RayService is upgraded, or through a proxy. An incarnation therefore begins
with the cluster's id and place. If Ray's control service starts again without its stored state, the cluster has a new
id at the same place, and the old cluster is gone.
"""

import hashlib
import uuid

import ray

from deliberation_ray import ray_internals

_ID_CHARACTERS = 12
_PLACE_CHARACTERS = 8


def cluster_mark() -> str:
    """Returns the id and the place of this Ray cluster, `<id>.<place>`."""
    address = ray.get_runtime_context().gcs_address
    heads = [
        node["NodeManagerHostname"] for node in ray_internals.nodes() if "node:__internal_head__" in node["Resources"]
    ]
    place = hashlib.sha256(f"{address} {heads}".encode()).hexdigest()[:_PLACE_CHARACTERS]
    return f"{ray_internals.cluster_id()[:_ID_CHARACTERS]}.{place}"


def new_incarnation(mark: str) -> str:
    return f"{mark}.{uuid.uuid4().hex}"


def is_elsewhere(incarnation: str, mark: str) -> bool:
    """Reports whether a runner of that incarnation may live in another Ray cluster than the one with the mark."""
    parts, own = incarnation.split("."), mark.split(".")
    return len(parts) == 3 and parts[0] != own[0] and parts[1] != own[1]
