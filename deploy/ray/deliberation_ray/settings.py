"""The application's settings: read once where it is deployed, then passed to every actor. They contain no secret."""

import json
import os
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from deliberation_ray import secrets
from deliberation_ray.nats_connection import check_servers, credentials
from deliberation_ray.runner_options import RunnerOptions
from deliberation_ray.secrets import ModelKeys, SecretError, Source, Tokens

# Serve's default is 5 requests at once: far too few for a gateway that mostly waits.
ONGOING_REQUESTS = 20_000
# Below that, so that stops and submits find room in addition to the waits.
_MOST_WAITS = ONGOING_REQUESTS - 1_000

CommaList = Annotated[tuple[str, ...], NoDecode]


class SettingsError(Exception):
    """What is wrong with the settings, a line each."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))


class Settings(BaseSettings):
    """Each field is the variable `DELIBERATION_<FIELD>`. Actors never read it: they may run on another node."""

    # An input may be a key, so no error quotes it.
    model_config = SettingsConfigDict(
        env_prefix="DELIBERATION_", frozen=True, extra="ignore", hide_input_in_errors=True
    )

    ray_token_file: Path | None = None
    ray_open: bool = False
    vllm_allow: CommaList = ()
    vllm_refuse_own: bool = False
    vllm_keys_file: Path | None = None
    runners: int = Field(default=2, ge=1, le=256)
    runner_capacity: int = Field(default=5000, ge=1)
    runner_options: Annotated[RunnerOptions, NoDecode] = RunnerOptions()
    runner_memory_bytes: int = Field(default=1024 * 1024 * 1024, ge=1024 * 1024)
    model_concurrency: int = Field(default=256, ge=1)
    model_waiting: int = Field(default=256, ge=0)
    model_silence_seconds: float = Field(default=60, gt=0, le=86_400)
    model_first_token_share: float = Field(default=0.5, gt=0, le=1)
    gateway_replicas: int = Field(default=1, ge=1)
    gateway_cpus: float = Field(default=0.1, ge=0)
    gateway_queue: int = Field(default=1000, ge=1)
    gateway_waits: int = Field(default=15_000, ge=1, le=_MOST_WAITS)
    max_body_bytes: int = Field(default=8 * 1024 * 1024, ge=1024)
    # The text of turns is streamed to these servers. Without servers, the answers to waits carry it.
    stream_nats_url: CommaList = ()
    stream_nats_creds_file: Path | None = None
    stream_nats_ca_file: Path | None = None
    nats_prefix: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$", max_length=200)] = "deliberation"
    # Which secrets are in variables. The variables are read on the nodes of gateway and runners.
    secret_variables: Annotated[tuple[str, ...], NoDecode, Field(default=())]

    @model_validator(mode="before")
    @classmethod
    def _drop_empty(cls, values: Any) -> Any:
        """An empty variable counts as unset. But `_closed_unless_open` refuses an empty allow-list."""
        return {name: value for name, value in values.items() if value != "" or name == "vllm_allow"}

    @field_validator("vllm_allow", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        if isinstance(value, str):
            value = value.split(",")
        return tuple(str(pattern).strip().lower() for pattern in value if str(pattern).strip())

    @field_validator("stream_nats_url", mode="before")
    @classmethod
    def _servers(cls, value: Any) -> Any:
        return check_servers(value.split(",") if isinstance(value, str) else value)

    @field_validator("runner_options", mode="before")
    @classmethod
    def _decode(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return json.loads(value)
        except ValueError as error:
            raise ValueError(f"not JSON: {error}") from None

    @model_validator(mode="after")
    def _closed_unless_open(self) -> Self:
        if self.ray_open:
            return self
        if "vllm_allow" in self.model_fields_set and not self.vllm_allow:
            raise ValueError("vllm_allow: set, but it names no host; unset it to let turns call every host")
        if self.token_source is None:
            raise ValueError(
                "ray_token: not set, and neither is DELIBERATION_RAY_TOKEN_FILE; DELIBERATION_RAY_OPEN=true lets "
                "everybody who reaches its port use the application"
            )
        return self

    @property
    def token_source(self) -> Source | None:
        return self._source(secrets.TOKEN, self.ray_token_file)

    @property
    def keys_source(self) -> Source | None:
        return self._source(secrets.KEYS, self.vllm_keys_file)

    @property
    def stream_nats_creds_source(self) -> Source | None:
        return self._source(secrets.NATS_CREDS, self.stream_nats_creds_file)

    def _source(self, variable: str, file: Path | None) -> Source | None:
        if variable in self.secret_variables:
            return Source(variable)
        return Source(variable, file) if file else None

    @classmethod
    def from_environment(cls, **arguments: Any) -> Self:
        """Returns the settings, or raises a SettingsError with each fault. Arguments replace the environment's."""
        in_variables = tuple(name for name in secrets.VARIABLES if os.environ.get(name, "").strip())
        _refuse_strange(arguments, cls)
        try:
            return cls(**arguments, secret_variables=in_variables)
        except ValidationError as error:
            raise SettingsError([_line(fault["loc"], fault["msg"]) for fault in error.errors()]) from None

    def check_secrets(self) -> None:
        """Raises a SettingsError that names each secret that can't be read here."""
        faults = []
        readers = (
            (Tokens, self.token_source),
            (ModelKeys, self.keys_source),
            (credentials, self.stream_nats_creds_source),
        )
        for read, source in readers:
            try:
                read(source)
            except SecretError as fault:
                faults.append(str(fault))
        if faults:
            raise SettingsError(faults)

    def fingerprint(self) -> str:
        """Returns all settings as text. It is part of the build, so that a changed setting gives another build."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True)


def _refuse_strange(arguments: dict[str, Any], settings: type[Settings]) -> None:
    faults = []
    for name in arguments:
        if f"DELIBERATION_{name.upper()}" in secrets.VARIABLES:
            faults.append(f"{name}: a secret is no argument, since Ray would store it; use {name}_file")
        elif name not in settings.model_fields or name == "secret_variables":
            faults.append(f"{name}: unknown setting")
    if faults:
        raise SettingsError(faults)


def _line(where: tuple[int | str, ...], what: str) -> str:
    what = what.removeprefix("Value error, ")
    if not where and ": " in what:  # a fault of several fields begins with the name of one
        name, _, what = what.partition(": ")
        where = (name,)
    path = "".join(f".{step}" for step in where[1:])
    return f"DELIBERATION_{str(where[0]).upper() if where else '…'}{path}: {what}"
