"""The HTTP client of the tests."""

import httpx2


def client(url: str, timeout: float, headers: dict[str, str] | None = None) -> httpx2.Client:
    """Uses each connection once: a server may close an idle one just when a request is sent."""
    once = httpx2.Limits(max_keepalive_connections=0)
    return httpx2.Client(base_url=url, headers=headers, timeout=timeout, trust_env=False, limits=once)
