"""A host of files with habits, everything that real ones do: one for each request, the last one for all further ones.

    async with Host([CONTENT], [Habit(fault="reset"), Habit(framing="chunked", coding="UTF-8")]) as host:
        ... host.url, host.requests

What it sends is raw: no library keeps it from doing wrong.
"""

from __future__ import annotations

import asyncio
import gzip
import re
import socket
import struct
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Literal, Self

from tests.support.http_server import RawServer, Request

Framing = Literal["length", "lengths", "chunked", "chunked and length", "close", "HTTP/1.0"]
Fault = Literal["", "cut", "reset", "hang", "drip", "hang before"]


def _raw_deflate(content: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(content) + packer.flush()


# What stands in Content-Encoding, and what is really done with the bytes.
CODINGS: Final[dict[str, Callable[[bytes], bytes]]] = {
    "UTF-8": bytes,
    "aws-chunked": bytes,
    "": bytes,
    "identity": bytes,
    "none": bytes,
    "binary, utf-8": bytes,
    "text/csv; charset=utf-8": bytes,
    "gzip": gzip.compress,
    "X-GZip": gzip.compress,
    "gzip, aws-chunked": gzip.compress,
    "UTF-8 , gzip": gzip.compress,
    "deflate": zlib.compress,
    "Deflate": _raw_deflate,
    "deflate, gzip": lambda content: gzip.compress(zlib.compress(content)),
    "gzip ": lambda content: gzip.compress(content[:7]) + gzip.compress(content[7:]) + b"\0" * 512,
}
CLOSED: Final = ("br", "zstd", "compress", "gzip, br", "exi")  # nobody asked for them, and they are not opened


@dataclass(frozen=True)
class Habit:
    """What is done with one request. Faults happen after `after` bytes of the body as it is sent."""

    status: int = 200  # of the answer instead of the file; redirects lead back to the same file
    framing: Framing = "length"
    coding: str | None = None
    ranges: Literal["obeys", "ignores", "wrong", "416"] = "obeys"
    etag: Literal["strong", "weak", "none", "date"] = "strong"
    fault: Fault = ""
    after: int = 0
    version: int = 0  # which of the contents
    trailing: bytes = b""  # behind the end


class Host:
    def __init__(self, contents: Sequence[bytes], habits: Sequence[Habit]) -> None:
        self._contents, self._habits = contents, habits
        self._server = RawServer(self._serve)
        self.requests: list[Request] = []

    async def __aenter__(self) -> Self:
        await self._server.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._server.__aexit__(kind, error, trace)

    @property
    def port(self) -> int:
        return self._server.port

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"http://{self.address}/data/rain.csv"

    def goes_on_with(self, habits: Sequence[Habit]) -> None:
        """From the next request on."""
        self._habits = [*self._habits[-1:] * len(self.requests), *habits]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, target, _ = head[0].split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
        request = Request(method, target, headers)
        self.requests.append(request)
        habit = self._habits[min(len(self.requests), len(self._habits)) - 1]
        if habit.fault == "hang before":
            await asyncio.sleep(3600)
        if method == "HEAD":
            habit = Habit(status=405)
        await _answer(writer, habit, self._contents[habit.version % len(self._contents)], request)


async def _answer(writer: asyncio.StreamWriter, habit: Habit, content: bytes, request: Request) -> None:
    status, lines = habit.status, list[str]()
    if status != 200:
        if 300 <= status < 400:
            lines.append(f"Location: {request.target}")
        writer.write("\r\n".join([f"HTTP/1.1 {status} X", *lines, "Content-Length: 0", "", ""]).encode())
        await writer.drain()
        return
    status, content, lines = _part(habit, content, request)
    if habit.coding is not None:
        lines.append(f"Content-Encoding: {habit.coding}")
        content = CODINGS.get(habit.coding, bytes)(content)
    body = _framed(habit, content, lines)
    version = "1.0" if habit.framing == "HTTP/1.0" else "1.1"
    writer.write("\r\n".join([f"HTTP/{version} {status} X", *lines, "", ""]).encode())
    await _send(writer, habit, body)


def _part(habit: Habit, content: bytes, request: Request) -> tuple[int, bytes, list[str]]:
    """(status, what is sent, headers) for a request of the whole or of the rest from a position on."""
    tag = f'"v{habit.version}"'
    stamps = {"strong": tag, "weak": f"W/{tag}", "date": f"Mon, 0{1 + habit.version % 9} Jan 2024 00:00:00 GMT"}
    stamp = stamps.get(habit.etag)
    lines = [] if stamp is None else [f"{'Last-Modified' if habit.etag == 'date' else 'ETag'}: {stamp}"]
    match = re.fullmatch(r"bytes=(\d+)-", request.headers.get("range", ""))
    if match is None or habit.ranges == "ignores" or habit.coding in CODINGS or habit.coding in CLOSED:
        return 200, content, lines
    start = int(match[1])
    if habit.ranges == "416" or start >= len(content):
        return 416, b"", [*lines, f"Content-Range: bytes */{len(content)}"]
    if request.headers.get("if-range", stamp) != stamp:
        return 200, content, lines
    if habit.ranges == "wrong":
        start = max(0, start - 1)
    return 206, content[start:], [*lines, f"Content-Range: bytes {start}-{len(content) - 1}/{len(content)}"]


def _framed(habit: Habit, content: bytes, lines: list[str]) -> bytes:
    if habit.framing in ("close", "HTTP/1.0"):
        lines.append("Connection: close")
        return content
    if habit.framing.startswith("chunked"):
        lines.append("Transfer-Encoding: chunked")
        if habit.framing == "chunked and length":
            lines.insert(0, "Content-Length: 5")
        pieces = [content[start : start + 1000] for start in range(0, len(content), 1000)]
        framed = b"".join(b"%x;x=y\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
        return framed + b"0\r\nX-Trailer: t\r\n\r\n" + habit.trailing
    lines.append(f"Content-Length: {len(content)}")
    if habit.framing == "lengths":
        lines.append(f"Content-Length: {len(content)}, {len(content)}")
    return content + habit.trailing


async def _send(writer: asyncio.StreamWriter, habit: Habit, body: bytes) -> None:
    if habit.fault == "drip":
        for start in range(0, len(body), max(1, len(body) // 7)):
            writer.write(body[start : start + max(1, len(body) // 7)])
            await writer.drain()
            await asyncio.sleep(0.002)
        return
    writer.write(body[: habit.after] if habit.fault else body)
    await writer.drain()
    if habit.fault == "hang":
        await asyncio.sleep(3600)
    if habit.fault == "reset":
        await asyncio.sleep(0.01)  # what was sent may arrive
        connection: socket.socket = writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
