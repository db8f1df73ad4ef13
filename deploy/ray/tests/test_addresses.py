import socket

import pytest

from deliberation_ray.addresses import AddressRefused, check_address, check_url, matches


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "169.254.0.1",
        "100.100.100.200",
        "fe80::1",
        "fe80::1%lo",
        "fd00:ec2::254",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "2002:a9fe:a9fe::1",
    ],
)
def test_never_reached(address: str) -> None:
    with pytest.raises(AddressRefused):
        check_address(address)


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.7", "::1", "8.8.8.8", "fd00::1", "::ffff:10.0.0.7"])
def test_reached(address: str) -> None:
    check_address(address)


def own_address() -> str:
    """The address that this node has in its network, or loopback if it has none. Nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return "127.0.0.1"
        return str(probe.getsockname()[0])


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.8.8", "::1", "0.0.0.0", "::ffff:127.0.0.1", own_address()])
def test_a_setting_refuses_the_nodes_own_addresses(address: str) -> None:
    with pytest.raises(AddressRefused, match="DELIBERATION_VLLM_REFUSE_OWN"):
        check_address(address, refuse_own=True)


def test_the_setting_refuses_no_other_address() -> None:
    for address in ("8.8.8.8", "192.0.2.1", "2001:db8::1"):
        check_address(address, refuse_own=True)


@pytest.mark.parametrize(
    ("pattern", "host", "port", "expected"),
    [
        ("vllm", "vllm", 8000, True),
        ("vllm", "vllm.evil.example", 8000, False),
        ("*.svc.cluster.local", "vllm.svc.cluster.local", 80, True),
        ("vllm:8000", "vllm", 8000, True),
        ("vllm:8000", "vllm", 8001, False),
        ("10.0.*:8000", "10.0.3.4", 8000, True),
        ("[::1]:8000", "::1", 8000, True),
        ("[::1]", "::2", 8000, False),
    ],
)
def test_patterns(pattern: str, host: str, port: int, expected: bool) -> None:
    assert matches(pattern, host, port) is expected


def test_the_list_holds_for_names_and_never_permits_metadata() -> None:
    check_url("https://vllm/v1", ("vllm:443",))
    with pytest.raises(AddressRefused, match="other:80"):
        check_url("http://other/", ("vllm",))
    with pytest.raises(AddressRefused, match="metadata"):
        check_url("http://169.254.169.254/", ("*",))
    with pytest.raises(AddressRefused, match="metadata"):
        check_url("http://[fd00:ec2::254]/v1", ())
