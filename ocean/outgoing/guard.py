"""The guard: which (host, port) may be connected to, and at which addresses.

A name is resolved once, by the one who then connects; all of its addresses must be public. An operator may allow
exceptions (`allowed.py`), most of them for certain publishers and paths only. Ports of our own are forbidden whatever
else is allowed: `127.0.0.1:8030` forbids that port on every loopback address, `0.0.0.0:8030` on every address that is
not public, `*:8030` on every address at all, unless an exception names the very host and port. An address that turns
out to be this machine's own, a public one included, is taken for a private one.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable, Sequence

import httpcore
import httpx

from ocean.outgoing.allowed import Allowed, host_of, is_name, literal
from ocean.outgoing.client import OutgoingClient
from ocean.outgoing.errors import OutgoingFailed, OutgoingRefused
from ocean.outgoing.public import IPAddress, is_public, unwrapped
from ocean.outgoing.sockets import SocketBackend
from ocean.outgoing.transport import GuardedTransport

# (host, port) -> addresses as text, in the order to try. Raises OSError.
Resolver = Callable[[str, int], Awaitable[Sequence[str]]]

_ANYWHERE = "*"
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
        self._allowed = tuple(Allowed.parse(text) for text in allow_private)
        self._forbidden = frozenset(_host_and_port(text) for text in forbid)
        self._resolve = resolve
        self.dial = dial or SocketBackend()
        self.ssl_context = ssl_context or httpx.create_ssl_context(trust_env=False)

    def granted(self, publisher: str | None, url: httpx.URL) -> frozenset[Allowed]:
        """The exceptions that hold for one request: for a file that `publisher` has published (None: for a URL that a
        stranger has sent), and this path."""
        return frozenset(entry for entry in self._allowed if entry.is_for(publisher, url))

    @staticmethod
    def require_readable(forbid: Iterable[str]) -> None:
        """Raises ValueError for an entry of a forbid list that has not its form."""
        for text in forbid:
            _host_and_port(text)

    async def addresses(
        self,
        host: str,
        port: int,
        timeout_seconds: float | None = 10.0,
        granted: Iterable[Allowed] | None = None,
    ) -> tuple[str, ...]:
        """Where a connection to the host may go, in the order to try; resolved once, each address checked. `granted`:
        the exceptions that hold; None: those that are for all calls.

        Raises OutgoingRefused (host, address, forbidden) and OutgoingFailed (name, timeout).
        """
        host = host.lower()
        exceptions = tuple(self._for_all_calls() if granted is None else granted)
        numeric = literal(host)
        if numeric is None and not is_name(host):
            raise OutgoingRefused("host")
        found = (numeric,) if numeric else await self._resolved(host, port, timeout_seconds)
        named = any(entry.host == host and entry.port == port for entry in exceptions)
        if any(self._is_forbidden(host, address, port, named=named) for address in found):
            raise OutgoingRefused("forbidden")
        if not all(is_public(one) or _is_covered(exceptions, host, one, port) for one in found):
            raise OutgoingRefused("address")
        return tuple(str(address) for address in found)

    def _for_all_calls(self) -> Iterable[Allowed]:
        return (entry for entry in self._allowed if entry.owner is None and not entry.prefix)

    def client(
        self,
        *,
        connect_seconds: float = 10.0,
        read_seconds: float = 30.0,
        open_seconds: float = 60.0,
        max_connections: int = 16,
        per_target: int | None = None,
    ) -> OutgoingClient:
        """A client, to be used in `async with`. `connect_seconds` covers name and connection, `read_seconds` each wait
        for data, `open_seconds` everything up to the last hop's header.

        With `per_target` nothing waits for a connection: a call beyond that many to one host and port, or beyond
        `max_connections` in all, fails as `busy`."""
        timeouts = {
            "connect": connect_seconds,
            "read": read_seconds,
            "write": read_seconds,
            "pool": open_seconds,
        }
        return OutgoingClient(GuardedTransport(self, max_connections, per_target), timeouts, open_seconds)

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

    def _is_forbidden(self, host: str, address: IPAddress, port: int, *, named: bool) -> bool:
        for name, forbidden_port in self._forbidden:
            if port == forbidden_port and (not named if name == _ANYWHERE else _covers(name, host, address)):
                return True
        return False


def _is_covered(exceptions: Iterable[Allowed], host: str, address: IPAddress, port: int) -> bool:
    return any(entry.covers(host, address, port) for entry in exceptions)


def _covers(forbidden: str, host: str, address: IPAddress) -> bool:
    """Whether an entry of the forbid list means this host, or the address that it has."""
    inner, entry = unwrapped(address), literal(forbidden)
    here = inner.is_loopback or inner.is_unspecified
    if entry is None:
        return host.rstrip(".") == forbidden.rstrip(".") or (here and forbidden in _LOCALHOST)
    if entry.is_unspecified:
        return not is_public(inner)
    return inner == unwrapped(entry) or (here and entry.is_loopback)


def _host_and_port(text: str) -> tuple[str, int]:
    host, _, port = text.strip().lower().rpartition(":")
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise ValueError(f"not host:port: {text!r}")
    return (host if host == _ANYWHERE else host_of(host, text)), int(port)
