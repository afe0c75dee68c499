"""The guard's decisions; names are resolved by a table."""

import ipaddress
import socket
import ssl
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocean.outgoing import OutgoingFailed, OutgoingGuard, OutgoingRefused
from ocean.outgoing.public import is_public

pytestmark = pytest.mark.unit

NAMES: dict[str, list[str]] = {
    "public.test": ["93.184.216.34", "2606:4700::1111"],
    "public.test.": ["93.184.216.34"],
    "private.test": ["10.0.0.1"],
    "mixed.test": ["93.184.216.34", "10.0.0.1"],
    "mixed6.test": ["2606:4700::1111", "::ffff:10.0.0.1"],
    "metadata.test": ["169.254.169.254"],
    "localhost": ["127.0.0.1", "::1"],
    "localhost.": ["127.0.0.1"],
    "files.test": ["127.0.0.1"],
    "empty.test": [],
    "odd.test": ["not an address"],
}
TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


class Table:
    def __init__(self) -> None:
        self.asked: list[tuple[str, int]] = []

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append((host, port))
        if host == "later.test":
            raise socket.gaierror(socket.EAI_AGAIN, "again")
        if host not in NAMES:
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        return NAMES[host]


def guard(allow: Sequence[str] = (), forbid: Sequence[str] = ()) -> OutgoingGuard:
    return OutgoingGuard(allow, forbid, resolve=Table(), ssl_context=TLS)


async def verdict(tested: OutgoingGuard, host: str, port: int = 80) -> Any:
    try:
        return await tested.addresses(host, port)
    except OutgoingRefused as error:
        return error.reason
    except OutgoingFailed as error:
        return error.reason, error.retriable


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("public.test", ("93.184.216.34", "2606:4700::1111")),
        ("PUBLIC.test", ("93.184.216.34", "2606:4700::1111")),
        ("public.test.", ("93.184.216.34",)),
        ("8.8.8.8", ("8.8.8.8",)),
        ("2606:4700::1111", ("2606:4700::1111",)),
        ("private.test", "address"),
        ("mixed.test", "address"),
        ("mixed6.test", "address"),
        ("metadata.test", "address"),
        ("localhost", "address"),
        ("localhost.", "address"),
        ("127.0.0.1", "address"),
        ("169.254.169.254", "address"),
        ("::1", "address"),
        ("::ffff:127.0.0.1", "address"),
        ("0.0.0.0", "address"),  # noqa: S104
        ("fe80::1%eth0", "address"),
        ("0x7f000001", "host"),
        ("2130706433", "host"),
        ("017700000001", "host"),
        ("127.1", "host"),
        ("127.0.0.1.", "host"),
        ("0177.0.0.1", "host"),
        ("127.0.0.0x1", "host"),
        ("0x", "host"),
        ("8.8.8.8.", "host"),
        ("", "host"),
        (".", "host"),
        ("a..b", "host"),
        ("a b", "host"),
        ("a/b", "host"),
        ("[::1]", "host"),
        ("-a.test", "host"),
        ("１２７.0.0.1", "host"),
        ("unknown.test", ("name", False)),
        ("later.test", ("name", True)),
        ("empty.test", ("name", False)),
        ("odd.test", ("name", False)),
    ],
)
async def test_without_lists(host: str, expected: Any) -> None:
    assert await verdict(guard(), host) == expected


@pytest.mark.parametrize(
    ("allowed", "host", "port", "expected"),
    [
        ("127.0.0.1:8000", "127.0.0.1", 8000, ("127.0.0.1",)),
        ("127.0.0.1:8000", "127.0.0.1", 8001, "address"),
        ("127.0.0.1:8000", "localhost", 8000, "address"),
        ("127.0.0.1:8000", "files.test", 8000, "address"),
        ("127.0.0.1:8000", "::ffff:127.0.0.1", 8000, "address"),
        ("127.0.0.1:8000", "0x7f000001", 8000, "host"),
        ("127.0.0.1:8000", "2130706433", 8000, "host"),
        ("127.0.0.1:8000", "127.0.0.1.", 8000, "host"),
        ("[::1]:8000", "::1", 8000, ("::1",)),
        ("[::1]:8000", "0:0:0:0:0:0:0:1", 8000, "address"),
        ("localhost:8000", "localhost", 8000, ("127.0.0.1", "::1")),
        ("localhost:8000", "LOCALHOST", 8000, ("127.0.0.1", "::1")),
        ("localhost:8000", "localhost.", 8000, "address"),
        ("localhost:8000", "127.0.0.1", 8000, "address"),
        ("Files.Test:80", "files.test", 80, ("127.0.0.1",)),
        ("mixed.test:80", "mixed.test", 80, ("93.184.216.34", "10.0.0.1")),
    ],
)
async def test_allowed_exactly_as_written(allowed: str, host: str, port: int, expected: Any) -> None:
    assert await verdict(guard([allowed]), host, port) == expected


