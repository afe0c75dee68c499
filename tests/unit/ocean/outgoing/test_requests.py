import json
from typing import Any

import httpx
import pytest

from ocean.outgoing import OutgoingFailed, OutgoingRefused
from ocean.outgoing.requests import first_hop, next_hop

pytestmark = pytest.mark.unit


def get(url: str, userdata: Any = None, **headers: str) -> Any:
    return first_hop("GET", url, headers, None, userdata=userdata)


@pytest.mark.parametrize(
    ("url", "userdata", "expected"),
    [
        ("http://a.test/x", None, "http://a.test/x"),
        ("http://a.test/x#part", None, "http://a.test/x"),
        ("http://a.test/x", {"k": 1, "t": "a b&c", "n": None}, "http://a.test/x?k=1&t=a+b%26c"),
        ("http://a.test/x?s=%2f&e", {"k": True}, "http://a.test/x?s=%2f&e&k=True"),
        ("http://a.test/x", '{"k": [1, 2], "o": {"a": 1}}', "http://a.test/x?k=1&k=2&o=%7B%22a%22%3A1%7D"),
        ("http://a.test/x", "cut off {", "http://a.test/x"),
        ("http://a.test/x", [1], "http://a.test/x"),
        ("http://a.test/x", {}, "http://a.test/x"),
    ],
)
def test_user_data_goes_into_the_query(url: str, userdata: Any, expected: str) -> None:
    assert str(get(url, userdata).url) == expected


def test_user_data_is_the_body_of_a_post() -> None:
    hop = first_hop("POST", "http://a.test/x", {"X-A": "b"}, None, userdata={"k": [1, None]})
    assert json.loads(hop.content or b"") == {"k": [1, None]}
    assert hop.headers["content-type"] == "application/json"
    assert str(hop.url) == "http://a.test/x"
    assert first_hop("POST", "http://a.test/x", {}, None).content is None


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("ftp://a.test/x", "scheme"),
        ("file:///etc/passwd", "scheme"),
        ("gopher://a.test", "scheme"),
        ("//a.test/x", "scheme"),
        ("a.test", "scheme"),
        ("", "scheme"),
        ("http://", "host"),
        ("http:///x", "host"),
        ("http://a.test:0/", "host"),
        ("http://a.test:99999/", "host"),
        ("http://a.test:x/", "url"),
        ("http://[::1/", "url"),
        ("http://a.test/\n", "url"),
        ("http://１２７.0.0.1/", "url"),
    ],
)
def test_urls_that_are_refused(url: str, reason: str) -> None:
    with pytest.raises(OutgoingRefused) as caught:
        get(url)
    assert caught.value.reason == reason


def test_credentials_in_the_url_become_a_header() -> None:
    hop = get("http://user:p%40ss@a.test/x")
    assert hop.headers["authorization"] == "Basic dXNlcjpwQHNz"
    assert str(hop.url) == "http://a.test/x"
    assert get("http://u:p@a.test/", authorization="Own").headers["authorization"] == "Own"


def test_framing_headers_are_ours() -> None:
    sent = {"Range": "bytes=0-1", "Content-Length": "7", "Accept-Encoding": "br", "X-Key": "k", "Host": "b.test"}
    headers = first_hop("GET", "http://a.test/", sent, None).headers
    assert headers["x-key"] == "k"
    assert headers["accept-encoding"] == "identity"
    assert not {"range", "content-length", "host"} & set(headers), "the host is the one that was checked"


def redirected(hop: Any, status: int, location: str) -> Any:
    return next_hop(hop, httpx.Response(status, headers={"location": location}))


def test_headers_stay_with_their_origin() -> None:
    hop = get("https://a.test/x", authorization="k").with_range(5, '"v"')
    same = redirected(hop, 302, "/y?z#f")
    assert str(same.url) == "https://a.test/y?z"
    assert same.headers["authorization"] == "k"
    assert same.headers["range"] == "bytes=5-"
    for elsewhere in ("https://b.test/x", "http://a.test/x", "https://a.test:444/x", "//b.test/x"):
        other = redirected(hop, 307, elsewhere)
        assert "authorization" not in other.headers
        assert other.headers["if-range"] == '"v"'


@pytest.mark.parametrize(("status", "method"), [(301, "GET"), (302, "GET"), (303, "GET"), (307, "POST"), (308, "POST")])
def test_redirected_posts(status: int, method: str) -> None:
    hop = first_hop("POST", "http://a.test/", {}, None, userdata={"k": 1})
    after = redirected(hop, status, "http://b.test/")
    assert after.method == method
    assert (after.content is None) == (method == "GET")
    assert ("content-type" in after.headers) == (method == "POST")


@pytest.mark.parametrize("location", ["file:///etc/passwd", "http://u:p@b.test/", "ftp://b.test/", "javascript:1"])
def test_refused_redirects(location: str) -> None:
    with pytest.raises(OutgoingRefused):
        redirected(get("http://a.test/"), 302, location)


@pytest.mark.parametrize("location", ["http://[::1", "http://b.test:x/"])
def test_unreadable_redirects(location: str) -> None:
    with pytest.raises((OutgoingFailed, OutgoingRefused)) as caught:
        redirected(get("http://a.test/"), 302, location)
    assert "b.test" not in str(caught.value)
