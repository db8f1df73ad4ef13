"""Which hosts a model call may reach, by the name in its URL and by the address behind the name."""

import ipaddress
from fnmatch import fnmatchcase
from urllib.parse import urlsplit

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# Cloud metadata that is not link-local. Whoever reaches these can take the machine's credentials.
_METADATA = frozenset(map(ipaddress.ip_address, ("169.254.169.254", "100.100.100.200", "fd00:ec2::254")))
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class AddressRefused(Exception):  # noqa: N818 — raised inside the transport, told to the caller as UrlNotAllowed
    """A host that must not be called."""


def _unwrapped(address: Address) -> Address:
    """The IPv4 address that an IPv6 form of it leads to: a refused address must not pass in disguise."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address.ipv4_mapped:
        return address.ipv4_mapped
    if address.sixtofour:
        return address.sixtofour
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return address


def check_address(text: str) -> None:
    """Refuses link-local and metadata addresses; no setting permits them."""
    address = _unwrapped(ipaddress.ip_address(text))
    if address.is_link_local or address in _METADATA:
        raise AddressRefused(f"address {address} is link-local or cloud metadata")


def is_address(host: str) -> bool:
    """Whether it needs no resolving."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def host_and_port(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    host = (parts.hostname or "").rstrip(".")
    return host, parts.port or (443 if parts.scheme == "https" else 80)


def matches(pattern: str, host: str, port: int) -> bool:
    """`host` or `host:port`, with shell wildcards; an IPv6 host stands in brackets."""
    written = f"[{host}]" if ":" in host else host
    # fnmatch reads [ as a character class; in a host pattern it only ever opens an IPv6 address.
    literal = pattern.replace("[", "[[]")
    return fnmatchcase(written, literal) or fnmatchcase(f"{written}:{port}", literal)


def check_url(url: str, allow: tuple[str, ...]) -> None:
    """What can be said before resolving: the allow-list, and addresses written as literals."""
    host, port = host_and_port(url)
    if allow and not any(matches(pattern, host, port) for pattern in allow):
        raise AddressRefused(f"{host}:{port} is not in DELIBERATION_VLLM_ALLOW")
    if is_address(host):
        check_address(host)
