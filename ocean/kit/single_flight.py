"""The same question, asked by several at once, is answered once.

The work belongs to nobody who asked: it goes on although all of them hang up, and what it raises then is no warning of
asyncio's. An answer is not remembered: who asks after the end asks anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
T = TypeVar("T")


class SingleFlight(Generic[Key, T]):
    """By key. Whoever owns it awaits `close` or `drain` at the end."""

    def __init__(self) -> None:
        self._running: dict[Key, asyncio.Task[T]] = {}

    async def run(self, key: Key, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """The outcome of the work that is under way for this key, else of `work()`. Raises what that raises."""
        task = self._running.get(key)
        if task is None or task.done():
            task = self._running[key] = asyncio.create_task(work())
            task.add_done_callback(lambda ended: self._forget(key, ended))
        return await asyncio.shield(task)

    async def close(self) -> None:
        """Cancel what is under way, and wait for its end. Those who wait for it are cancelled too."""
        for task in self._running.values():
            task.cancel()
        await self.drain()

    async def drain(self) -> None:
        """Wait until what is under way has ended, however."""
        await asyncio.gather(*self._running.values(), return_exceptions=True)

    def _forget(self, key: Key, ended: asyncio.Task[T]) -> None:
        if self._running.get(key) is ended:
            del self._running[key]
        if not ended.cancelled():
            ended.exception()  # those who asked may all have left
