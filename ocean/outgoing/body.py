"""The body of a response. One with an announced length is read past the HTTP parser, in large pieces.

A parser has nothing to find in such a body, but it copies each byte several times and takes 64 KiB at once. So after
the first piece, with which the parser has given out all that it had read, the rest comes straight from the connection:
never more of it than was announced. The parser then waits for an end that it does not see, and httpcore closes the
connection instead of keeping it for another request.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from typing import Any, cast

import httpcore
import httpx

from ocean.outgoing.errors import OutgoingFailed
from ocean.outgoing.translation import translated

LARGE_BYTES = 1024 * 1024  # a shorter rest is left to the parser: then the connection can be used again
READ_BYTES = 1024 * 1024  # at most so much at once, and so much memory


class Body(httpx.AsyncByteStream):
    """Raises OutgoingFailed; `incomplete` if the connection ends before the announced length."""

    def __init__(self, response: httpcore.Response, read_seconds: float | None, closed: Callable[[], None]) -> None:
        """`closed` is called once, when nothing of the body will be read any more."""
        self._closed: Callable[[], None] | None = closed
        self._stream: Any = response.stream
        self._connection: httpcore.AsyncNetworkStream = response.extensions["network_stream"]
        self._announced = _announced(response.headers)
        self._read_seconds = read_seconds

    async def __aiter__(self) -> AsyncIterator[bytes]:
        left = self._announced or 0
        with translated():
            # Closed before its end, the parsed body closes the connection.
            async with aclosing(self._parsed()) as parsed:
                async for part in parsed:
                    yield part
                    left -= len(part)
                    if left >= LARGE_BYTES:
                        break
                else:
                    return
                while left:
                    part = await self._connection.read(min(left, READ_BYTES), self._read_seconds)
                    if not part:
                        raise OutgoingFailed("incomplete", retriable=True)
                    left -= len(part)
                    yield part

    async def aclose(self) -> None:
        try:
            with translated():
                await self._stream.aclose()
        finally:
            if self._closed is not None:
                self._closed()
                self._closed = None

    async def _parsed(self) -> AsyncGenerator[bytes]:
        async with aclosing(cast(AsyncGenerator[bytes], aiter(self._stream))) as parts:
            try:
                async for part in parts:
                    yield part
            except httpcore.RemoteProtocolError:
                if self._announced is None:
                    raise
                raise OutgoingFailed("incomplete", retriable=True) from None


def _announced(headers: list[tuple[bytes, bytes]]) -> int | None:
    """The length, if it is the length that ends the body. The parser has seen that there is one, and a number."""
    found = {name.lower(): value for name, value in headers}
    length = found.get(b"content-length")
    return int(length) if length is not None and b"transfer-encoding" not in found else None
