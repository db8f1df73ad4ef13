"""Where secrets are read, and that they can be replaced without stopping anything."""

import os
from pathlib import Path

import pytest

from deliberation_ray import secrets
from deliberation_ray.secrets import ModelKeys, SecretError, Source, Tokens


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "secret"


def token_in(file: Path) -> Source:
    return Source(secrets.TOKEN, file)


def test_every_token_of_several_is_accepted(file: Path) -> None:
    file.write_text("new-token\nold-token\n")
    tokens = Tokens(token_in(file))
    for header in ("Bearer new-token", "bearer old-token", "Bearer  old-token "):
        assert tokens.accept(header)
    for header in (
        "",
        "Bearer",
        "Bearer ",
        "Bearer new-token old-token",
        "Basic new-token",
        "Bearer sécret",
        "new-token",
    ):
        assert not tokens.accept(header)


def test_several_tokens_in_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DELIBERATION_RAY_TOKEN", "new old")
    tokens = Tokens(Source(secrets.TOKEN))
    assert tokens.accept("Bearer new")
    assert tokens.accept("Bearer old")


def test_without_a_source_everything_is_accepted() -> None:
    assert Tokens(None).accept("")


def test_a_token_is_replaced_while_the_gateway_runs(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text("old")
    tokens = Tokens(token_in(file))
    monkeypatch.setattr(secrets, "_LOOK_SECONDS", 0)
    file.write_text("new old")
    assert tokens.accept("Bearer old")
    assert tokens.accept("Bearer new")
    file.write_text("new")
    assert not tokens.accept("Bearer old")


def test_a_file_that_is_gone_for_a_moment_closes_nothing(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text("old")
    tokens = Tokens(token_in(file))
    monkeypatch.setattr(secrets, "_LOOK_SECONDS", 0)
    os.remove(file)
    assert tokens.accept("Bearer old")
    assert not tokens.accept("Bearer other")
    file.write_text("")
    assert tokens.accept("Bearer old")


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (None, "No such file or directory"),
        (b"  \n", "the file is empty"),
        (b"\x80", "the file isn't UTF-8 text"),
        ("sécret".encode(), "has characters other than printable ASCII"),
    ],
)
def test_a_file_without_a_token_is_refused(file: Path, content: bytes | None, what: str) -> None:
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(SecretError, match=f"^DELIBERATION_RAY_TOKEN_FILE: {what}$"):
        Tokens(token_in(file))


def test_keys_of_model_servers(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text("VLLM:8000=a=b, https://other=c\n\nthird=d\n")
    keys = ModelKeys(Source(secrets.KEYS, file))
    assert {server: key.get_secret_value() for server, key in keys.items()} == {
        "vllm:8000": "a=b",
        "https://other": "c",
        "third": "d",
    }
    monkeypatch.setattr(secrets, "_LOOK_SECONDS", 0)
    file.write_text("third=e")
    assert [key.get_secret_value() for key in keys.values()] == ["e"]
    assert not ModelKeys(None)


def test_keys_that_do_not_read_are_not_quoted(file: Path) -> None:
    file.write_text("sk-secret")
    with pytest.raises(SecretError) as fault:
        ModelKeys(Source(secrets.KEYS, file))
    assert "sk-secret" not in str(fault.value)
