"""Connections for httpcore, read straight from the socket: as much at once as is wanted and has arrived.

The event loop's transports hand out pieces of their own size, over a queue, and TLS record by record. A large file
comes through here with a small part of their work. TLS is in `tls.py`.
"""

from __future__ import annotations

import asyncio
import contextlib
import select
import socket
import ssl
from collections.abc import Iterable, Iterator
from typing import Any

import httpcore

from ocean.outgoing.tls import TlsSession


class SocketBackend(httpcore.AsyncNetworkBackend):
    """Connects to numeric addresses only: nothing is resolved here."""

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  the signature is httpcore's
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        with _translated(httpcore.ConnectTimeout, httpcore.ConnectError):
            ((family, kind, protocol, _, address),) = socket.getaddrinfo(
                host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST
            )
            connection = socket.socket(family, kind, protocol)
            try:
                connection.setblocking(False)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                for option in socket_options or ():
                    connection.setsockopt(*option)
                if local_address is not None:
                    connection.bind((local_address, 0))
                async with asyncio.timeout(timeout):
                    await asyncio.get_running_loop().sock_connect(connection, address)
            except BaseException:
                connection.close()
                raise
        return SocketStream(connection)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class SocketStream(httpcore.AsyncNetworkStream):
    """One connection. httpcore does not read and write at the same time."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._tls: TlsSession | None = None

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109
        with _translated(httpcore.ReadTimeout, httpcore.ReadError):
            async with asyncio.timeout(timeout):
                # A turn for others. A source that always has something there would keep every cancellation away:
                # asyncio does not wait for it at all, and anyio cancels no task whose wait has just been over.
                await asyncio.sleep(0)
                if self._tls is not None:
                    return await self._tls.read(max_bytes)
                return await asyncio.get_running_loop().sock_recv(self._socket, max_bytes)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        with _translated(httpcore.WriteTimeout, httpcore.WriteError):
            async with asyncio.timeout(timeout):
                if self._tls is not None:
                    await self._tls.write(buffer)
                else:
                    await asyncio.get_running_loop().sock_sendall(self._socket, buffer)

    async def aclose(self) -> None:
        self._socket.close()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> httpcore.AsyncNetworkStream:
        try:
            with _translated(httpcore.ConnectTimeout, httpcore.ConnectError):
                async with asyncio.timeout(timeout):
                    self._tls = await TlsSession.open(self._socket, ssl_context, server_hostname)
        except BaseException:
            self._socket.close()
            raise
        return self

    def get_extra_info(self, info: str) -> Any:
        if info == "is_readable":  # an idle connection that is readable has been closed by its server
            return self._is_readable()
        if info == "ssl_object":
            return self._tls.state if self._tls is not None else None
        return self._socket if info == "socket" else None

    def _is_readable(self) -> bool:
        if self._socket.fileno() < 0:
            return True
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        return bool(poll.poll(0))


@contextlib.contextmanager
def _translated(timed_out: type[Exception], failed: type[Exception]) -> Iterator[None]:
    """The system's errors as httpcore's."""
    try:
        yield
    except TimeoutError as exc:
        raise timed_out(str(exc)) from exc
    except OSError as exc:
        raise failed(str(exc)) from exc
