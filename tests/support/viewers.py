"""Viewers of a job: server-sent events as a browser reads them, from the application itself or over a connection."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
from starlette.types import ASGIApp, Message


@dataclass
class Event:
    name: str
    id: str
    data: Any


@dataclass
class Parser:
    """Pieces of a stream in, events out; `comments` counts heartbeats."""

    rest: bytes = b""
    comments: int = 0
    retry: str = ""

    def take(self, piece: bytes) -> Iterator[Event]:
        *blocks, self.rest = (self.rest + piece).split(b"\n\n")
        for block in blocks:
            fields: dict[str, str] = {}
            for line in block.decode().split("\n"):
                name, _, value = line.partition(":")
                if name == "":
                    self.comments += 1
                fields[name] = value.removeprefix(" ")
            self.retry = fields.get("retry", self.retry)
            if "data" in fields:
                yield Event(fields["event"], fields["id"], json.loads(fields["data"]))


@dataclass
class Viewer:
    """What one connection has brought so far. `wait_for` waits for an event."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    body: bytes = b""
    parser: Parser = field(default_factory=Parser)
    closed: bool = False
    reads: asyncio.Event = field(default_factory=asyncio.Event)  # cleared: it does not take what is sent
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    def __post_init__(self) -> None:
        self.reads.set()

    @property
    def log(self) -> str:
        return "".join(event.data["text"] for event in self.events if event.name == "log")

    @property
    def last_id(self) -> str:
        return self.events[-1].id if self.events else ""

    def named(self, name: str) -> list[Any]:
        return [event.data for event in self.events if event.name == name]

    async def wait_for(self, what: Any, seconds: float = 60) -> None:
        """`what(viewer)` is true."""
        async with asyncio.timeout(seconds), self._changed:
            await self._changed.wait_for(lambda: what(self))

    async def take(self, message: Message) -> None:
        await self.reads.wait()
        async with self._changed:
            if message["type"] == "http.response.start":
                self.status = message["status"]
                self.headers = {name.decode(): value.decode() for name, value in message["headers"]}
            else:
                self.body += message.get("body", b"")
                self.events += self.parser.take(message.get("body", b""))
                self.closed = not message.get("more_body")
            self._changed.notify_all()


@asynccontextmanager
async def watching(
    app: ASGIApp, path: str, *, query: str = "", headers: Mapping[str, str] | None = None
) -> AsyncIterator[Viewer]:
    """A GET without sockets, whose answer may have no end; leaving the block hangs up."""
    viewer, left = Viewer(), asyncio.Event()
    first: list[Message] = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> Message:
        if first:
            return first.pop()
        await left.wait()
        return {"type": "http.disconnect"}

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()],
        "client": ("127.0.0.1", 1),
        "server": ("provider", 80),
    }
    task = asyncio.ensure_future(app(scope, receive, viewer.take))
    try:
        yield viewer
    finally:
        left.set()
        viewer.reads.set()
        await task


async def read_events(
    client: httpx.AsyncClient, url: str, token: str, last_id: str = "", parser: Parser | None = None
) -> AsyncGenerator[Event, None]:
    """Over a connection, until it ends. Raises httpx.HTTPStatusError."""
    parser = parser or Parser()
    headers = {"AuthToken": token, **({"Last-Event-ID": last_id} if last_id else {})}
    async with client.stream("GET", url, headers=headers, timeout=httpx.Timeout(60, read=60)) as response:
        response.raise_for_status()
        async for piece in response.aiter_bytes():
            for event in parser.take(piece):
                yield event


@dataclass
class Follower:
    """As a browser does: comes back with the id of the last event whenever the stream ends, until the job has ended."""

    url: str
    token: str
    events: list[Event] = field(default_factory=list)
    text: str = ""
    connections: int = 0
    failures: int = 0

    async def follow(self, pause_seconds: float = 0.1) -> None:
        async with httpx.AsyncClient(trust_env=False) as client:
            while not (self.events and self.events[-1].name == "end"):
                self.connections += 1
                last_id = self.events[-1].id if self.events else ""
                try:
                    async for event in read_events(client, self.url, self.token, last_id):
                        self._take(event)
                except (httpx.TransportError, httpx.HTTPStatusError):
                    self.failures += 1
                await asyncio.sleep(pause_seconds)

    def _take(self, event: Event) -> None:
        self.events.append(event)
        if event.name == "log":
            assert event.data["offset"] == len(self.text.encode()), "a gap in the log, or a part of it twice"
            self.text += event.data["text"]
            assert event.data["next"] == len(self.text.encode())

    @property
    def states(self) -> list[int]:
        return [event.data["status"] for event in self.events if event.name == "state"]
