"""Hosts of all kinds: what stands in a URL, where this machine reaches them, whether it can listen there."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

import pytest

from ocean.outgoing.guard import OutgoingGuard
from provider_api.deploy.addresses import AddressUnusable, authority, free_port, plain_host, port_is_free, reached_at

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("host", "reached"),
    [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.1"),  # noqa: S104
     ("", "127.0.0.1"), ("::", "::1"), ("::1", "::1"),
     ("0:0:0:0:0:0:0:0", "::1"), ("0::0", "::1"), ("fd00::5", "fd00::5"), ("localhost", "localhost"),
     ("192.0.2.7", "192.0.2.7")],
)  # fmt: skip
def test_where_a_host_is_reached(host: str, reached: str) -> None:
    assert reached_at(host) == reached
    parts = urlsplit(f"http://{authority(reached, 8030)}/x")
    assert (parts.hostname, parts.port) == (reached, 8030)
    if reached != "localhost":
        OutgoingGuard([authority(reached, 8030)], [authority(reached, 8031)])  # such entries are understood


@pytest.mark.parametrize(("host", "plain"), [("[::1]", "::1"), ("::1", "::1"), ("127.0.0.1", "127.0.0.1"), ("", "")])
def test_brackets_are_for_urls(host: str, plain: str) -> None:
    assert plain_host(host) == plain


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "::1", "::", "localhost"])  # noqa: S104
def test_a_port_is_free_until_somebody_listens(host: str) -> None:
    try:
        port = free_port(host)
    except AddressUnusable:
        pytest.skip(f"this machine has no {host}")
    assert port_is_free(host, port)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, port), family=family):
        assert not port_is_free(host, port)


@pytest.mark.parametrize("host", ["192.0.2.7", "2001:db8::7", "no-such-host.invalid", "::zz", "a" * 80])
def test_an_address_that_is_not_here_is_told_apart_from_a_port_that_is_taken(host: str) -> None:
    with pytest.raises(AddressUnusable, match="C2D_SERVER__HOST"):
        port_is_free(host, 8030)
