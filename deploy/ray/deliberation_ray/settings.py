"""The application's settings: read once from the environment, then handed to every actor by value."""

from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

CommaList = Annotated[tuple[str, ...], NoDecode]


class Settings(BaseSettings):
    """`DELIBERATION_<FIELD>` for each field. Workers never read it again: their environment may be another node's."""

    model_config = SettingsConfigDict(env_prefix="DELIBERATION_", env_ignore_empty=True, frozen=True, extra="ignore")

    ray_token: SecretStr = SecretStr("")
    ray_token_file: Path | None = None
    vllm_allow: CommaList = ()
    vllm_keys: Annotated[dict[str, SecretStr], NoDecode] = Field(default_factory=dict)
    runners: int = Field(default=2, ge=1, le=256)
    runner_capacity: int = Field(default=5000, ge=1)
    model_concurrency: int = Field(default=256, ge=1)
    model_waiting: int = Field(default=256, ge=0)
    runner_cpus: float = Field(default=0.1, ge=0)
    gateway_replicas: int = Field(default=1, ge=1)
    gateway_cpus: float = Field(default=0.1, ge=0)
    gateway_queue: int = Field(default=1000, ge=1)
    gateway_waits: int = Field(default=15_000, ge=1)
    max_body_bytes: int = Field(default=8 * 1024 * 1024, ge=1024)

    @field_validator("vllm_allow", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        if isinstance(value, str):
            return tuple(pattern.strip().lower() for pattern in value.split(",") if pattern.strip())
        return value

    @field_validator("vllm_keys", mode="before")
    @classmethod
    def _pairs(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        pairs = [entry.strip().partition("=") for entry in value.split(",") if entry.strip()]
        if any(not host or not key for host, _, key in pairs):
            raise ValueError("expected host[:port]=key,…")
        return {host.strip().lower(): key.strip() for host, _, key in pairs}

    @model_validator(mode="before")
    @classmethod
    def _read_token_file(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("ray_token_file") and not values.get("ray_token"):
            return {**values, "ray_token": Path(values["ray_token_file"]).read_text().strip()}
        return values

    def fingerprint(self) -> str:
        """All that a running runner or gateway was built from, so that a changed setting is a changed build."""
        revealed = {host: key.get_secret_value() for host, key in sorted(self.vllm_keys.items())}
        open_settings = self.model_dump_json(exclude={"ray_token", "ray_token_file", "vllm_keys"})
        return f"{open_settings}{revealed}"
