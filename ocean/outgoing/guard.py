"""The guard: which (host, port) may be connected to, and at which addresses.

A name is resolved once, by the one who then connects; all of its addresses must be public. An operator may allow
single private services by exact `host:port`, as they stand in URLs, and a port of a whole private network by
`network/bits:port`. Ports of our own are forbidden whatever else is
allowed: `127.0.0.1:8030` forbids that port on every loopback address, `0.0.0.0:8030` on every address that is not
public.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable, Sequence

import httpcore
import httpx

from ocean.outgoing.client import OutgoingClient
from ocean.outgoing.errors import OutgoingFailed, OutgoingRefused
from ocean.outgoing.public import IPAddress, is_public, unwrapped
from ocean.outgoing.sockets import SocketBackend
from ocean.outgoing.transport import GuardedTransport

# (host, port) -> addresses as text, in the order to try. Raises OSError.
Resolver = Callable[[str, int], Awaitable[Sequence[str]]]

_NAME = re.compile(r"(?=.{1,253}\.?$)[a-z0-9_](?:[a-z0-9_-]{0,62})(?:\.[a-z0-9_][a-z0-9_-]{0,62})*\.?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_LOCALHOST = ("localhost", "localhost.")


async def system_resolver(host: str, port: int) -> Sequence[str]:
    """The addresses that this machine's resolver knows for a name."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class OutgoingGuard:
    """Decides on addresses and makes clients that obey.

    `resolve` and `dial` are what the guard is built on: the name service, and what opens TCP connections to checked
    addresses. `ssl_context` replaces the usual certificate authorities. Raises ValueError for a list entry that has
    not this form.
    """

    def __init__(
        self,
        allow_private: Iterable[str] = (),
        forbid: Iterable[str] = (),
        *,
        resolve: Resolver = system_resolver,
        dial: httpcore.AsyncNetworkBackend | None = None,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        allowed = tuple(allow_private)
        self._allowed = frozenset(_host_and_port(text) for text in allowed if "/" not in text)
        self._networks = tuple(_network_and_port(text) for text in allowed if "/" in text)
        self._forbidden = frozenset(_host_and_port(text) for text in forbid)
        self._resolve = resolve
        self.dial = dial or SocketBackend()
        self.ssl_context = ssl_context or httpx.create_ssl_context(trust_env=False)

    async def addresses(self, host: str, port: int, timeout_seconds: float | None = 10.0) -> tuple[str, ...]:
        """Where a connection to the host may go, in the order to try; resolved once, each address checked.

        Raises OutgoingRefused (host, address, forbidden) and OutgoingFailed (name, timeout).
        """
        host = host.lower()
        literal = _literal(host)
        if literal is None and not _is_name(host):
            raise OutgoingRefused("host")
        found = (literal,) if literal else await self._resolved(host, port, timeout_seconds)
        if any(self._is_forbidden(host, address, port) for address in found):
            raise OutgoingRefused("forbidden")
        if (host, port) not in self._allowed and not all(self._is_open(address, port) for address in found):
            raise OutgoingRefused("address")
        return tuple(str(address) for address in found)

    def client(
        self,
        *,
        connect_seconds: float = 10.0,
        read_seconds: float = 30.0,
        open_seconds: float = 60.0,
        max_connections: int = 16,
    ) -> OutgoingClient:
        """A client, to be used in `async with`. `connect_seconds` covers name and connection, `read_seconds` each wait
        for data, `open_seconds` everything up to the last hop's header."""
        timeouts = {
            "connect": connect_seconds,
            "read": read_seconds,
            "write": read_seconds,
            "pool": open_seconds,
        }
        return OutgoingClient(GuardedTransport(self, max_connections), timeouts, open_seconds)

    async def _resolved(self, host: str, port: int, timeout_seconds: float | None) -> tuple[IPAddress, ...]:
        try:
            async with asyncio.timeout(timeout_seconds):
                texts = await self._resolve(host, port)
            found = tuple(ipaddress.ip_address(text) for text in texts)
        except TimeoutError:
            raise OutgoingFailed("timeout", retriable=True) from None
        except socket.gaierror as error:
            raise OutgoingFailed("name", retriable=error.errno == socket.EAI_AGAIN) from None
        except (OSError, UnicodeError, ValueError):
            raise OutgoingFailed("name", retriable=False) from None
        if not found:
            raise OutgoingFailed("name", retriable=False)
        return found

    def _is_open(self, address: IPAddress, port: int) -> bool:
        inner = unwrapped(address)
        return is_public(address) or any(port == allowed and inner in network for network, allowed in self._networks)

    def _is_forbidden(self, host: str, address: IPAddress, port: int) -> bool:
        return any(port == forbidden_port and _covers(name, host, address) for name, forbidden_port in self._forbidden)


def _covers(forbidden: str, host: str, address: IPAddress) -> bool:
    """Whether an entry of the forbid list means this host, or the address that it has."""
    inner, entry = unwrapped(address), _literal(forbidden)
    here = inner.is_loopback or inner.is_unspecified
    if entry is None:
        return host.rstrip(".") == forbidden.rstrip(".") or (here and forbidden in _LOCALHOST)
    if entry.is_unspecified:
        return not is_public(inner)
    return inner == unwrapped(entry) or (here and entry.is_loopback)


def _literal(host: str) -> IPAddress | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _is_name(host: str) -> bool:
    """A host name, and not one of the ways to write an IPv4 address as numbers that C libraries understand."""
    return bool(_NAME.fullmatch(host)) and not _NUMBER.fullmatch(host.rstrip(".").rpartition(".")[2])


def _network_and_port(text: str) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, int]:
    """Raises ValueError, also for a network whose address has bits behind its length."""
    network, _, port = text.strip().rpartition(":")
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise ValueError(f"not network/bits:port: {text!r}")
    return ipaddress.ip_network(network.replace("[", "").replace("]", "")), int(port)


def _host_and_port(text: str) -> tuple[str, int]:
    host, _, port = text.strip().lower().rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ValueError(f"an IPv6 address is written in brackets, [address]:port, not {text!r}")
    valid_port = port.isascii() and port.isdigit() and 0 < int(port) < 65536
    if not valid_port or (_literal(host) is None and not _is_name(host)):
        raise ValueError(f"not host:port: {text!r}")
    return host, int(port)
