"""A small real HTTP/1.1 server for tests: a handler function per request, every request remembered.

    async with HttpServer(handler) as server:
        ... server.port, server.requests

A handler returns a Reply, or raw bytes that are sent as they are before the connection is closed.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self


@dataclass
class Request:
    method: str
    target: str
    headers: dict[str, str]
    body: bytes = b""


@dataclass
class Reply:
    status: int = 200
    body: bytes | AsyncIterator[bytes] = b""
    headers: dict[str, str] = field(default_factory=dict)
    length: int | None = None  # announced; None: that of the body


Handler = Callable[[Request], Reply | bytes]


class HttpServer:
    def __init__(self, handler: Handler, *, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> None:
        self._handler, self._host, self._tls = handler, host, tls
        self.requests: list[Request] = []
        self.connections = 0
        self.port = 0
        self._serving: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, self._host, 0, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.create_task(self._serve(reader, writer))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self._answer(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            pass  # the client has left
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, target, _ = head[0].split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        request = Request(method, target, headers, body)
        self.requests.append(request)
        reply = self._handler(request)
        if isinstance(reply, bytes):
            writer.write(reply)
            await writer.drain()
            return False
        length = reply.length
        if length is None and isinstance(reply.body, bytes):
            length = len(reply.body)
        lines = [f"HTTP/1.1 {reply.status} X"] + [f"{name}: {value}" for name, value in reply.headers.items()]
        lines += ["connection: close"] if length is None else [f"content-length: {length}"]
        writer.write("\r\n".join([*lines, "", ""]).encode("latin-1"))
        if isinstance(reply.body, bytes):
            writer.write(reply.body)
        else:
            async for chunk in reply.body:
                writer.write(chunk)
                await writer.drain()
        await writer.drain()
        return length is not None and (not isinstance(reply.body, bytes) or length == len(reply.body))


class RawServer(HttpServer):
    """`serve` does with each connection as it likes; then it is closed."""

    def __init__(
        self,
        serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
        *,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        super().__init__(lambda request: b"", tls=tls)
        self._connected = serve

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        await self._connected(reader, writer)
        return False


def ranged(content: bytes, etag: str | None = '"v1"') -> Handler:
    """A file as good servers give it out: Range, If-Range, 206, 416."""

    def handler(request: Request) -> Reply:
        headers = {"etag": etag, "accept-ranges": "bytes"} if etag else {}
        match = re.fullmatch(r"bytes=(\d+)-", request.headers.get("range", ""))
        if not match or request.headers.get("if-range", etag) != etag:
            return Reply(200, content, headers)
        start = int(match[1])
        if start >= len(content):
            return Reply(416, b"", headers | {"content-range": f"bytes */{len(content)}"})
        headers["content-range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        return Reply(206, content[start:], headers)

    return handler
