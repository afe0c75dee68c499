"""Large bodies, which are read past the HTTP parser: whole, broken, left, and what becomes of their connections."""

from __future__ import annotations

import asyncio
import random
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from ocean.files import UrlFile
from ocean.outgoing import OutgoingClient, OutgoingFailed, OutgoingGuard
from ocean.outgoing.body import LARGE_BYTES, READ_BYTES
from tests.integration.ocean.test_outgoing_tls import certificate
from tests.support.http_server import HttpServer, RawServer, Reply, Request

pytestmark = pytest.mark.integration

CONTENT = random.Random(1).randbytes(3 * LARGE_BYTES + 12_345)  # noqa: S311


def guard(server: HttpServer, host: str = "127.0.0.1") -> OutgoingGuard:
    return OutgoingGuard([f"{host}:{server.port}"])


def file(server: HttpServer, host: str = "127.0.0.1") -> UrlFile:
    return UrlFile(f"http://{host}:{server.port}/large")


async def pieces_of(client: OutgoingClient, wanted: UrlFile) -> list[bytes]:
    async with client.fetch(wanted) as download:
        return [piece async for piece in download.chunks()]


async def content_of(client: OutgoingClient, wanted: UrlFile) -> bytes:
    return b"".join(await pieces_of(client, wanted))


async def reason_of(client: OutgoingClient, wanted: UrlFile) -> str:
    with pytest.raises(OutgoingFailed) as caught:
        await pieces_of(client, wanted)
    assert caught.value.retriable
    return caught.value.reason


async def split(*ends: int, pause: float = 0.02) -> AsyncIterator[bytes]:
    """CONTENT up to the last end, in pieces that arrive one after the other; the first may come after the head."""
    position = 0
    for end in ends:
        await asyncio.sleep(pause)
        yield CONTENT[position:end]
        position = end


@pytest.mark.parametrize(
    "ends",
    [
        (),
        (1,),
        (65_535, 65_536, 65_537),
        (200_000, 200_001),
        (len(CONTENT) - LARGE_BYTES - 1, len(CONTENT) - LARGE_BYTES, len(CONTENT) - 1),
        (len(CONTENT) - 1,),
    ],
)
async def test_every_byte_comes_however_the_body_is_cut(ends: Sequence[int]) -> None:
    def handler(request: Request) -> Reply:
        return Reply(200, split(*ends, len(CONTENT)), length=len(CONTENT))

    async with HttpServer(handler) as server, guard(server).client() as client:
        pieces = await pieces_of(client, file(server))
    assert b"".join(pieces) == CONTENT
    assert max(map(len, pieces)) <= READ_BYTES


@pytest.mark.parametrize("glued", [0, 1, 65_536, 70_000, len(CONTENT)])
async def test_every_byte_comes_however_much_arrives_with_the_head(glued: int) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(CONTENT) + CONTENT[:glued])
        await asyncio.sleep(0.02)
        writer.write(CONTENT[glued:])
        await writer.drain()

    async with RawServer(serve) as server, guard(server).client() as client:
        assert await content_of(client, file(server)) == CONTENT


async def test_a_connection_serves_again_after_a_small_body_and_never_after_a_large_one() -> None:
    sizes = iter([100, 100, len(CONTENT), 100, 100])
    async with (
        HttpServer(lambda request: Reply(200, CONTENT[: next(sizes)])) as server,
        guard(server).client() as client,
    ):
        seen = [(len(await content_of(client, file(server))), server.connections) for _ in range(5)]
    assert seen == [(100, 1), (100, 1), (len(CONTENT), 1), (100, 2), (100, 2)]


async def test_what_follows_the_announced_end_is_nobodys() -> None:
    head = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(CONTENT)
    smuggled = b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nforged"
    async with HttpServer(lambda request: head + CONTENT + smuggled) as server, guard(server).client() as client:
        for _ in range(3):
            assert await content_of(client, file(server)) == CONTENT
        assert server.connections == 3


async def test_a_body_without_a_length_goes_through_the_parser() -> None:
    def chunked(content: bytes) -> bytes:
        cut = [content[at : at + 100_000] for at in range(0, len(content), 100_000)]
        return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in cut)

    # Where both are there the length says nothing.
    head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-length: %d\r\n\r\n" % (2 * LARGE_BYTES)
    answers = iter([head + chunked(CONTENT) + b"0\r\n\r\n", head + chunked(CONTENT)])
    async with HttpServer(lambda request: next(answers)) as server, guard(server).client() as client:
        async with client.open("GET", file(server).url) as response:
            assert b"".join([piece async for piece in response.aiter_raw()]) == CONTENT
        async with client.open("GET", file(server).url) as response:
            with pytest.raises(OutgoingFailed, match="protocol"):
                assert [piece async for piece in response.aiter_raw()]


@pytest.mark.parametrize("there", [0, 10, len(CONTENT) - LARGE_BYTES, len(CONTENT) - 1])
async def test_a_short_body_is_incomplete(there: int) -> None:
    def handler(request: Request) -> Reply:
        return Reply(200, CONTENT[:there], {"connection": "close"}, length=len(CONTENT))

    async with HttpServer(handler) as server, guard(server).client() as client:
        assert await reason_of(client, file(server)) == "incomplete"


async def test_a_body_that_stops_times_out() -> None:
    async def stopping() -> AsyncIterator[bytes]:
        yield CONTENT[:200_000]
        await asyncio.sleep(3600)

    handler = lambda request: Reply(200, stopping(), length=len(CONTENT))  # noqa: E731
    async with HttpServer(handler) as server, guard(server).client(read_seconds=0.2) as client:
        assert await reason_of(client, file(server)) == "timeout"


async def test_a_connection_that_is_reset_has_failed() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(CONTENT) + CONTENT[:200_000])
        await asyncio.sleep(0.05)
        writer.transport.abort()

    async with RawServer(serve) as server, guard(server).client() as client:
        assert await reason_of(client, file(server)) in ("incomplete", "connection")


async def test_who_leaves_early_closes_the_connection() -> None:
    left = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(CONTENT) + CONTENT[: 2 * LARGE_BYTES])
        with suppress(ConnectionError):
            await reader.read()
        left.set()

    async with RawServer(serve) as server, guard(server).client() as client:
        async with client.fetch(file(server)) as download:
            pieces, seen = download.chunks(), 0
            while seen < LARGE_BYTES:
                seen += len(await anext(pieces))
        await asyncio.wait_for(left.wait(), 60)


async def test_over_ipv6() -> None:
    async with HttpServer(lambda request: Reply(200, CONTENT), host="::1") as server:
        guarded = guard(server, "[::1]")
        async with guarded.client() as client:
            assert await content_of(client, file(server, "[::1]")) == CONTENT


async def test_over_tls(tmp_path: Path) -> None:
    certificate_file, key_file = certificate(tmp_path, "127.0.0.1")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate_file, key_file)
    trusted = ssl.create_default_context(cafile=str(certificate_file))
    answers = iter([Reply(200, CONTENT), Reply(200, CONTENT[:2_000_000], {"connection": "close"}, length=len(CONTENT))])
    async with HttpServer(lambda request: next(answers), tls=tls) as server:
        guarded = OutgoingGuard([f"127.0.0.1:{server.port}"], ssl_context=trusted)
        async with guarded.client() as client:
            wanted = UrlFile(f"https://127.0.0.1:{server.port}/large")
            assert await content_of(client, wanted) == CONTENT
            assert await reason_of(client, wanted) in ("incomplete", "connection")
