"""Server-sent events on their way to a viewer (https://html.spec.whatwg.org/multipage/server-sent-events.html).

The next event is made when the last one has been taken, so a viewer who does not read costs no more than the buffer of
its connection; one who takes nothing for `SEND_SECONDS` is given up, and may come back.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import ExitStack, aclosing
from typing import Final

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from provider_api.http.protocol import connection_of

SEND_SECONDS: Final = 30.0
UNSTORED: Final = {
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",  # nginx and others pass on each piece at once
}


class EventStream(Response):
    """`opened` is closed at the end, whatever ends the answer."""

    media_type = "text/event-stream"

    def __init__(self, frames: AsyncGenerator[bytes, None], opened: ExitStack) -> None:
        self._frames, self._opened = frames, opened
        super().__init__(None, 200, UNSTORED)
        del self.headers["content-length"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._opened:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            if await self._sent(receive, send):
                await send({"type": "http.response.body", "body": b""})
            elif (connection := connection_of(scope)) is not None:
                connection.abort()  # what waits to be sent would keep it open
                await receive()

    async def _sent(self, receive: Receive, send: Send) -> bool:
        """Whether the viewer has got everything; or it has left, or does not read."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(None) as limit, aclosing(self._frames) as frames:
                gone = asyncio.create_task(_end_with(receive, limit))
                try:
                    async for frame in frames:
                        limit.reschedule(loop.time() + SEND_SECONDS)
                        await send({"type": "http.response.body", "body": frame, "more_body": True})
                        limit.reschedule(loop.time() if gone.done() else None)
                finally:
                    gone.cancel()
        except TimeoutError:
            if not limit.expired():
                raise
            return False
        return True


async def _end_with(receive: Receive, limit: asyncio.Timeout) -> None:
    """When the viewer leaves, so does who sends to it."""
    while (await receive())["type"] != "http.disconnect":
        pass
    if not limit.expired():
        limit.reschedule(asyncio.get_running_loop().time())
