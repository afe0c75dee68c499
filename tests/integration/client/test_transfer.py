"""One result on its way, from a server that cuts, changes and lies."""

from __future__ import annotations

import hashlib
import http.server
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import httpx
import pytest

from client.exits import Unreachable
from client.jobs.transfer import Parts, fetched
from client.provider import Provider
from ocean.client import ConsumerError
from ocean.keys import address_of
from tests.support.quiet_server import QuietServer

pytestmark = pytest.mark.integration
KEY = "0x" + "11" * 32
CONTENT = bytes(range(256)) * 4000
RESULT = "/api/services/computeResult"


@dataclass
class Source:
    """`cuts`: how many bytes each answer brings before the connection ends, one after the other; then all."""

    content: bytes = CONTENT
    cuts: list[int] = field(default_factory=list)
    ranges: bool = True
    etag: str | None = None
    asked: list[str] = field(default_factory=list)
    refusals: list[dict[str, str]] = field(default_factory=list)

    @property
    def tag(self) -> str:
        return f'"{hashlib.sha256(self.content).hexdigest()}"' if self.etag is None else self.etag


class Handler(http.server.BaseHTTPRequestHandler):
    source: ClassVar[Source]

    def do_GET(self) -> None:
        endpoints = {"nonce": ["GET", "/nonce"], "computeResult": ["GET", RESULT]}
        if self.path.startswith(RESULT):
            self._result()
        elif self.path.startswith("/nonce"):
            self._json(200, {"nonce": "1"})
        else:
            self._json(200, {"serviceEndpoints": endpoints})

    def _json(self, status: int, document: Any) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _result(self) -> None:
        source, given = self.source, self.headers.get("range", "")
        source.asked.append(given)
        if source.refusals:
            self._json(400, {"errors": source.refusals.pop()})
            return
        start = 0
        if given and source.ranges and self.headers.get("if-range") == source.tag:
            start = int(given.removeprefix("bytes=").removesuffix("-"))
        if start >= len(source.content):
            self._json(416, {"error": "nothing there"})
            return
        body = source.content[start:]
        self.send_response(206 if start else 200)
        if start:
            self.send_header("content-range", f"bytes {start}-{len(source.content) - 1}/{len(source.content)}")
        if source.tag:
            self.send_header("etag", source.tag)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: source.cuts.pop(0)] if source.cuts else body)
        self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


@pytest.fixture
def source() -> Source:
    return Source()


@pytest.fixture
def url(source: Source) -> Iterator[str]:
    server = QuietServer(("127.0.0.1", 0), type("Of", (Handler,), {"source": source}))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


async def fetch(url: str, folder: Path, size: int | None = len(CONTENT)) -> bytes:
    async with Provider(url, KEY, address=address_of(KEY)) as provider:
        return (await fetched(provider, Parts(folder, "job"), 0, size)).read_bytes()


async def test_it_goes_on_where_it_broke_off(url: str, source: Source, tmp_path: Path) -> None:
    source.cuts = [300_000, 1, 200_000]
    assert await fetch(url, tmp_path) == CONTENT
    assert source.asked == ["", "bytes=300000-", "bytes=300001-", "bytes=500001-"]


async def test_another_run_goes_on(url: str, source: Source, tmp_path: Path) -> None:
    source.cuts = [300_000, *[0] * 5]
    with pytest.raises(httpx.TransportError):
        await fetch(url, tmp_path)
    source.asked.clear()
    assert await fetch(url, tmp_path) == CONTENT
    assert source.asked == ["bytes=300000-"]
    assert await fetch(url, tmp_path) == CONTENT  # whole: nothing follows, so it is asked for once more


async def test_contents_are_never_joined(url: str, source: Source, tmp_path: Path) -> None:
    source.cuts = [300_000, *[0] * 5]
    with pytest.raises(httpx.TransportError):
        await fetch(url, tmp_path)
    source.content = CONTENT[::-1]
    assert await fetch(url, tmp_path) == CONTENT[::-1]


@pytest.mark.parametrize("etag", ["", None, '"v1"'])
async def test_without_ranges(url: str, source: Source, tmp_path: Path, etag: str | None) -> None:
    source.ranges, source.etag, source.cuts = False, etag, [300_000, 400_000]
    assert await fetch(url, tmp_path) == CONTENT


async def test_it_is_not_what_it_says(url: str, source: Source, tmp_path: Path) -> None:
    source.etag = f'"{"0" * 64}"'
    with pytest.raises(Unreachable, match="another digest"):
        await fetch(url, tmp_path)
    source.etag = ""
    with pytest.raises(Unreachable, match="sends more"):
        await fetch(url, tmp_path, len(CONTENT) - 1)
    with pytest.raises(Unreachable, match="the provider says that it has"):
        await fetch(url, tmp_path, len(CONTENT) + 1)
    assert [path.name for path in (tmp_path / ".c2d-parts").iterdir()] == []


async def test_a_nonce_that_was_used(url: str, source: Source, tmp_path: Path) -> None:
    source.refusals = [{"signature": "Invalid signature expected nonce (7) > current nonce (7)."}] * 6
    assert await fetch(url, tmp_path) == CONTENT
    source.refusals = [{"signature": "Invalid signature"}]
    with pytest.raises(ConsumerError):
        await fetch(url, tmp_path / "other")
