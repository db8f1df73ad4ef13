"""The options of a runner for Ray, and how runners stay off nodes with accelerators."""

import logging
from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from ray.util.accelerators import accelerators

_TYPE = "ray.io/accelerator-type"
_NODE = "ray.io/node-id"
# A node with one of these resources has accelerators. So has one with a resource `accelerator_type:…`.
_RESOURCES = ("GPU", "TPU", "NPU", "HPU", "neuron_cores")

_log = logging.getLogger("deliberation_ray.runner_options")

Node = dict[str, Any]


class RunnerOptions(BaseModel):
    """Without a label selector, runners stay off nodes with accelerators."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    num_cpus: float = Field(default=0.1, ge=0)
    memory: int | None = Field(default=None, ge=1)
    resources: dict[str, Annotated[float, Field(gt=0)]] = Field(default_factory=dict)
    label_selector: dict[str, str] | None = None

    def for_ray(self, nodes: list[Node]) -> dict[str, Any]:
        """Returns the options of an actor, in a cluster that has these nodes now."""
        options = self.model_dump(exclude_none=True)
        if self.label_selector is None:
            options["label_selector"] = off_accelerators(nodes)
        return options


def off_accelerators(nodes: list[Node]) -> dict[str, str]:
    """Selects nodes without accelerators.

    Ray's labels name the type of an accelerator, and a selector can exclude types, but not "any". So it excludes the
    types that Ray knows, those of the nodes that are there, and these nodes themselves. A cluster that has no other
    nodes runs everything on them.
    """
    with_accelerators = [node for node in nodes if _has_accelerators(node)]
    if len(with_accelerators) == len(nodes):
        _log.warning("every node has accelerators: runners are placed there")
        return {}
    types = {value for name, value in vars(accelerators).items() if name[0].isupper() and isinstance(value, str)}
    types |= {node["Labels"][_TYPE] for node in with_accelerators if _TYPE in node["Labels"]}
    selector = {_TYPE: _none_of(types)}
    if with_accelerators:
        selector[_NODE] = _none_of(node["NodeID"] for node in with_accelerators)
    return selector


def _has_accelerators(node: Node) -> bool:
    resources = node["Resources"]
    named = any(name.startswith("accelerator_type:") for name in resources)
    return named or _TYPE in node["Labels"] or any(resources.get(name, 0) > 0 for name in _RESOURCES)


def _none_of(values: Iterable[str]) -> str:
    return f"!in({', '.join(sorted(values))})"
