"""The outgoing client against real servers on this machine.

Names are resolved by a table, and connections to public addresses end at a local server through `Dialer`, which
writes down where the guard wanted to go: so nothing leaves the machine.
"""

import asyncio
import gzip
import hashlib
import logging
import tracemalloc
from collections.abc import AsyncIterator, Sequence
from typing import Any

import httpcore
import pytest

from ocean.files import UrlFile
from ocean.outgoing import OutgoingClient, OutgoingError, OutgoingFailed, OutgoingGuard, OutgoingRefused
from ocean.outgoing.sockets import SocketBackend
from tests.support.http_server import Handler, HttpServer, Reply, Request, ranged

pytestmark = pytest.mark.integration

PUBLIC = "93.184.216.34"
CONTENT = bytes(range(256)) * 4096  # 1 MiB


class Dialer(httpcore.AsyncNetworkBackend):
    """Connects to a local port instead of a public address, and as usual to all others."""

    def __init__(self, ports: dict[str, int]) -> None:
        self.ports = ports
        self.dialled: list[str] = []
        self._inner = SocketBackend()

    async def connect_tcp(self, host: str, port: int, *args: Any, **options: Any) -> httpcore.AsyncNetworkStream:
        self.dialled.append(host)
        if host in self.ports:
            return await self._inner.connect_tcp("127.0.0.1", self.ports[host], *args, **options)
        return await self._inner.connect_tcp(host, port, *args, **options)


