from pathlib import Path

import pytest
from pydantic import ValidationError

from deliberation_ray import deploy
from deliberation_ray.build import build_of
from deliberation_ray.settings import Settings, SettingsError


def test_they_come_from_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("from-file\n")
    monkeypatch.setenv("DELIBERATION_RAY_TOKEN_FILE", str(tmp_path / "token"))
    monkeypatch.setenv("DELIBERATION_VLLM_ALLOW", "VLLM, *.svc:8000,")
    monkeypatch.setenv("DELIBERATION_VLLM_KEYS", "vllm:8000=a=b, other=c")
    monkeypatch.setenv("DELIBERATION_RUNNERS", "3")
    monkeypatch.setenv("DELIBERATION_RUNNER_CAPACITY", "")
    settings = Settings()
    assert settings.ray_token.get_secret_value() == "from-file"
    assert settings.vllm_allow == ("vllm", "*.svc:8000")
    assert {host: key.get_secret_value() for host, key in settings.vllm_keys.items()} == {
        "vllm:8000": "a=b",
        "other": "c",
    }
    assert (settings.runners, settings.runner_capacity) == (3, 5000)
    assert "a=b" not in repr(settings)
    assert "from-file" not in repr(settings)


@pytest.mark.parametrize(("name", "value"), [("RUNNERS", "0"), ("RUNNERS", "two"), ("VLLM_KEYS", "vllm")])
def test_a_wrong_one_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"DELIBERATION_{name}", value)
    with pytest.raises(ValidationError):
        Settings()


def test_a_fault_names_the_variable_and_quotes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DELIBERATION_VLLM_KEYS", "sk-secret")
    monkeypatch.setenv("DELIBERATION_RUNNERS", "two")
    with pytest.raises(SettingsError) as fault:
        Settings.from_environment()
    lines = str(fault.value).splitlines()
    assert sorted(line.partition(":")[0] for line in lines) == ["DELIBERATION_RUNNERS", "DELIBERATION_VLLM_KEYS"]
    assert "sk-secret" not in str(fault.value)


@pytest.mark.parametrize(
    ("content", "what"),
    [(None, "No such file or directory"), (b"  \n", "the file is empty"), (b"\x80", "the file isn't UTF-8 text")],
)
def test_a_token_file_without_a_token_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes | None, what: str
) -> None:
    if content is not None:
        (tmp_path / "token").write_bytes(content)
    monkeypatch.setenv("DELIBERATION_RAY_TOKEN_FILE", str(tmp_path / "token"))
    with pytest.raises(SettingsError, match=f"^DELIBERATION_RAY_TOKEN_FILE: {what}$"):
        Settings.from_environment()


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
        build_of(Settings(vllm_keys="vllm=a")),
    ]
    assert len(set(builds)) == 4
    assert build_of(Settings()) == builds[0]
    assert build_of(Settings(ray_token="x")) == builds[0]