@pytest.mark.parametrize(
    ("forbidden", "host", "expected"),
    [
        ("127.0.0.1:8030", "127.0.0.1", "forbidden"),
        ("127.0.0.1:8030", "localhost", "forbidden"),
        ("127.0.0.1:8030", "files.test", "forbidden"),
        ("127.0.0.1:8030", "::1", "forbidden"),
        ("127.0.0.1:8030", "::ffff:127.0.0.1", "forbidden"),
        ("127.0.0.1:8030", "127.0.0.2", "forbidden"),
        ("127.0.0.1:8030", "0.0.0.0", "forbidden"),  # noqa: S104
        ("localhost:8030", "127.0.0.1", "forbidden"),
        ("localhost:8030", "localhost.", "forbidden"),
        ("127.0.0.1:8030", "10.0.0.1", ("10.0.0.1",)),
        ("0.0.0.0:8030", "10.0.0.1", "forbidden"),
        ("0.0.0.0:8030", "127.0.0.1", "forbidden"),
        ("0.0.0.0:8030", "8.8.8.8", ("8.8.8.8",)),
        ("10.0.0.1:8030", "private.test", "forbidden"),
        ("8.8.8.8:8030", "8.8.8.8", "forbidden"),
        ("public.test:8030", "public.test.", "forbidden"),
        ("127.0.0.1:8031", "127.0.0.1", ("127.0.0.1",)),
    ],
)
async def test_our_own_ports_are_forbidden_although_allowed(forbidden: str, host: str, expected: Any) -> None:
    text = f"[{host}]:8030" if ":" in host else f"{host}:8030"
    assert await verdict(guard([text], [forbidden]), host, 8030) == expected


async def test_names_are_resolved_once_and_numbers_never() -> None:
    table = Table()
    tested = OutgoingGuard(resolve=table, ssl_context=TLS)
    await tested.addresses("public.test", 443)
    await tested.addresses("8.8.8.8", 443)
    assert table.asked == [("public.test", 443)]


@pytest.mark.parametrize(
    "text", ["", "host", "host:", ":80", "host:0", "host:65536", "host:x", "::1:80", "0x7f000001:80", "127.1:80"]
)
def test_list_entries_that_mean_nothing(text: str) -> None:
    with pytest.raises(ValueError, match=r"host:port|brackets"):
        guard([text])


@given(st.lists(st.ip_addresses(), min_size=1, max_size=4))
async def test_no_answer_with_a_private_address_passes(
    addresses: list[ipaddress.IPv4Address | ipaddress.IPv6Address],
) -> None:
    async def resolve(host: str, port: int) -> Sequence[str]:
        return [str(address) for address in addresses]

    tested = OutgoingGuard(["other.test:80"], resolve=resolve, ssl_context=TLS)
    expected: Any = "address"
    if all(is_public(address) for address in addresses):
        expected = tuple(str(address) for address in addresses)
    assert await verdict(tested, "any.test") == expected


async def test_a_port_of_a_private_network_may_be_allowed() -> None:
    tested = guard(["10.0.0.0/8:443", "[fd00::]/8:443"], ["10.0.0.7:443"])
    assert await verdict(tested, "private.test", 443) == ("10.0.0.1",)
    assert await verdict(tested, "mixed.test", 443) == ("93.184.216.34", "10.0.0.1")
    assert await verdict(tested, "fd00::5", 443) == ("fd00::5",)
    assert await verdict(tested, "::ffff:10.0.0.1", 443) == ("::ffff:a00:1",)
    assert await verdict(tested, "private.test", 80) == "address"
    assert await verdict(tested, "10.0.0.7", 443) == "forbidden"
    assert await verdict(tested, "metadata.test", 443) == "address"


@pytest.mark.parametrize("entry", ["10.0.0.0/8", "10.0.0.1/8:443", "10.0.0.0/33:443", "10.0.0.0/8:0", "x/8:443"])
def test_a_network_is_written_exactly(entry: str) -> None:
    with pytest.raises(ValueError, match=r"network/bits:port|host bits set|does not appear|is not a valid"):
        guard([entry])
