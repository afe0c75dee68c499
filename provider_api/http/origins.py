"""From which page does a browser's request come? Origins (scheme, host, port) of pages, and the service's own.

A service behind proxies does not see the address that people use: `public_urls` say it. Where none is said, the service
is one machine's, and its pages are those of a loopback address.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.datastructures import Headers

_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Origin:
    scheme: str  # http or https
    host: str  # lower case, without brackets
    port: int

    @property
    def domain(self) -> str:
        """Host, and the port if it is not the scheme's own: what a sign-in calls domain."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    def __str__(self) -> str:
        return f"{self.scheme}://{self.domain}"


def origin_of(url: str) -> Origin | None:
    """Of an address, or of a header `Origin`; None for what is none of http."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in _PORTS or not parts.hostname:
        return None
    return Origin(parts.scheme, parts.hostname, _PORTS[parts.scheme] if port is None else port)


def public_url(origin: Origin, public_urls: Sequence[str]) -> str | None:
    """The service's address for people whose browser is at this origin; None: it has none there."""
    known = [(url, origin_of(url)) for url in public_urls]
    for url, found in known:
        if found == origin:
            return url
    local = not known or any(found is not None and found.is_loopback for _, found in known)
    return str(origin) if local and origin.is_loopback else None


def is_same_origin(headers: Headers, public_urls: Sequence[str]) -> bool:
    """Whether a request that changes something comes from a page of this service. Browsers say so themselves
    (`Sec-Fetch-Site`) where they are trusted to, else by `Origin`; who says neither is no browser, and is refused."""
    said, given = headers.get("sec-fetch-site"), headers.get("origin")
    if said is not None:
        return said == "same-origin"
    origin = None if given is None else origin_of(given)
    if origin is None:
        return False
    return public_url(origin, public_urls) is not None or origin.domain == headers.get("host", "").lower()
