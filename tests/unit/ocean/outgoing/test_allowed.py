"""Exceptions for private addresses: for whom, for which paths; and what turns out to be this machine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import httpcore
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocean.ddo import publisher_of
from ocean.outgoing import Allowed, OutgoingGuard, OutgoingRefused

pytestmark = pytest.mark.unit

OWNER, OTHER = "0x" + "aB" * 20, "0x" + "cd" * 20
BOUND = f"files.internal:9000/public@{OWNER}"


@pytest.mark.parametrize(
    ("entry", "publisher", "url", "holds"),
    [
        (BOUND, OWNER, "http://files.internal:9000/public/a.csv", True),
        (BOUND, OWNER.upper().replace("X", "x"), "http://FILES.internal:9000/public?x=1", True),
        (BOUND, OTHER, "http://files.internal:9000/public/a.csv", False),
        (BOUND, "", "http://files.internal:9000/public/a.csv", False),
        (BOUND, None, "http://files.internal:9000/public/a.csv", False),
        (BOUND, OWNER, "http://files.internal:9001/public/a.csv", False),
        (BOUND, OWNER, "http://other.internal:9000/public/a.csv", False),
        (BOUND, OWNER, "http://files.internal:9000/", False),
        (BOUND, OWNER, "http://files.internal:9000/publicity", False),
        (BOUND, OWNER, "http://files.internal:9000/public/../secret", False),
        (BOUND, OWNER, "http://files.internal:9000/public/%2e%2e/secret", False),
        (BOUND, OWNER, "http://files.internal:9000/public/%2E./secret", False),
        (BOUND, OWNER, "http://files.internal:9000/public/..%2fsecret", False),
        (BOUND, OWNER, "http://files.internal:9000/public/..%5csecret", False),
        (BOUND, OWNER, "http://files.internal:9000/public/%252e%252e/secret", False),
        (BOUND, OWNER, "http://files.internal:9000/public/a..b/c.csv", True),
        ("files.internal:443@*", OTHER, "https://files.internal/x", True),
        ("files.internal:443@*", "", "https://files.internal/x", True),
        ("files.internal:443@*", None, "https://files.internal/x", False),
        ("10.0.0.0/8:80@*", OTHER, "http://any.name/x", True),
        (f"10.0.0.0/8:80/p@{OWNER}", OWNER, "http://any.name/x", False),
        ("[fd00::1]:80@*", OTHER, "http://[fd00::1]/x", True),
        ("files.internal:80", None, "http://files.internal/x", True),
    ],
)
def test_for_whom_an_exception_holds(entry: str, publisher: str | None, url: str, holds: bool) -> None:
    assert Allowed.parse(entry).is_for(publisher, httpx.URL(url)) is holds


@given(st.text(alphabet="./%2eEfF5cCa\\", max_size=12))
def test_no_path_leaves_its_prefix(rest: str) -> None:
    """Whatever is held to lie below it still does when a server decodes, and resolves dots and either slash."""
    try:
        url = httpx.URL(f"http://files.internal:9000/public/{rest}")
    except httpx.InvalidURL:
        return
    if not Allowed.parse(BOUND).is_for(OWNER, url):
        return
    path = url.raw_path.decode()
    for _ in range(3):
        parts: list[str] = []
        for part in path.replace("\\", "/").split("/"):
            if part == "..":
                parts = parts[:-1]
            elif part not in ("", "."):
                parts.append(part)
        assert parts[:1] == ["public"]
        path = httpx.URL(f"http://x/{path}").path


@pytest.mark.parametrize(
    "text", ["a.b:80", "a.b:80/x", f"a.b:80@{OWNER.lower()}", "10.0.0.0/8:443@*", "[fd00::]:1/x@*"]
)
def test_an_entry_as_text(text: str) -> None:
    assert Allowed.parse(text).text() == text


@pytest.mark.parametrize(
    "text",
    ["", "a.b", "a.b:0", "a.b:99999", "a.b:80@", "a.b:80@0x12", "a.b:80@everybody", "10.0.0.1/8:80", "a.b:80/../x",
     "a.b:80/%2e%2e", "http://a.b:80", "fd00::1:80"],
)  # fmt: skip
def test_what_is_no_entry(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        Allowed.parse(text)


# --- whose word a document is ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("nft", "event", "publisher"),
    [
        ({"owner": OWNER}, {"from": OWNER.lower()}, OWNER.lower()),
        ({"owner": OWNER}, None, OWNER.lower()),
        ({"owner": OWNER}, {"from": OTHER}, ""),  # somebody has given his NFT away, with his files in it
        ({"owner": OWNER}, {"from": 5}, ""),
        ({"owner": None}, {}, ""),
        (None, {"from": OTHER}, ""),
        ("x", "y", ""),
    ],
)
def test_publisher(nft: Any, event: Any, publisher: str) -> None:
    assert publisher_of({"nft": nft, "event": event}) == publisher


# --- this machine ----------------------------------------------------------------------------------------------------


class _Stream(httpcore.AsyncNetworkStream):
    """A connection whose ends have these addresses."""

    def __init__(self, own: str, peer: str) -> None:
        self._own, self._peer = own, peer
        self.closed = False

    def get_extra_info(self, info: str) -> Any:
        return self if info == "socket" else None

    def getsockname(self) -> tuple[str, int]:
        return self._own, 40000

    def getpeername(self) -> tuple[str, int]:
        return self._peer, 80

    async def aclose(self) -> None:
        self.closed = True

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109
        raise httpcore.ReadError

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        raise httpcore.WriteError


class _Dial(httpcore.AsyncNetworkBackend):
    def __init__(self, own: str) -> None:
        self._own = own
        self.opened: list[_Stream] = []

    async def connect_tcp(self, host: str, port: int, *args: Any, **options: Any) -> httpcore.AsyncNetworkStream:
        self.opened.append(_Stream(self._own, host))
        return self.opened[-1]


@pytest.mark.parametrize(
    ("own", "allowed", "reason"),
    [
        ("93.184.216.34", (), "forbidden"),
        ("93.184.216.34", ("me.example:80/public",), "headers or connection"),
        ("10.0.0.7", (), "headers or connection"),
    ],
)
async def test_a_public_address_of_this_machine(own: str, allowed: Sequence[str], reason: str) -> None:
    async def resolve(host: str, port: int) -> Sequence[str]:
        return ["93.184.216.34"]

    dial = _Dial(own)
    guard = OutgoingGuard(allowed, resolve=resolve, dial=dial)
    async with guard.client() as client:
        with pytest.raises(Exception, match=r"outgoing request") as caught:
            async with client.open("GET", "http://me.example/public/x"):
                pass
    refused = isinstance(caught.value, OutgoingRefused) and caught.value.reason == "forbidden"
    assert refused is (reason == "forbidden")
    assert all(stream.closed for stream in dial.opened)


async def test_a_port_that_is_closed_everywhere() -> None:
    async def resolve(host: str, port: int) -> Sequence[str]:
        return ["93.184.216.34"]

    guard = OutgoingGuard(["inner.example:9464/published"], ["*:9464"], resolve=resolve)
    with pytest.raises(OutgoingRefused):
        await guard.addresses("public.example", 9464)
    granted = guard.granted(None, httpx.URL("http://inner.example:9464/published/x"))
    assert await guard.addresses("inner.example", 9464, granted=granted) == ("93.184.216.34",)
    with pytest.raises(OutgoingRefused):
        await guard.addresses("inner.example", 9464)
    assert await guard.addresses("public.example", 9465) == ("93.184.216.34",)
