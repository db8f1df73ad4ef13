"""The rule for a model server's URL: the table that the worker's tests read, too."""

import json
from pathlib import Path

import pytest

from deliberation_ray.addresses import AddressRefused, check_url
from deliberation_ray.model_url import base_urls, chat_url, check_model_url, origin

VECTORS = json.loads((Path(__file__).parent / "url_vectors.json").read_text())


@pytest.mark.parametrize("vector", VECTORS["accepted"], ids=lambda vector: vector["url"])
def test_accepted(vector: dict[str, str]) -> None:
    url = check_model_url(vector["url"])
    check_url(url, ())
    assert chat_url(base_urls(url)[0]) == vector["calls"]


@pytest.mark.parametrize("url", VECTORS["malformed"])
def test_malformed(url: str) -> None:
    with pytest.raises(ValueError, match="must"):
        check_model_url(url)


@pytest.mark.parametrize("url", VECTORS["refused"])
def test_refused(url: str) -> None:
    with pytest.raises(AddressRefused):
        check_url(check_model_url(url), ("*",))


@pytest.mark.parametrize(
    ("url", "other"),
    [
        ("http://vllm", "http://vllm"),
        ("http://vllm/v1", "http://vllm"),
        ("http://vllm/proxy/team-a", "http://vllm/proxy/team-a/v1"),
        ("http://vllm/proxy/team-a/v1/", "http://vllm/proxy/team-a"),
    ],
)
def test_the_other_form_is_with_or_without_v1(url: str, other: str) -> None:
    assert base_urls(url)[1] == other


def test_an_origin_is_scheme_host_and_port() -> None:
    assert origin("HTTP://VLLM.:8000/v1") == ("http", "vllm", 8000)
    assert origin("https://[::1]/") == ("https", "::1", 443)
