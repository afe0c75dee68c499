"""Connections of clients that take their time, or are many: each has its limit, and nobody else notices."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, ClassVar

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from provider_api.deploy.addresses import free_port
from provider_api.http import protocol
from provider_api.settings import ServerSettings

pytestmark = pytest.mark.integration

GOOD = b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n"
SECONDS = 60  # until something that should happen is given up


class Echo:
    """Answers with the client's address and the length of the body, which it reads `after` an event."""

    def __init__(self) -> None:
        self.may_read = asyncio.Event()
        self.may_read.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.may_read.wait()
        size, more = 0, True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            size, more = size + len(message.get("body", b"")), message.get("more_body", False)
        body = json.dumps({"client": scope["client"][0], "size": size}).encode()
        headers = [(b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


@asynccontextmanager
async def served(app: Echo, **given: Any) -> AsyncIterator[int]:
    settings, port = ServerSettings(**given), free_port()
    config = uvicorn.Config(
        app,
        port=port,
        http=protocol.protocol_for(settings),
        log_config=None,
        lifespan="off",
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=list(settings.trusted_proxies),
    )
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    async with asyncio.timeout(SECONDS):
        while not server.started:
            await asyncio.sleep(0.01)
    try:
        yield port
    finally:
        while Client.opened:
            await Client.opened.pop().closed()
        server.should_exit = True
        await task


class Client:
    opened: ClassVar[list[Client]] = []  # closed with the server

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def to(cls, port: int) -> Client:
        client = cls(*await asyncio.open_connection("127.0.0.1", port))
        cls.opened.append(client)
        return client

    def send(self, data: bytes) -> None:
        self._writer.write(data)

    async def answer(self) -> tuple[int, dict[str, str], Any]:
        async with asyncio.timeout(SECONDS):
            head = (await self._reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
            body = await self._reader.readexactly(int(headers["content-length"]))
        return int(head[0].split(" ")[1]), headers, json.loads(body)

    async def ended(self) -> bytes:
        """What still comes until the server closes."""
        async with asyncio.timeout(SECONDS):
            return await self._reader.read()

    def close(self) -> None:
        self._writer.close()

    async def closed(self) -> None:
        self._writer.transport.abort()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()


@pytest.mark.parametrize("begun", [b"", b"G", b"GET /x HTTP/1.1\r\n", GOOD[:-2]])
async def test_a_head_that_does_not_end(begun: bytes) -> None:
    async with served(Echo(), head_seconds=0.2) as port:
        client = await Client.to(port)
        client.send(begun)
        if begun:
            status, _, body = await client.answer()
            assert (status, set(body)) == (408, {"context", "error"})
        assert await client.ended() == b""


async def test_a_head_that_drips() -> None:
    """One byte now and then keeps nothing open: the time is for the whole head."""
    async with served(Echo(), head_seconds=0.3) as port:
        client = await Client.to(port)

        async def drip() -> None:
            client.send(b"GET /x HTTP/1.1\r\nX: ")
            while True:
                client.send(b"x")
                await asyncio.sleep(0.02)

        dripping = asyncio.create_task(drip())
        assert (await client.answer())[0] == 408
        dripping.cancel()


@pytest.mark.parametrize("framing", [b"Content-Length: 100000", b"Transfer-Encoding: chunked"])
async def test_a_body_that_falls_silent(framing: bytes) -> None:
    """The slow one takes longer than the limit, too, but is never silent for so long."""
    async with served(Echo(), silence_seconds=3) as port:
        silent, slow = await Client.to(port), await Client.to(port)
        for client in (silent, slow):
            client.send(b"POST /x HTTP/1.1\r\nHost: a\r\n" + framing + b"\r\n\r\n")
        chunked = b"chunked" in framing
        refused, sent = asyncio.create_task(silent.answer()), 0
        while not refused.done():
            slow.send(b"a\r\n0123456789\r\n" if chunked else b"0123456789")
            sent += 10
            await asyncio.sleep(0.06)
        slow.send(b"0\r\n\r\n" if chunked else b"x" * (100_000 - sent))
        assert (await refused)[0] == 408
        assert await silent.ended() == b""
        assert (await slow.answer())[2]["size"] == (sent if chunked else 100_000)


async def test_a_service_that_reads_late_is_not_a_silent_client(monkeypatch: pytest.MonkeyPatch) -> None:
    app, limits = Echo(), 0
    took_too_long = protocol.BoundedProtocol._took_too_long

    def counted(connection: protocol.BoundedProtocol) -> None:
        nonlocal limits
        limits += 1
        took_too_long(connection)

    monkeypatch.setattr(protocol.BoundedProtocol, "_took_too_long", counted)
    app.may_read.clear()
    async with served(app, silence_seconds=0.5) as port:
        client = await Client.to(port)
        size = 8 * 1024 * 1024
        client.send(b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % size + b"x" * size)
        async with asyncio.timeout(SECONDS):
            while limits < 2:
                await asyncio.sleep(0.02)
        app.may_read.set()
        status, _, body = await client.answer()
        assert (status, body["size"]) == (200, size)


async def test_an_answer_may_take_longer_than_a_head() -> None:
    app = Echo()
    app.may_read.clear()
    async with served(app, head_seconds=0.5, silence_seconds=0.5) as port:
        client = await Client.to(port)
        client.send(GOOD)
        await asyncio.sleep(0.9)
        app.may_read.set()
        for _ in range(2):  # and the connection goes on
            assert (await client.answer())[0] == 200
            client.send(GOOD)


async def test_connections_of_one_address() -> None:
    async with served(Echo(), max_connections_each=3) as port:
        held = [await Client.to(port) for _ in range(3)]
        for client in held:
            client.send(GOOD)
            assert (await client.answer())[0] == 200
        status, headers, _ = await (await Client.to(port)).answer()
        assert (status, "retry-after" in headers) == (429, True)
        held[0].close()
        await until_accepted(port)


async def test_connections_of_all() -> None:
    async with served(Echo(), max_connections=2) as port:
        held = [await Client.to(port) for _ in range(2)]
        for client in held:
            client.send(GOOD)
            assert (await client.answer())[0] == 200
        status, headers, _ = await (await Client.to(port)).answer()
        assert (status, "retry-after" in headers) == (503, True)
        held[1].close()
        await until_accepted(port)


async def until_accepted(port: int) -> None:
    async with asyncio.timeout(SECONDS):
        while True:
            client = await Client.to(port)
            client.send(GOOD)
            if (await client.answer())[0] == 200:
                return


@pytest.mark.parametrize(
    ("trusted", "seen"), [((), "127.0.0.1"), (("127.0.0.1",), "203.0.113.7"), (("10.0.0.0/8",), "127.0.0.1")]
)
async def test_whose_word_counts_for_a_clients_address(trusted: tuple[str, ...], seen: str) -> None:
    """Without a trusted proxy anybody could be anybody, and have as many budgets as there are addresses."""
    async with served(Echo(), trusted_proxies=trusted, max_connections_each=1) as port:
        clients = [await Client.to(port) for _ in range(2 if "127.0.0.1" in trusted else 1)]
        for client in clients:  # a trusted proxy may have many connections
            client.send(b"GET /x HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 203.0.113.7\r\n\r\n")
            status, _, body = await client.answer()
            assert (status, body["client"]) == (200, seen)


def test_a_proxy_that_is_no_address_is_refused() -> None:
    with pytest.raises(ValueError, match=r"does not appear"):
        ServerSettings(trusted_proxies=("proxy.internal",))
