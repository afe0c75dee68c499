"""Where parts of one machine listen and are reached: both families of IP addresses, and names."""

from __future__ import annotations

import atexit
import collections
import errno
import ipaddress
import random
import socket
from pathlib import Path
from typing import Final

_PORTS: Final = (20_000, 32_768)
_HELD: Final[collections.deque[socket.socket]] = collections.deque()  # what `free_port` said last, not listened on
_MOST_HELD: Final = 200
_UNSPECIFIED: Final = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  (told apart, not listened on)


class PortTaken(RuntimeError):
    def __init__(self, port: int) -> None:
        super().__init__(f"port {port} is taken; choose another one with --port, or C2D_SERVER__PORT")


class AddressUnusable(RuntimeError):
    """This machine cannot listen at that address; the port has nothing to do with it."""

    def __init__(self, host: str, reason: str) -> None:
        super().__init__(f"this machine cannot listen on {host!r} (C2D_SERVER__HOST): {reason}")


def plain_host(host: str) -> str:
    """An address without the brackets that it has in URLs."""
    return host[1:-1] if host.startswith("[") and host.endswith("]") else host


def authority(host: str, port: int) -> str:
    """`host:port` as a URL has it: an IPv6 address stands in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def reached_at(host: str) -> str:
    """Where this machine itself reaches what listens on `host`: all addresses mean loopback of the same family."""
    try:
        text = str(ipaddress.ip_address(host)) if host else ""
    except ValueError:
        return host
    return _UNSPECIFIED.get(text, text)


def noted_port(note: Path) -> int | None:
    """The port that a file remembers of before; None where it names none."""
    text = note.read_text().strip() if note.is_file() else ""
    return int(text) if text.isascii() and text.isdecimal() and 0 < int(text) < 65536 else None


def free_port(host: str = "127.0.0.1") -> int:
    """A port of that address that nobody uses, and that no other process is told by this function as long as this one
    lives (or until it has asked for 200 more): what listens there may be killed and started again. It lies below those
    that Linux gives to connections, any of which may be taken meanwhile. Raises AddressUnusable."""
    for _ in range(1_000):
        port = random.randrange(*_PORTS)  # noqa: S311
        if _hold(host, port):
            return port
    raise AddressUnusable(host, "no port is free")


def _hold(host: str, port: int) -> bool:
    """Keep a socket there that does not listen: servers, which set SO_REUSEADDR, can listen beside it."""
    held = []
    for family, address in _resolved(host, port):
        listener = _listener(family)
        held.append(listener)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)  # others that are held are in the way
        if not _bound(listener, host, address):
            for each in held:
                each.close()
            return False
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    _HELD.extend(held)
    while len(_HELD) > _MOST_HELD:
        _HELD.popleft().close()
    return True


@atexit.register
def _let_go() -> None:
    while _HELD:
        _HELD.pop().close()


def port_is_free(host: str, port: int) -> bool:
    """Whether this process can listen there. Raises AddressUnusable where the address is the trouble, not the port."""
    for family, address in _resolved(host, port):
        with _listener(family) as probe:
            if not _bound(probe, host, address):
                return False
    return True


def _bound(listener: socket.socket, host: str, address: tuple[object, ...]) -> bool:
    try:
        listener.bind(address)
    except OSError as exc:
        if exc.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
            raise AddressUnusable(host, exc.strerror or str(exc)) from exc
        return False
    return True


def _resolved(host: str, port: int) -> list[tuple[int, tuple[object, ...]]]:
    try:
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as exc:
        raise AddressUnusable(host, getattr(exc, "strerror", None) or str(exc)) from exc
    return list(dict.fromkeys((int(family), tuple(address)) for family, _, _, _, address in found))


def _listener(family: int) -> socket.socket:
    try:
        listener = socket.socket(family)
    except OSError as exc:
        raise AddressUnusable("::", exc.strerror or str(exc)) from exc
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)  # as the server itself listens
    return listener
