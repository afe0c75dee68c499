"""Exceptions from the rule that only public addresses are contacted, as an operator writes them.

    HOST:PORT[/PREFIX][@OWNER]           one server, by the very name or address that stands in URLs
    NETWORK/BITS:PORT[/PREFIX][@OWNER]   one port of a private network, whatever the names

PREFIX: only paths below it, by whole parts. OWNER: only for files that this account publishes, the owner of the asset's
data NFT, or `*`: for the files of every published asset. Without an owner an entry is for all calls.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Self
from urllib.parse import unquote

import httpx

from ocean.outgoing.public import IPAddress, unwrapped

ANY_PUBLISHER = "*"
_OWNER = re.compile(r"0x[0-9a-f]{40}|\*")
_PARTS = re.compile(
    r"(?P<target>\[[^]]*\](?:/[0-9]{1,3})?|[^:/@]+(?:/[0-9]{1,3})?|[^@]+/[0-9]{1,3}):(?P<port>[0-9]{1,5})(?P<prefix>/[^@]*)?"
)
_NAME = re.compile(r"(?=.{1,253}\.?$)[a-z0-9_](?:[a-z0-9_-]{0,62})(?:\.[a-z0-9_][a-z0-9_-]{0,62})*\.?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_HIDDEN = re.compile(r"%2[ef]|%5c|%25|\\", re.IGNORECASE)  # dots and slashes that a server may see and we do not
DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Allowed:
    """One entry. Either `host` (lower case) or `network`; `prefix` has no slash at its end, "" for all paths."""

    host: str | None
    network: ipaddress.IPv4Network | ipaddress.IPv6Network | None
    port: int
    prefix: str = ""
    owner: str | None = None  # lower case

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ValueError, also for a network whose address has bits behind its length."""
        place, mark, owner = text.strip().rpartition("@") if "@" in text else (text.strip(), "", "")
        match = _PARTS.fullmatch(place)
        owner = owner.strip().lower()
        if match is None or not 0 < int(match["port"]) < 65536 or (mark and not _OWNER.fullmatch(owner)):
            raise ValueError(f"not host:port or network/bits:port, with /prefix and @owner behind it: {text!r}")
        target, prefix = match["target"].lower(), (match["prefix"] or "").rstrip("/")
        if _HIDDEN.search(prefix) or any(part in (".", "..") for part in prefix.split("/")):
            raise ValueError(f"a prefix is written plainly, without dots as parts: {text!r}")
        port, bound = int(match["port"]), owner or None
        if "/" in target:
            return cls(None, ipaddress.ip_network(target.replace("[", "").replace("]", "")), port, prefix, bound)
        return cls(host_of(target, text), None, port, prefix, bound)

    @classmethod
    def of_url(cls, url: str) -> Self:
        """For every call to what lies below a URL that the operator has chosen. Raises ValueError."""
        try:
            parsed = httpx.URL(url)
        except httpx.InvalidURL:
            raise ValueError("not an http(s) URL") from None
        port = parsed.port or DEFAULT_PORTS.get(parsed.scheme, 0)
        if not parsed.host or not port:
            raise ValueError("not an http(s) URL")
        return cls(parsed.host.lower(), None, port, parsed.path.rstrip("/"))

    def is_for(self, publisher: str | None, url: httpx.URL) -> bool:
        """`publisher`: the account whose file it is, in any spelling; None: a stranger's own URL."""
        host = url.raw_host.decode("ascii", "replace").lower()
        if self.port != (url.port or DEFAULT_PORTS.get(url.scheme)) or self.host not in (None, host):
            return False
        if self.owner == ANY_PUBLISHER and publisher is None:
            return False
        if self.owner not in (None, ANY_PUBLISHER, (publisher or "").lower()):
            return False
        return not self.prefix or _lies_below(url.raw_path.partition(b"?")[0].decode("ascii", "replace"), self.prefix)

    def covers(self, host: str, address: IPAddress, port: int) -> bool:
        if self.port != port:
            return False
        return self.host == host if self.network is None else unwrapped(address) in self.network

    def text(self) -> str:
        """As `parse` takes it."""
        target = self.host if self.network is None else str(self.network)
        shown = f"[{target}]" if target is not None and ":" in target else target
        return f"{shown}:{self.port}{self.prefix}" + (f"@{self.owner}" if self.owner else "")


def host_of(text: str, whole: str) -> str:
    """The host of `host:port`, as it stands in URLs. Raises ValueError."""
    if text.startswith("[") and text.endswith("]"):
        text = text[1:-1]
    elif ":" in text:
        raise ValueError(f"an IPv6 address is written in brackets, [address]:port, not {whole!r}")
    if literal(text) is None and not is_name(text):
        raise ValueError(f"not host:port: {whole!r}")
    return text


def literal(host: str) -> IPAddress | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def is_name(host: str) -> bool:
    """A host name, and not one of the ways to write an IPv4 address as numbers that C libraries understand."""
    return bool(_NAME.fullmatch(host)) and not _NUMBER.fullmatch(host.rstrip(".").rpartition(".")[2])


def _lies_below(path: str, prefix: str) -> bool:
    if _HIDDEN.search(path):
        return False
    plain = unquote(path)
    if any(part in (".", "..") for part in plain.split("/")):
        return False
    return plain == prefix or plain.startswith(prefix + "/")