class Names:
    """Answers one list after the other, the last one again and again."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked += 1
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def local(*servers: HttpServer, **options: Any) -> OutgoingGuard:
    return OutgoingGuard([f"127.0.0.1:{server.port}" for server in servers], **options)


def url(server: HttpServer, path: str = "/file") -> str:
    return f"http://127.0.0.1:{server.port}{path}"


async def content_of(client: OutgoingClient, file: UrlFile, **options: Any) -> bytes:
    async with client.stream(file, **options) as download:
        return b"".join([chunk async for chunk in download.chunks()])


async def failure(client: OutgoingClient, file: UrlFile, **options: Any) -> str:
    with pytest.raises(OutgoingError) as caught:
        await content_of(client, file, **options)
    assert "127.0.0.1" not in str(caught.value)
    assert "/file" not in repr(caught.value)
    assert isinstance(caught.value, OutgoingRefused | OutgoingFailed)
    return caught.value.reason


async def test_a_download() -> None:
    async with HttpServer(ranged(CONTENT)) as server, local(server).client() as client:
        async with client.stream(UrlFile(url(server))) as download:
            assert (download.start, download.size, download.validator) == (0, len(CONTENT), '"v1"')
            assert b"".join([chunk async for chunk in download.chunks()]) == CONTENT
        digest = await client.sha256_of(UrlFile(url(server)), len(CONTENT))
        assert digest == (hashlib.sha256(CONTENT).hexdigest(), len(CONTENT), '"v1"')
        assert server.connections == 1
        assert server.requests[0].headers["accept-encoding"] == "identity"


async def test_a_private_server_is_not_reached_unless_allowed() -> None:
    async with HttpServer(ranged(CONTENT)) as server:
        for guard in (
            OutgoingGuard(),
            OutgoingGuard([f"127.0.0.1:{server.port + 1}"]),
            local(server, forbid=[f"localhost:{server.port}"]),
        ):
            async with guard.client() as client:
                assert await failure(client, UrlFile(url(server))) in ("address", "forbidden")
        assert server.connections == 0


@pytest.mark.parametrize(
    "host",
    ["0x7f000001", "2130706433", "127.1", "127.0.0.1.", "localhost", "[::ffff:127.0.0.1]", "0.0.0.0"],  # noqa: S104
)
async def test_other_spellings_of_an_allowed_address_are_not_allowed(host: str) -> None:
    async with HttpServer(ranged(CONTENT)) as server, local(server).client() as client:
        assert await failure(client, UrlFile(f"http://{host}:{server.port}/file")) in ("host", "address")
        assert server.connections == 0


async def test_a_name_with_one_private_address_is_refused() -> None:
    async with HttpServer(ranged(CONTENT)) as server:
        dial = Dialer({PUBLIC: server.port})
        guard = OutgoingGuard(resolve=Names([PUBLIC, "10.0.0.1"]), dial=dial)
        async with guard.client() as client:
            assert await failure(client, UrlFile("http://mixed.test/file")) == "address"
        assert dial.dialled == []


async def test_a_public_name_is_reached_at_the_checked_address() -> None:
    async with HttpServer(ranged(CONTENT)) as server:
        names, dial = Names([PUBLIC]), Dialer({PUBLIC: server.port})
        async with OutgoingGuard(resolve=names, dial=dial).client() as client:
            for _ in range(3):
                assert await content_of(client, UrlFile("http://public.test/file")) == CONTENT
        assert (names.asked, dial.dialled) == (1, [PUBLIC])
        assert server.requests[0].headers["host"] == "public.test"


async def test_a_name_that_changes_its_mind_gains_nothing() -> None:
    """The checked answer is the one connected to; the next connection asks, and is checked, again."""
    async with (
        HttpServer(lambda request: Reply(200, b"public", {"connection": "close"})) as server,
        HttpServer(ranged(b"secret")) as inside,
    ):
        names = Names([PUBLIC], ["127.0.0.1"])
        dial = Dialer({PUBLIC: server.port})
        rebound = UrlFile(f"http://rebound.test:{inside.port}/file")
        async with OutgoingGuard(resolve=names, dial=dial).client() as client:
            assert await content_of(client, rebound) == b"public"
            assert await failure(client, rebound) == "address"
        assert dial.dialled == [PUBLIC]
        assert inside.connections == 0


async def test_the_next_address_is_tried_when_one_does_not_answer() -> None:
    async with HttpServer(ranged(CONTENT)) as server:
        dial = Dialer({PUBLIC: server.port, "93.184.216.35": 1})
        async with OutgoingGuard(resolve=Names(["93.184.216.35", PUBLIC]), dial=dial).client() as client:
            assert await content_of(client, UrlFile("http://public.test/file")) == CONTENT
        assert dial.dialled == ["93.184.216.35", PUBLIC]


def redirect(location: str, status: int = 302) -> Handler:
    return lambda request: Reply(status, b"moved", {"location": location})


async def test_a_redirect_into_the_private_network_is_refused() -> None:
    async with HttpServer(ranged(b"secret")) as inside, HttpServer(redirect(url(inside))) as server:
        async with local(server).client() as client:
            assert await failure(client, UrlFile(url(server))) == "address"
        dial = Dialer({PUBLIC: server.port})
        async with OutgoingGuard(resolve=Names([PUBLIC]), dial=dial).client() as client:
            assert await failure(client, UrlFile("http://public.test/file")) == "address"
        assert inside.connections == 0


@pytest.mark.parametrize(
    "location",
    [
        "file:///etc/passwd",
        "ftp://public.test/x",
        "http://u:p@127.0.0.1/",
        "http://169.254.169.254/latest/meta-data",
        "http://0x7f000001/",
    ],
)
async def test_other_redirects_that_are_refused(location: str) -> None:
    async with HttpServer(redirect(location)) as server, local(server).client() as client:
        assert await failure(client, UrlFile(url(server))) in ("scheme", "userinfo", "address", "host")


async def test_five_redirects_are_followed_and_no_more() -> None:
    def handler(request: Request) -> Reply:
        left = int(request.target.rpartition("/")[2])
        return Reply(302, b"", {"location": f"/{left - 1}"}) if left else Reply(200, b"here")

    async with HttpServer(handler) as server, local(server).client() as client:
        assert await content_of(client, UrlFile(url(server, "/5"))) == b"here"
        assert await failure(client, UrlFile(url(server, "/6"))) == "redirects"


async def test_secret_headers_stay_with_their_origin() -> None:
    async with HttpServer(ranged(b"x")) as other, HttpServer(redirect(url(other))) as server:
        async with local(server, other).client() as client:
            assert await content_of(client, UrlFile(url(server), headers={"X-Key": "k"})) == b"x"
        assert server.requests[0].headers["x-key"] == "k"
        assert "x-key" not in other.requests[0].headers


async def test_cookies_are_not_kept() -> None:
    async with (
        HttpServer(lambda request: Reply(200, b"x", {"set-cookie": "a=b"})) as server,
        local(server).client() as client,
    ):
        for _ in range(2):
            await content_of(client, UrlFile(url(server)))
        assert "cookie" not in server.requests[1].headers


async def test_user_data() -> None:
    async with HttpServer(lambda request: Reply(200, b"x")) as server, local(server).client() as client:
        await content_of(client, UrlFile(url(server, "/f?a=1")), userdata={"k": "v w"})
        await content_of(client, UrlFile(url(server), "POST"), userdata='{"k": "v w"}')
    asked, posted = server.requests
    assert (asked.method, asked.target, asked.body) == ("GET", "/f?a=1&k=v+w", b"")
    assert (posted.method, posted.target, posted.body) == ("POST", "/file", b'{"k":"v w"}')
    assert posted.headers["content-type"] == "application/json"


class Breaking:
    """Gives out a file, but breaks every connection after so many bytes."""

    def __init__(self, content: bytes, after: int) -> None:
        self.serve = ranged(content)
        self.after = after

    def __call__(self, request: Request) -> Reply:
        reply = self.serve(request)
        assert isinstance(reply, Reply)
        assert isinstance(reply.body, bytes)
        reply.length = len(reply.body)
        reply.body = reply.body[: self.after]
        return reply


async def test_a_broken_download_is_resumed_where_it_broke() -> None:
    async with HttpServer(Breaking(CONTENT, 300_000)) as server, local(server).client() as client:
        got, validator, attempts = b"", None, 0
        while len(got) < len(CONTENT):
            attempts += 1
            try:
                async with client.stream(UrlFile(url(server)), offset=len(got), validator=validator) as download:
                    assert download.start == len(got)
                    assert download.size == len(CONTENT)
                    validator = download.validator
                    async for chunk in download.chunks():
                        got += chunk
            except OutgoingFailed as error:
                if not error.retriable:
                    raise
        assert got == CONTENT
        assert attempts == 4
        assert [r.headers.get("range") for r in server.requests][1] == "bytes=300000-"


async def test_a_changed_file_begins_anew() -> None:
    async with HttpServer(ranged(CONTENT, '"v2"')) as server, local(server).client() as client:  # noqa: SIM117
        async with client.stream(UrlFile(url(server)), offset=5, validator='"v1"') as download:
            assert (download.start, download.validator) == (0, '"v2"')
            assert b"".join([chunk async for chunk in download.chunks()]) == CONTENT


@pytest.mark.parametrize("validator", [None, '"v1"'])
async def test_resuming_needs_a_validator_and_a_get(validator: str | None) -> None:
    async with HttpServer(ranged(CONTENT)) as server, local(server).client() as client:
        method: Any = "POST" if validator else "GET"
        async with client.stream(UrlFile(url(server), method), offset=5, validator=validator) as download:
            assert download.start == 0
        assert "range" not in server.requests[0].headers


async def test_resuming_a_complete_file_gives_nothing_more() -> None:
    async with HttpServer(ranged(CONTENT)) as server, local(server).client() as client:
        async with client.stream(UrlFile(url(server)), offset=len(CONTENT), validator='"v1"') as download:
            assert (download.start, download.size) == (len(CONTENT), len(CONTENT))
            assert [chunk async for chunk in download.chunks()] == []
        assert await failure(client, UrlFile(url(server)), offset=len(CONTENT) + 1, validator='"v1"') == "range"


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({"content-range": "bytes 4-9/10"}, "range"),
        ({"content-range": "items 5-9/10"}, "range"),
        ({}, "range"),
        ({"content-range": "bytes 5-9/10", "content-encoding": "gzip"}, "range"),
    ],
)
async def test_a_wrong_part_is_refused(headers: dict[str, str], reason: str) -> None:
    async with HttpServer(lambda request: Reply(206, b"56789", headers)) as server, local(server).client() as client:
        assert await failure(client, UrlFile(url(server)), offset=5, validator='"v"') == reason


async def test_weak_tags_and_dates() -> None:
    replies = [({"etag": 'W/"x"', "last-modified": "today"}, None), ({"last-modified": "today"}, "today"), ({}, None)]
    for headers, validator in replies:
        async with (  # noqa: SIM117
            HttpServer(lambda request, h=headers: Reply(200, b"x", h)) as server,
            local(server).client() as client,
        ):  # type: ignore[misc]
            async with client.stream(UrlFile(url(server))) as download:
                assert download.validator == validator


@pytest.mark.parametrize(
    ("reply", "reason", "retriable"),
    [
        (Reply(404), "status", False),
        (Reply(403), "status", False),
        (Reply(206, b"x"), "status", False),
        (Reply(304), "status", False),
        (Reply(302), "status", False),
        (Reply(500), "status", True),
        (Reply(503, b"", {"retry-after": "7"}), "status", True),
        (Reply(429), "status", True),
        (Reply(200, b"short", length=10), "incomplete", True),
        (Reply(200, b"x", {"content-encoding": "br"}), "encoding", False),
        (Reply(200, b"text", {"content-encoding": "gzip"}), "encoding", False),
        (Reply(200, gzip.compress(CONTENT)[:-1], {"content-encoding": "gzip"}), "incomplete", True),
        (b"HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n", "protocol", True),
        (b"SSH-2.0-x\r\n\r\n", "protocol", True),
        (b"", "protocol", True),
    ],
)
async def test_answers_that_are_failures(reply: Reply | bytes, reason: str, retriable: bool) -> None:
    async with HttpServer(lambda request: reply) as server, local(server).client() as client:
        with pytest.raises(OutgoingFailed) as caught:
            await content_of(client, UrlFile(url(server)))
        assert (caught.value.reason, caught.value.retriable) == (reason, retriable)
        if isinstance(reply, Reply) and reason == "status":
            assert caught.value.status == reply.status
            assert caught.value.retry_after_seconds == (7 if reply.status == 503 else None)


async def test_content_that_is_compressed_unasked_is_unpacked() -> None:
    packed = gzip.compress(CONTENT[:1000]) + gzip.compress(CONTENT[1000:])
    async with HttpServer(lambda request: Reply(200, packed, {"content-encoding": "gzip", "etag": '"v"'})) as server:
        async with local(server).client() as client, client.stream(UrlFile(url(server))) as download:
            assert (download.size, download.validator) == (None, None)
            assert b"".join([chunk async for chunk in download.chunks()]) == CONTENT
        async with local(server).client() as client:
            assert await failure(client, UrlFile(url(server)), max_bytes=len(CONTENT) - 1) == "too_large"


async def endless() -> AsyncIterator[bytes]:
    for _ in range(1000):
        yield b"x" * 10_000


async def test_too_large_files_are_left_early() -> None:
    async with HttpServer(lambda request: Reply(200, endless())) as server, local(server).client() as client:
        assert await failure(client, UrlFile(url(server)), max_bytes=50_000) == "too_large"
    async with HttpServer(ranged(CONTENT)) as server, local(server).client() as client:
        assert await failure(client, UrlFile(url(server)), max_bytes=len(CONTENT) - 1) == "too_large"
        assert await failure(client, UrlFile(url(server)), max_bytes=10, offset=5, validator='"v1"') == "too_large"
        with pytest.raises(OutgoingFailed):
            await client.sha256_of(UrlFile(url(server)), len(CONTENT) - 1)


async def test_a_server_that_is_gone() -> None:
    async with HttpServer(ranged(CONTENT)) as server:
        pass
    async with local(server).client() as client:
        assert await failure(client, UrlFile(url(server))) == "connection"


async def silence() -> AsyncIterator[bytes]:
    yield b"x"
    await asyncio.sleep(3600)


async def dripping() -> AsyncIterator[bytes]:
    while True:
        yield b"x"
        await asyncio.sleep(0.02)


async def test_silent_and_dripping_servers() -> None:
    async with HttpServer(lambda request: Reply(200, silence())) as server:  # noqa: SIM117
        async with local(server).client(read_seconds=0.2) as client:
            assert await failure(client, UrlFile(url(server))) == "timeout"
    async with HttpServer(lambda request: Reply(200, dripping())) as server, local(server).client() as client:
        with pytest.raises(OutgoingFailed, match="timeout"):
            await client.sha256_of(UrlFile(url(server)), 10**9, total_seconds=0.3)

    async def slow_names(host: str, port: int) -> Sequence[str]:
        await asyncio.sleep(3600)
        return []

    async with OutgoingGuard(resolve=slow_names).client(connect_seconds=0.2) as client:
        assert await failure(client, UrlFile("http://slow.test/")) == "timeout"


@pytest.mark.parametrize("headers", [{"X-A": "a\r\nX-B: b"}, {"X A": "b"}, {"X-A": "\x00"}])
async def test_headers_that_cannot_be_sent(headers: dict[str, str]) -> None:
    async with HttpServer(ranged(b"x")) as server, local(server).client() as client:
        assert await failure(client, UrlFile(url(server), headers=headers)) == "headers"
        assert server.requests == []


async def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with HttpServer(ranged(CONTENT)) as server, HttpServer(ranged(b"proxy")) as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, url(proxy, ""))
        async with local(server).client() as client:
            assert await content_of(client, UrlFile(url(server))) == CONTENT
        assert proxy.connections == 0


async def test_no_log_shows_the_url(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with HttpServer(ranged(CONTENT)) as server, local(server).client() as client:
        await content_of(client, UrlFile(url(server, "/secret-path")))
        await failure(client, UrlFile(url(server, "/secret-path")), max_bytes=1)
    assert "secret-path" not in caplog.text


async def test_a_large_file_does_not_lie_in_memory() -> None:
    async def body() -> AsyncIterator[bytes]:
        for _ in range(512):
            yield b"x" * 65536

    async with (
        HttpServer(lambda request: Reply(200, body(), length=512 * 65536)) as server,
        local(server).client() as client,
    ):
        tracemalloc.start()
        digest = await client.sha256_of(UrlFile(url(server)), 10**9)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert digest.size == 512 * 65536
    assert peak < 8 * 1024 * 1024
