"""Between a client and an Argo Server: counts what is asked, and makes of watches what networks and servers make."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from aiohttp import ClientError, ClientSession, ClientTimeout, web

from tests.support.serving import served

WATCH: Final = "/api/v1/workflow-events/"
HEADERS: Final = ("Authorization", "Accept", "Content-Type")


@dataclass(eq=False)
class Watch:
    """One that is open. `None` in the queue ends it."""

    query: dict[str, str]
    authorization: str
    lines: asyncio.Queue[bytes | None] = field(default_factory=asyncio.Queue)
    broken: bool = False  # its connection ends in the middle of the answer


class ArgoProxy:
    """Passes everything on to `target`. Change the attributes to change its habits."""

    def __init__(self, target: str) -> None:
        self.target, self.url = target, ""
        self.calls: list[str] = []  # "GET /path" of everything but watches
        self.watches: list[Watch] = []  # open ones
        self.opened: list[Watch] = []  # all so far
        self.swallows_events = False  # and goes on with comments
        self.answer: tuple[int, bytes] | None = None  # said to whoever asks for a watch

    def reads_of(self, name: str) -> int:
        """How often that workflow was read by name."""
        return sum(call.startswith("GET ") and call.endswith("/" + name) for call in self.calls)

    def say(self, line: bytes) -> None:
        """In all open watches."""
        for watch in self.watches:
            watch.lines.put_nowait(line)

    def end_watches(self, *, broken: bool = False) -> None:
        for watch in self.watches:
            watch.broken = broken
            watch.lines.put_nowait(None)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        headers = {name: request.headers[name] for name in HEADERS if name in request.headers}
        url = self.target + request.raw_path
        if not request.path.startswith(WATCH):
            self.calls.append(f"{request.method} {request.path}")
        elif self.answer is not None:
            return web.Response(status=self.answer[0], body=self.answer[1])
        try:
            async with ClientSession(timeout=ClientTimeout(total=None), auto_decompress=False) as session:
                body = await request.read()
                async with session.request(request.method, url, headers=headers, data=body or None) as given:
                    if request.path.startswith(WATCH) and given.status == 200:
                        return await self._watch(request, given.content, given.content_type)
                    return web.Response(
                        status=given.status, body=await given.read(), content_type=given.content_type or None
                    )
        except ClientError:
            return web.Response(status=502)

    async def _watch(self, request: web.Request, given: AsyncIterator[bytes], kind: str) -> web.StreamResponse:
        watch = Watch(dict(request.query), request.headers.get("Authorization", ""))
        answer = web.StreamResponse(headers={"Content-Type": kind})
        self.watches.append(watch)
        self.opened.append(watch)
        pump = asyncio.create_task(self._pump(given, watch))
        try:
            await answer.prepare(request)
            while (line := await watch.lines.get()) is not None:
                await answer.write(line)
            if watch.broken and request.transport is not None:
                request.transport.close()
        finally:
            self.watches.remove(watch)
            pump.cancel()
            await asyncio.gather(pump, return_exceptions=True)
        return answer

    async def _pump(self, given: AsyncIterator[bytes], watch: Watch) -> None:
        try:
            async for line in given:
                if not (self.swallows_events and line.startswith(b"data:")):
                    watch.lines.put_nowait(line)
        except ClientError:
            watch.broken = True
        watch.lines.put_nowait(None)


@asynccontextmanager
async def argo_proxy(target: str) -> AsyncIterator[ArgoProxy]:
    proxy = ArgoProxy(target)
    app = web.Application(client_max_size=16 << 20)
    app.router.add_route("*", "/{path:.*}", proxy.handle)
    async with served(app) as proxy.url:
        yield proxy
