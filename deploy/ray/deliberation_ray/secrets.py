"""Secrets. Only their names are passed through Ray; gateway and runners read them where they use them.

Ray keeps the arguments of actors and deployments in its own tables, which every job of the cluster may read.
"""

import hmac
import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from pydantic import SecretStr

TOKEN = "DELIBERATION_RAY_TOKEN"
KEYS = "DELIBERATION_VLLM_KEYS"
NATS_CREDS = "DELIBERATION_STREAM_NATS_CREDS"
VARIABLES = (TOKEN, KEYS, NATS_CREDS)

_LOOK_SECONDS = 1.0

Read = TypeVar("Read")

_log = logging.getLogger("deliberation_ray.secrets")


class SecretError(Exception):
    """A secret can't be read. The message names its variable, never its value."""


@dataclass(frozen=True)
class Source:
    """The file that holds a secret, or else the environment variable of this process."""

    variable: str
    file: Path | None = None

    @property
    def name(self) -> str:
        return f"{self.variable}_FILE" if self.file else self.variable

    def text(self) -> str:
        if self.file is None:
            return self._variable()
        try:
            return self.file.read_text()
        except OSError as error:
            raise SecretError(f"{self.name}: {error.strerror or error}") from error
        except UnicodeDecodeError:
            raise SecretError(f"{self.name}: the file isn't UTF-8 text") from None

    def _variable(self) -> str:
        text = os.environ.get(self.variable, "")
        if not text.strip():
            raise SecretError(
                f"{self.variable}: not set on this Ray node; set it where Ray is started, or name a file in "
                f"{self.variable}_FILE"
            )
        return text


class Current(Generic[Read]):
    """The current value of a secret. Its file is read again and again, so that it can be replaced at any time."""

    def __init__(self, source: Source, parse: Callable[[Source], Read]) -> None:
        self._source = source
        self._parse = parse
        self._looked = time.monotonic()
        self._value = parse(source)

    def value(self) -> Read:
        if self._source.file is not None and time.monotonic() - self._looked >= _LOOK_SECONDS:
            self._looked = time.monotonic()
            try:
                self._value = self._parse(self._source)
            except SecretError as fault:  # it is being replaced, or was damaged: the old value stays
                _log.warning("keeping the value that was read before: %s", fault)
        return self._value


class Tokens:
    """The bearer tokens that the gateway accepts. There are several while one replaces another."""

    def __init__(self, source: Source | None) -> None:
        self._current = None if source is None else Current(source, _tokens)

    def accept(self, authorization: str) -> bool:
        """Reports whether the header carries one of the tokens; without any, everything is accepted."""
        if self._current is None:
            return True
        scheme, _, given = authorization.partition(" ")
        # All are compared, so that the time doesn't reveal which one was nearly right.
        same = [hmac.compare_digest(given.strip().encode(), token) for token in self._current.value()]
        return scheme.lower() == "bearer" and any(same)


def _tokens(source: Source) -> list[bytes]:
    words = source.text().split()
    if not words:  # an empty file must not mean that no token is needed
        raise SecretError(f"{source.name}: the file is empty")
    if not all(word.isascii() and word.isprintable() for word in words):
        raise SecretError(f"{source.name}: has characters other than printable ASCII")
    return [word.encode() for word in words]


class ModelKeys(Mapping[str, SecretStr]):
    """API keys by the model server that they are for."""

    def __init__(self, source: Source | None) -> None:
        self._current = None if source is None else Current(source, _keys)

    def _all(self) -> dict[str, SecretStr]:
        return {} if self._current is None else self._current.value()

    def __getitem__(self, server: str) -> SecretStr:
        return self._all()[server]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())


def _keys(source: Source) -> dict[str, SecretStr]:
    """Entries are separated by commas or line ends. A key may have `=` in it."""
    entries = [entry.strip() for line in source.text().splitlines() for entry in line.split(",") if entry.strip()]
    pairs = [entry.partition("=") for entry in entries]
    if any(not server.strip() or not key.strip() for server, _, key in pairs):
        raise SecretError(f"{source.name}: expected [scheme://]host[:port]=key,…")
    return {server.strip().lower(): SecretStr(key.strip()) for server, _, key in pairs}
