"""A stream without end over real connections: to who reads, to who does not, and when the server ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import ExitStack

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from provider_api.http import event_stream
from provider_api.http.event_stream import EventStream
from provider_api.http.protocol import connection_of
from provider_api.http.serving import serving

pytestmark = pytest.mark.integration


class Endless:
    """Sends frames as fast as they are taken; `closed` counts viewers that are no more."""

    def __init__(self, frame: bytes, pause_seconds: float) -> None:
        self.frame, self.pause_seconds = frame, pause_seconds
        self.sent, self.closed = 0, 0

    async def frames(self, closing: asyncio.Event) -> AsyncGenerator[bytes, None]:
        while not closing.is_set():
            yield self.frame
            self.sent += len(self.frame)
            await asyncio.sleep(self.pause_seconds)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        connection = connection_of(scope)
        assert connection is not None
        stack = ExitStack()
        stack.callback(self._left)
        await EventStream(self.frames(connection.closing), stack)(scope, receive, send)

    def _left(self) -> None:
        self.closed += 1


async def until_closed(app: Endless) -> None:
    async with asyncio.timeout(60):
        while not app.closed:
            await asyncio.sleep(0.01)


async def test_who_leaves() -> None:
    app = Endless(b": \n\n", 60)  # nothing is sent meanwhile
    async with serving(app, "127.0.0.1", 0) as port, httpx.AsyncClient(trust_env=False) as client:
        async with client.stream("GET", f"http://127.0.0.1:{port}/") as response:
            assert response.headers["content-type"].startswith("text/event-stream")
            assert await anext(response.aiter_bytes()) == b": \n\n"
        await until_closed(app)


async def test_who_does_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits for it is bounded, and its connection is ended although it still has something to send."""
    monkeypatch.setattr(event_stream, "SEND_SECONDS", 1.0)
    app = Endless(b"x" * 16384, 0)
    async with serving(app, "127.0.0.1", 0) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        await until_closed(app)
        assert app.sent < 16 << 20, "buffers of both kernels, and no more"
        async with asyncio.timeout(60):
            answer = await reader.read()
        assert not answer.endswith(b"0\r\n\r\n"), "nobody takes it for a whole answer"
        writer.close()
        await writer.wait_closed()


async def test_the_server_ends() -> None:
    """It does not wait for viewers, and they get a whole answer."""
    app = Endless(b": \n\n", 0.01)
    async with httpx.AsyncClient(trust_env=False) as client:
        async with serving(app, "127.0.0.1", 0) as port:
            request = client.build_request("GET", f"http://127.0.0.1:{port}/")
            response = await client.send(request, stream=True)
            pieces = response.aiter_bytes()
            await anext(pieces)
        async with asyncio.timeout(60):
            async for _ in pieces:
                pass  # and no error at its end
        await response.aclose()
    assert app.closed == 1
