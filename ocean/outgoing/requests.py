"""How a file object, its user data and redirects become requests. Pure functions over values."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol
from urllib.parse import unquote, urlencode

import httpx

from ocean.files.requests import optional_object
from ocean.kit.compact_json import compact_json
from ocean.outgoing.errors import OutgoingFailed, OutgoingRefused

# What a file's own headers cannot set: they frame the message, belong to resumption, or name another host than the URL.
_OURS = {"connection", "content-length", "transfer-encoding", "te", "upgrade", "trailer", "accept-encoding"} | {
    "range",
    "if-range",
    "expect",
    "host",
    "keep-alive",
    "proxy-connection",
}
_STANDARD = {"user-agent": "compute-to-data", "accept": "*/*", "accept-encoding": "identity"}


class HttpFile(Protocol):
    """A file as it is asked for over HTTP."""

    @property
    def url(self) -> str: ...
    @property
    def method(self) -> str: ...
    @property
    def headers(self) -> Mapping[str, str]:
        """Sent to the origin of the URL only."""


@dataclass(frozen=True, slots=True, repr=False)
class Hop:
    """One request of a chain of redirects. `range` belongs to every hop, the caller's headers to the first origin."""

    method: str
    url: httpx.URL
    own_headers: Mapping[str, str]
    content: bytes | None
    range: Mapping[str, str]

    @property
    def headers(self) -> dict[str, str]:
        return _STANDARD | dict(self.own_headers) | dict(self.range)

    def with_range(self, offset: int, validator: str) -> Hop:
        """Ask for the rest from a byte position on, if the file is still the one that the validator names."""
        return replace(self, range={"range": f"bytes={offset}-", "if-range": validator})


def first_hop(method: str, url: str, headers: Mapping[str, str], content: bytes | None, *, userdata: Any = None) -> Hop:
    """Raises OutgoingRefused (scheme, url)."""
    target = _target(url)
    own = {name.lower(): value for name, value in headers.items() if name.lower() not in _OURS}
    if target.userinfo:
        own.setdefault("authorization", _basic(target))
        target = target.copy_with(username=None, password=None)
    values = optional_object(userdata) or {}
    if values and method == "POST":
        content = compact_json(values).encode()
        own["content-type"] = "application/json"
    elif values:
        target = _with_query(target, values)
    return Hop(method, target, own, content, {})


def next_hop(hop: Hop, response: httpx.Response) -> Hop:
    """Where a redirect leads. Another origin gets none of the caller's headers. Raises OutgoingRefused."""
    location = response.headers.get("location", "")
    try:
        joined = str(hop.url.join(location))
    except (httpx.InvalidURL, ValueError):
        raise OutgoingFailed("redirects", retriable=False) from None
    target = _target(joined)
    if target.userinfo:
        raise OutgoingRefused("userinfo")
    own = dict(hop.own_headers) if is_same_origin(hop.url, target) else {}
    method, content = hop.method, hop.content
    if response.status_code == 303 or (response.status_code in (301, 302) and method == "POST"):
        method, content = "GET", None
        own.pop("content-type", None)
    elif content is not None and "content-type" in hop.own_headers:
        own["content-type"] = hop.own_headers["content-type"]
    return Hop(method, target, own, content, hop.range)


def is_same_origin(first: httpx.URL, second: httpx.URL) -> bool:
    return (first.scheme, first.host, first.port) == (second.scheme, second.host, second.port)


def _target(url: str) -> httpx.URL:
    try:
        target = httpx.URL(url)
    except (httpx.InvalidURL, ValueError, TypeError):
        raise OutgoingRefused("url") from None
    if target.scheme not in ("http", "https"):
        raise OutgoingRefused("scheme")
    if not target.host or not (target.port is None or 0 < target.port < 65536):
        raise OutgoingRefused("host")
    return target.copy_with(fragment=None)


def _basic(url: httpx.URL) -> str:
    user, _, password = url.userinfo.partition(b":")
    pair = f"{unquote(user.decode())}:{unquote(password.decode())}"
    return "Basic " + base64.b64encode(pair.encode()).decode()


def _with_query(url: httpx.URL, values: Mapping[str, Any]) -> httpx.URL:
    """The URL with parameters appended; what stands there already may be signed and is not touched."""
    added = urlencode(list(_pairs(values))).encode()
    return url.copy_with(query=b"&".join(part for part in (url.query, added) if part))


def _pairs(values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """As Ocean Provider sends them: null left out, lists repeated, booleans as Python spells them."""
    for name, value in values.items():
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, dict | list):
                yield name, compact_json(item)
            elif item is not None:
                yield name, str(item)
