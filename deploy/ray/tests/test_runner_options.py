"""Which nodes a runner may be placed on."""

from typing import Any

import pytest
from ray._private.label_utils import validate_label_selector

from deliberation_ray.runner_options import RunnerOptions

TYPE = "ray.io/accelerator-type"


def node(name: str, resources: dict[str, float] | None = None, accelerator: str = "") -> dict[str, Any]:
    labels = {TYPE: accelerator} if accelerator else {}
    return {"NodeID": name, "Resources": {"CPU": 8.0, **(resources or {})}, "Labels": labels}


def selector(*nodes: dict[str, Any]) -> dict[str, str]:
    chosen: dict[str, str] = RunnerOptions().for_ray(list(nodes))["label_selector"]
    assert validate_label_selector(chosen) is None
    return chosen


def test_types_of_accelerators_are_excluded_before_a_node_has_one() -> None:
    chosen = selector(node("head"))
    assert set(chosen) == {TYPE}
    assert chosen[TYPE].startswith("!in(")
    for name in ("H100", "A100", "TPU-V6E", "AMD-Instinct-MI300X-OAM"):
        assert name in chosen[TYPE]


def test_a_type_that_ray_does_not_know_is_excluded_once_a_node_has_it() -> None:
    chosen = selector(node("head"), node("a1", {"GPU": 1.0}, "Z900"))
    assert "Z900" in chosen[TYPE]
    assert chosen["ray.io/node-id"] == "!in(a1)"


@pytest.mark.parametrize("resources", [{"GPU": 1.0}, {"TPU": 4.0}, {"accelerator_type:H100": 1.0}])
def test_a_node_with_accelerators_and_no_label_is_excluded(resources: dict[str, float]) -> None:
    assert selector(node("head"), node("a2", resources), node("a1", resources))["ray.io/node-id"] == "!in(a1, a2)"


def test_a_cluster_of_accelerators_only_runs_everything_on_them() -> None:
    assert selector(node("a1", {"GPU": 1.0}), node("a2", {"GPU": 1.0})) == {}


def test_a_selector_that_is_given_holds() -> None:
    options = RunnerOptions(label_selector={"pool": "cpu"}, memory=1_000_000_000, resources={"runner": 1})
    assert options.for_ray([node("a1", {"GPU": 1.0})]) == {
        "num_cpus": 0.1,
        "memory": 1_000_000_000,
        "resources": {"runner": 1},
        "label_selector": {"pool": "cpu"},
    }
    assert RunnerOptions(label_selector={}).for_ray([node("head")])["label_selector"] == {}
