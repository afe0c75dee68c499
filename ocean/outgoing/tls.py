"""TLS over a socket: everything that has arrived is unpacked at once, not one record of 16 KiB after the other."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from typing import Self, TypeVar

T = TypeVar("T")

_ARRIVED_BYTES = 1024 * 1024  # taken from the socket at once
_RECORD_BYTES = 16 * 1024  # the most that is in one


class TlsSession:
    """A client's side. All methods raise OSError (ssl.SSLError is one); time limits are the caller's."""

    def __init__(self, connection: socket.socket, context: ssl.SSLContext, server_hostname: str | None) -> None:
        self._socket = connection
        self._arrived, self._leaving = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.state = context.wrap_bio(self._arrived, self._leaving, server_hostname=server_hostname)

    @classmethod
    async def open(cls, connection: socket.socket, context: ssl.SSLContext, server_hostname: str | None) -> Self:
        """Shake hands on a connected, non-blocking socket; the peer's certificate is verified as the context says."""
        session = cls(connection, context, server_hostname)
        await session._done(session.state.do_handshake)
        return session

    async def read(self, max_bytes: int) -> bytes:
        """What has been unpacked, at least one byte; none at the end. A peer that just closes ends it as well: HTTP
        knows by itself whether a body is whole."""
        try:
            return await self._done(lambda: self._unpacked(max_bytes))
        except ssl.SSLEOFError:
            return b""

    async def write(self, data: bytes) -> None:
        left = memoryview(data)
        while left:
            left = left[await self._done(lambda piece=left: self.state.write(piece)) :]  # type: ignore[misc]

    async def _done(self, step: Callable[[], T]) -> T:
        """A step of the session, repeated until enough has arrived for it; what it wants to say is sent."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                result = step()
            except ssl.SSLWantReadError:
                await self._flush()
            else:
                await self._flush()
                return result
            if data := await loop.sock_recv(self._socket, _ARRIVED_BYTES):
                self._arrived.write(data)
            else:
                self._arrived.write_eof()

    async def _flush(self) -> None:
        if self._leaving.pending:
            await asyncio.get_running_loop().sock_sendall(self._socket, self._leaving.read())

    def _unpacked(self, max_bytes: int) -> bytes:
        """All that can be unpacked now. Raises SSLWantReadError if that is nothing, and what ends the session."""
        pieces, left = list[bytes](), max_bytes
        while left:
            try:
                piece = self.state.read(min(left, _RECORD_BYTES))
            except ssl.SSLError:
                if not pieces:
                    raise
                break  # the same happens again, the next time
            if not piece:
                break  # the peer has said goodbye
            pieces.append(piece)
            left -= len(piece)
        return b"".join(pieces)
