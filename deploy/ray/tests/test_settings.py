from pathlib import Path

import pytest
from pydantic import ValidationError

from deliberation_ray.build import build_of
from deliberation_ray.settings import Settings


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
