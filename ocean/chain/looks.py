"""Looking at the chain's head for many who ask at once: at most one look at a time, and nobody gets an older one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable


class Looks:
    """`look` catches up and answers the head. Whoever asks gets the outcome of a look that began after the question, so
    that a client sees its own transaction; all who ask during a look share the next one."""

    def __init__(self, look: Callable[[], Awaitable[int]]) -> None:
        self._look = look
        self._running: asyncio.Task[int] | None = None
        self._next: asyncio.Task[int] | None = None

    async def now(self, timeout_seconds: float) -> int:
        """Raises TimeoutError, after which the look goes on, and what `look` raises."""
        if self._next is None:
            self._next = asyncio.create_task(self._after(self._running))
        async with asyncio.timeout(timeout_seconds):
            return await asyncio.shield(self._next)

    async def close(self) -> None:
        tasks = [task for task in (self._running, self._next) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _after(self, before: asyncio.Task[int] | None) -> int:
        if before is not None:
            await asyncio.wait([before])
        self._running, self._next = self._next, None
        return await self._look()
