"""The URL of a model server: the rule that it must follow, and the URLs that are called."""

import ipaddress
import re
from collections.abc import Callable
from urllib.parse import urlsplit

# The worker has the same rule (domain/url.go), and both read tests/url_vectors.json.
_RULE = re.compile(
    r"https?://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_][A-Za-z0-9._-]*)(:[0-9]{1,5})?(/(?:[A-Za-z0-9._~!$&'()*+,;=:@/-]|%[0-9A-Fa-f]{2})*)?",
    re.IGNORECASE,
)
# A host that a resolver may read as an address, since its last part is a number.
_NUMERIC = re.compile(r"(.*\.)?(0x[0-9a-f]*|[0-9]+)\.*", re.IGNORECASE)
_CHAT = "/chat/completions"


def check_model_url(url: str) -> str:
    """Returns the URL, or raises a ValueError that says what is wrong with it."""
    if any(not "!" <= character <= "~" for character in url):
        raise ValueError("must not contain spaces, control characters or characters beyond ASCII")
    if "?" in url or "#" in url:
        raise ValueError("must not carry a query or fragment")
    rule = _RULE.fullmatch(url)
    if rule is None:
        if "@" in url:
            raise ValueError("must not carry user information")
        raise ValueError("must be an absolute http or https URL")
    host, port, _ = rule.groups()
    if port and not 1 <= int(port[1:]) <= 65_535:
        raise ValueError("must have a port of 1..65535")
    if host.startswith("["):
        _check_address(ipaddress.IPv6Address, host[1:-1], "must be an absolute http or https URL")
    elif _NUMERIC.fullmatch(host):
        _check_address(ipaddress.IPv4Address, host.rstrip("."), "must write an IPv4 address as four decimal numbers")
    return url


def _check_address(kind: Callable[[str], object], text: str, rule: str) -> None:
    try:
        kind(text)
    except ValueError:
        raise ValueError(rule) from None


def base_urls(url: str) -> tuple[str, str]:
    """Returns the base URL, and another form of it that is tried after a 404.

    A base without a path gets /v1, as in the OpenAI protocol. A base with a path is used as it is.
    """
    path = urlsplit(url).path
    server = url.removesuffix(path) if path else url
    path = path.rstrip("/").removesuffix(_CHAT).rstrip("/") or "/v1"
    other = path.removesuffix("/v1") if path.endswith("/v1") else f"{path}/v1"
    return server + path, server + other


def chat_url(base: str) -> str:
    return base + _CHAT


def origin(url: str) -> tuple[str, str, int]:
    """Returns scheme, host and port."""
    parts = urlsplit(url)
    scheme = parts.scheme
    host = (parts.hostname or "").rstrip(".")
    return scheme, host, parts.port or (443 if scheme == "https" else 80)
