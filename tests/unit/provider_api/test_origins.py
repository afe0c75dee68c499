"""Origins: which pages are the service's own, and which requests come from them."""

from __future__ import annotations

import pytest
from starlette.datastructures import Headers

from provider_api.http.origins import is_same_origin, origin_of, public_url

pytestmark = pytest.mark.unit

PUBLIC = ("https://c2d.example.org/ocean/provider",)


@pytest.mark.parametrize(
    ("origin", "public", "place"),
    [
        ("https://c2d.example.org", PUBLIC, PUBLIC[0]),
        ("https://C2D.example.org:443", PUBLIC, PUBLIC[0]),
        ("http://c2d.example.org", PUBLIC, None),
        ("https://c2d.example.org:8443", PUBLIC, None),
        ("https://c2d.example.org.evil.example", PUBLIC, None),
        ("http://localhost:8030", PUBLIC, None),
        ("http://localhost:8030", (), "http://localhost:8030"),
        ("http://127.0.0.1:8030", ("http://localhost:8030",), "http://127.0.0.1:8030"),
        ("http://[::1]:8030", (), "http://[::1]:8030"),
        ("http://192.168.1.4:8030", (), None),
        ("http://localhost.evil.example", (), None),
    ],
)
def test_addresses_of_the_service(origin: str, public: tuple[str, ...], place: str | None) -> None:
    found = origin_of(origin)
    assert found is not None
    assert public_url(found, public) == place


@pytest.mark.parametrize("text", ["", "null", "file:///x", "http://", "http://a:port", "javascript:alert(1)"])
def test_what_is_no_origin(text: str) -> None:
    assert origin_of(text) is None


@pytest.mark.parametrize(
    ("headers", "same"),
    [
        ({"sec-fetch-site": "same-origin"}, True),
        ({"sec-fetch-site": "same-site", "origin": "https://c2d.example.org"}, False),
        ({"sec-fetch-site": "cross-site", "origin": "https://c2d.example.org"}, False),
        ({"sec-fetch-site": "none"}, False),
        ({"origin": "https://c2d.example.org"}, True),
        ({"origin": "https://evil.example"}, False),
        ({"origin": "null"}, False),
        ({}, False),
        ({"origin": "http://192.168.1.4:8030", "host": "192.168.1.4:8030"}, True),
        ({"origin": "http://192.168.1.4:8031", "host": "192.168.1.4:8030"}, False),
    ],
)
def test_requests_of_our_own_pages(headers: dict[str, str], same: bool) -> None:
    assert is_same_origin(Headers(headers), PUBLIC) is same
