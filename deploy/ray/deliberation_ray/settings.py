"""The application's settings: read once from the environment, then handed to every actor by value."""

from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

CommaList = Annotated[tuple[str, ...], NoDecode]


class SettingsError(Exception):
    """What is wrong with the environment, a line each."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))


def _spoken(where: tuple[int | str, ...], what: str) -> str:
    what = what.removeprefix("Value error, ")
    if not where and ": " in what:  # one that is about several fields names its own
        name, _, what = what.partition(": ")
        where = (name,)
    return f"DELIBERATION_{str(where[0]).upper() if where else '…'}: {what}"


def _token_in(file: Path) -> str:
    try:
        token = file.read_text().strip()
    except OSError as error:
        raise ValueError(f"ray_token_file: {error.strerror or error}") from error
    except UnicodeDecodeError:
        raise ValueError("ray_token_file: the file isn't UTF-8 text") from None
    if not token:  # rather than asking for none
        raise ValueError("ray_token_file: the file is empty")
    return token


class Settings(BaseSettings):
    """`DELIBERATION_<FIELD>` for each field. Workers never read it again: their environment may be another node's."""

    # An input may be a key: no error quotes it.
    model_config = SettingsConfigDict(
        env_prefix="DELIBERATION_", env_ignore_empty=True, frozen=True, extra="ignore", hide_input_in_errors=True
    )

    ray_token: SecretStr = SecretStr("")
    ray_token_file: Path | None = None
    vllm_allow: CommaList = ()
    vllm_keys: Annotated[dict[str, SecretStr], NoDecode] = Field(default_factory=dict)
    runners: int = Field(default=2, ge=1, le=256)
    runner_capacity: int = Field(default=5000, ge=1)
    model_concurrency: int = Field(default=256, ge=1)
    model_waiting: int = Field(default=256, ge=0)
    model_silence_seconds: float = Field(default=60, gt=0, le=86_400)
    model_first_token_share: float = Field(default=0.5, gt=0, le=1)
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
            raise ValueError("expected [scheme://]host[:port]=key,…")
        return {host.strip().lower(): key.strip() for host, _, key in pairs}

    @model_validator(mode="before")
    @classmethod
    def _read_token_file(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("ray_token_file") and not values.get("ray_token"):
            return {**values, "ray_token": _token_in(Path(values["ray_token_file"]))}
        return values

    @classmethod
    def from_environment(cls) -> Self:
        """The settings, or a `SettingsError` that names each wrong variable."""
        try:
            return cls()
        except ValidationError as error:
            raise SettingsError([_spoken(fault["loc"], fault["msg"]) for fault in error.errors()]) from None

    def fingerprint(self) -> str:
        """All that a running runner or gateway was built from, so that a changed setting is a changed build."""
        revealed = {host: key.get_secret_value() for host, key in sorted(self.vllm_keys.items())}
        open_settings = self.model_dump_json(exclude={"ray_token", "ray_token_file", "vllm_keys"})
        return f"{open_settings}{revealed}"
