import pickle
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from deliberation_ray import deploy
from deliberation_ray.app import app, application
from deliberation_ray.build import build_of
from deliberation_ray.settings import Settings, SettingsError


@pytest.fixture(autouse=True)
def token(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A file with a token, so that each test is about another setting."""
    (tmp_path / "token").write_text("from-file\n")
    monkeypatch.setenv("DELIBERATION_RAY_TOKEN_FILE", str(tmp_path / "token"))
    return tmp_path / "token"


def faults() -> list[str]:
    with pytest.raises(SettingsError) as fault:
        Settings.from_environment()
    return str(fault.value).splitlines()


def test_they_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DELIBERATION_VLLM_ALLOW", "VLLM, *.svc:8000,")
    monkeypatch.setenv("DELIBERATION_RUNNERS", "3")
    monkeypatch.setenv("DELIBERATION_RUNNER_CAPACITY", "")
    monkeypatch.setenv("DELIBERATION_RUNNER_OPTIONS", '{"memory": 2000000000, "label_selector": {"pool": "cpu"}}')
    settings = Settings.from_environment()
    assert settings.vllm_allow == ("vllm", "*.svc:8000")
    assert (settings.runners, settings.runner_capacity) == (3, 5000)
    assert settings.runner_options.memory == 2_000_000_000
    assert settings.runner_options.label_selector == {"pool": "cpu"}
    assert settings.runner_options.num_cpus == 0.1


@pytest.mark.parametrize(
    ("name", "value", "where"),
    [
        ("RUNNERS", "0", "RUNNERS"),
        ("RUNNERS", "two", "RUNNERS"),
        ("GATEWAY_WAITS", "19001", "GATEWAY_WAITS"),
        ("RUNNER_OPTIONS", "{", "RUNNER_OPTIONS: not JSON"),
        ("RUNNER_OPTIONS", "3", "RUNNER_OPTIONS"),
        ("RUNNER_OPTIONS", '{"num_gpus": 1}', "RUNNER_OPTIONS.num_gpus"),
        ("RUNNER_OPTIONS", '{"resources": {"cpu_pool": 0}}', "RUNNER_OPTIONS.resources.cpu_pool"),
    ],
)
def test_a_wrong_one_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str, where: str) -> None:
    monkeypatch.setenv(f"DELIBERATION_{name}", value)
    (line,) = faults()
    assert line.startswith(f"DELIBERATION_{where}")


def test_without_a_token_it_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DELIBERATION_RAY_TOKEN_FILE")
    for empty in ("", "  "):  # which a chart makes of a value that is missing
        monkeypatch.setenv("DELIBERATION_RAY_TOKEN", empty)
        (line,) = faults()
        assert line.startswith("DELIBERATION_RAY_TOKEN: not set")
        with pytest.raises(SettingsError):
            app({})
    monkeypatch.setenv("DELIBERATION_RAY_OPEN", "true")
    assert Settings.from_environment().token_source is None


@pytest.mark.parametrize("empty", ["", " ", ",", " , "])
def test_an_allow_list_without_a_pattern_does_not_mean_every_host(monkeypatch: pytest.MonkeyPatch, empty: str) -> None:
    monkeypatch.setenv("DELIBERATION_VLLM_ALLOW", empty)
    (line,) = faults()
    assert line.startswith("DELIBERATION_VLLM_ALLOW: set, but it names no host")
    monkeypatch.setenv("DELIBERATION_RAY_OPEN", "true")
    assert Settings.from_environment().vllm_allow == ()


def test_the_builder_takes_them_as_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DELIBERATION_RUNNERS", "3")
    arguments: dict[str, Any] = {"runners": "5", "vllm_allow": ["vllm"], "runner_options": {"num_cpus": 1}}
    settings = Settings.from_environment(**arguments)
    assert (settings.runners, settings.vllm_allow, settings.runner_options.num_cpus) == (5, ("vllm",), 1)
    assert app(arguments) is not None


@pytest.mark.parametrize(
    ("argument", "what"),
    [("ray_token", "a secret is no argument"), ("vllm_keys", "a secret is no argument"), ("runer", "unknown setting")],
)
def test_the_builder_refuses_secrets_and_unknown_arguments(argument: str, what: str) -> None:
    with pytest.raises(SettingsError, match=f"^{argument}: {what}"):
        app({argument: "sk-secret"})


def test_no_secret_goes_through_ray(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What is pickled here is what Ray stores: the arguments of the gateway and of each runner."""
    (tmp_path / "keys").write_text("vllm=sk-in-a-file")
    monkeypatch.setenv("DELIBERATION_RAY_TOKEN", "token-in-a-variable")
    monkeypatch.setenv("DELIBERATION_VLLM_KEYS", "vllm=sk-in-a-variable")
    monkeypatch.setenv("DELIBERATION_VLLM_KEYS_FILE", str(tmp_path / "keys"))
    settings = Settings.from_environment()
    assert settings.token_source is not None
    assert settings.token_source.text() == "token-in-a-variable"
    stored = pickle.dumps(settings) + pickle.dumps(application(settings)._bound_deployment.init_args)
    stored += settings.fingerprint().encode() + repr(settings).encode()
    for secret in (b"token-in-a-variable", b"sk-in-a-variable", b"sk-in-a-file", b"from-file"):
        assert secret not in stored


def test_secrets_that_cannot_be_read_here_are_named(monkeypatch: pytest.MonkeyPatch, token: Path) -> None:
    monkeypatch.setenv("DELIBERATION_VLLM_KEYS", "vllm=sk-secret")
    settings = Settings.from_environment()
    settings.check_secrets()
    token.write_text("  \n")
    monkeypatch.delenv("DELIBERATION_VLLM_KEYS")  # as on a node that was started without it
    with pytest.raises(SettingsError) as fault:
        settings.check_secrets()
    first, second = str(fault.value).splitlines()
    assert first == "DELIBERATION_RAY_TOKEN_FILE: the file is empty"
    assert second.startswith("DELIBERATION_VLLM_KEYS: not set on this Ray node")


def test_deploy_ends_with_the_faults(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.argv", ["deploy"])
    monkeypatch.setenv("DELIBERATION_RUNNERS", "0")
    assert deploy.main() == 2
    assert capsys.readouterr().err == "DELIBERATION_RUNNERS: Input should be greater than or equal to 1\n"


def test_a_changed_setting_is_a_changed_build() -> None:
    builds = [
        build_of(Settings()),
        build_of(Settings(runners=3)),
        build_of(Settings(vllm_allow="vllm")),
        build_of(Settings(vllm_keys_file="/keys")),
        build_of(Settings(runner_options={"num_cpus": 1})),
        build_of(Settings(ray_open=True)),
    ]
    assert len(set(builds)) == len(builds)
    assert build_of(Settings()) == builds[0]


def test_settings_without_a_token_cannot_be_made_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DELIBERATION_RAY_TOKEN_FILE")
    with pytest.raises(ValidationError):
        Settings()


@pytest.mark.parametrize(
    ("url", "what"),
    [
        ("http://nats:4222", "must be nats://host:port"),
        ("nats:4222", "must be nats://host:port"),
        ("nats://s3cret@nats:4222", "has a user in it, which Ray would store; use DELIBERATION_STREAM_NATS_CREDS_FILE"),
    ],
)
def test_a_server_of_nats_is_checked_and_never_quoted(monkeypatch: pytest.MonkeyPatch, url: str, what: str) -> None:
    monkeypatch.setenv("DELIBERATION_RAY_OPEN", "true")
    monkeypatch.setenv("DELIBERATION_STREAM_NATS_URL", f"nats://a:4222,{url}")
    with pytest.raises(SettingsError, match=f"^DELIBERATION_STREAM_NATS_URL: {what}") as fault:
        Settings.from_environment()
    assert "s3cret" not in str(fault.value)


def test_credentials_of_nats_that_cannot_be_used_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "creds").write_text("s3cret")
    monkeypatch.setenv("DELIBERATION_RAY_OPEN", "true")
    monkeypatch.setenv("DELIBERATION_STREAM_NATS_URL", "nats://a:4222")
    monkeypatch.setenv("DELIBERATION_STREAM_NATS_CREDS_FILE", str(tmp_path / "creds"))
    with pytest.raises(SettingsError, match=r"^DELIBERATION_STREAM_NATS_CREDS_FILE: no NATS credentials") as fault:
        Settings.from_environment().check_secrets()
    assert "s3cret" not in str(fault.value)
