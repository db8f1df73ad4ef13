"""What Ray is told about a runner."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field


class RunnerOptions(BaseModel):
    """What Ray is told about a runner. Without a label selector, runners stay away from nodes with accelerators."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    num_cpus: float = Field(default=0.1, ge=0)
    memory: int | None = Field(default=None, ge=1)
    resources: dict[str, Annotated[float, Field(gt=0)]] = Field(default_factory=dict)
    label_selector: dict[str, str] | None = None

    def for_ray(self, nodes: list[dict[str, Any]]) -> dict[str, Any]:
        """As the options of an actor, for a cluster of these nodes."""
        return self.model_dump(exclude_none=True)
