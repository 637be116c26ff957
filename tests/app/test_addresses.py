"""Which address a request counts under: what trusted proxies wrote and nobody else, and a household's IPv6 as one."""

from types import SimpleNamespace
from typing import Any

import pytest
from litestar.connection import ASGIConnection

from app.telemetry import client_address, client_network, trusted_networks

PROXIES = "10.0.0.0/8, 2001:db8:ffff::/48"


def came(peer: str | None, *forwarded: str, trusted: str = PROXIES) -> ASGIConnection[Any, Any, Any, Any]:
    """A request from `peer` with these X-Forwarded-For lines."""
    state = SimpleNamespace(trusted_proxies=trusted_networks(trusted))
    headers = [(b"x-forwarded-for", line.encode()) for line in forwarded]
    scope: Any = {
        "type": "http",
        "app": SimpleNamespace(state=state),
        "litestar_app": SimpleNamespace(state=state),
        "client": (peer, 5000) if peer else None,
        "headers": headers,
    }
    return ASGIConnection(scope)


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("203.0.113.9", [], "203.0.113.9"),
        ("203.0.113.9", ["198.51.100.1"], "203.0.113.9"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["1.1.1.1, 198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["1.1.1.1, 198.51.100.1, 10.0.0.7"], "198.51.100.1"),
        # A proxy that adds a line of its own: the first line is the attacker's.
        ("10.0.0.1", ["1.1.1.1", "198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["1.1.1.1", "2.2.2.2, 198.51.100.1", "10.0.0.7"], "198.51.100.1"),
        ("10.0.0.1", ["10.0.0.2, 10.0.0.3"], "10.0.0.2"),
        # What is no address ends the way: nothing left of it can be told from what an attacker wrote.
        ("10.0.0.1", ["1.1.1.1, unknown, 10.0.0.7"], "10.0.0.7"),
        ("10.0.0.1", ["1.1.1.1, , 10.0.0.7"], "10.0.0.7"),
        ("10.0.0.1", ["198.51.100.1:4711"], "10.0.0.1"),
        ("10.0.0.1", [""], "10.0.0.1"),
        ("10.0.0.1", ["x" * 5000], "10.0.0.1"),
        ("2001:db8:ffff::1", ["2001:db8:1:2:3::4"], "2001:db8:1:2:3::4"),
        (None, ["198.51.100.1"], "unknown"),
    ],
)
def test_an_address_is_what_a_trusted_proxy_saw(peer: str | None, forwarded: list[str], address: str) -> None:
    assert client_address(came(peer, *forwarded)) == address


def test_without_trusted_proxies_the_header_says_nothing() -> None:
    assert client_address(came("10.0.0.1", "198.51.100.1", trusted="")) == "10.0.0.1"


@pytest.mark.parametrize(
    ("peer", "counted"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::zz", "::zz"),
    ],
)
def test_a_household_counts_as_one(peer: str, counted: str) -> None:
    assert client_network(came(peer)) == counted
