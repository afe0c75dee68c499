"""A file on its way to a consumer. Whatever ends the answer also closes where the file comes from.

A source that breaks ends the connection: the announced length is not reached, or the last chunk is missing, and no
client takes a part for the whole.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack
from typing import Any

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send


class StreamedFile(StreamingResponse):
    """`opened` holds what the chunks come from; `finished` is called with the number of bytes once all are sent."""

    def __init__(
        self,
        chunks: AsyncIterator[bytes],
        status: int,
        headers: Mapping[str, str],
        *,
        opened: AsyncExitStack | None = None,
        finished: Callable[[int], None] | None = None,
    ) -> None:
        self._opened, self._finished = opened or AsyncExitStack(), finished
        super().__init__(self._counted(chunks), status, dict(headers), media_type=headers.get("Content-Type"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._opened:
            await super().__call__(scope, receive, send)

    async def _counted(self, chunks: AsyncIterator[bytes]) -> AsyncIterator[Any]:
        sent = 0
        async for chunk in chunks:
            yield chunk
            sent += len(chunk)
        if self._finished is not None:
            self._finished(sent)
