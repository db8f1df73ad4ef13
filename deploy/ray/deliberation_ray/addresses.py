"""Which hosts a model call may reach: by the name in its URL, and by the address that the name resolves to."""

import ipaddress
import socket
from fnmatch import fnmatchcase

from deliberation_ray.model_url import origin

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# Cloud metadata services that are not link-local. A caller that reaches one can read the machine's credentials.
_METADATA = frozenset(
    map(
        ipaddress.ip_address,
        (
            "100.100.100.200",  # Alibaba Cloud
            "168.63.129.16",  # Azure
            "192.0.0.192",  # Oracle Cloud
            "fd00:ec2::254",  # AWS
            "fd00:ec2::23",  # AWS, for pods
            "fd20:ce::254",  # Google Cloud
            "fd00:42::42",  # Scaleway
            "fd00:a9fe:a9fe::1",  # Akamai (Linode)
        ),
    )
)
# IPv6 networks that embed an IPv4 address in their last 32 bits.
_IPV4_WITHIN = tuple(map(ipaddress.ip_network, ("64:ff9b::/96", "::/96", "::ffff:0:0:0/96")))
# A site's own NAT64. Only the site knows which bits are the IPv4 address, so the whole network is refused.
_LOCAL_NAT64 = ipaddress.ip_network("64:ff9b:1::/48")


class AddressRefused(Exception):  # noqa: N818 — becomes the failure UrlNotAllowed
    """A host that must not be called."""


def _unwrapped(address: Address) -> Address:
    """Returns the IPv4 address that an IPv6 address embeds: a refused address is refused in its IPv6 form too."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address.ipv4_mapped:
        return address.ipv4_mapped
    if address.sixtofour:
        return address.sixtofour
    if address.teredo:
        return address.teredo[1]
    if int(address) > 1 and any(address in network for network in _IPV4_WITHIN):  # :: and ::1 embed no IPv4 address
        return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return address


def check_address(text: str, *, refuse_own: bool = False) -> None:
    """Refuses link-local and metadata addresses; no setting permits them. `refuse_own` also refuses this node's."""
    address = _unwrapped(ipaddress.ip_address(text))
    if address.is_link_local or address in _METADATA or address in _LOCAL_NAT64:
        raise AddressRefused(f"address {address} is link-local or cloud metadata")
    if refuse_own and _is_own(address):
        raise AddressRefused(f"address {address} is the node's own, and DELIBERATION_VLLM_REFUSE_OWN refuses it")


def _is_own(address: Address) -> bool:
    """Reports whether the address is this node's: a socket can be bound to no other."""
    if address.is_loopback or address.is_unspecified:
        return True
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((str(address), 0))
    except OSError:
        return False
    return True


def is_address(host: str) -> bool:
    """Reports whether the host is an IP address, which needs no name server."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def matches(pattern: str, host: str, port: int) -> bool:
    """Reports whether the host matches `host` or `host:port`, with shell wildcards and an IPv6 host in brackets."""
    written = f"[{host}]" if ":" in host else host
    # fnmatch reads [ as the start of a character class. In a host pattern it only starts an IPv6 address.
    literal = pattern.replace("[", "[[]")
    return fnmatchcase(written, literal) or fnmatchcase(f"{written}:{port}", literal)


def has_key(pattern: str, scheme: str, host: str, port: int) -> bool:
    """Reports whether the key for `[scheme://]host[:port]` may be sent there. Without a scheme, https is meant."""
    wanted_scheme, _, rest = pattern.rpartition("://")
    wanted_scheme = wanted_scheme or "https"
    if ":" not in rest.rpartition("]")[2]:
        rest += ":443" if wanted_scheme == "https" else ":80"
    return scheme == wanted_scheme and matches(rest, host, port)


def check_url(url: str, allow: tuple[str, ...], *, refuse_own: bool = False) -> None:
    """Checks the URL's host against the allow-list, and its address if the host is one. It resolves no name."""
    _, host, port = origin(url)
    if allow and not any(matches(pattern, host, port) for pattern in allow):
        raise AddressRefused(f"{host}:{port} is not in DELIBERATION_VLLM_ALLOW")
    if is_address(host):
        check_address(host, refuse_own=refuse_own)
