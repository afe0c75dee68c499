"""Work in the background that cannot end in silence: whatever a task raises is logged when it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from typing import Any

from argo.local.troubles import report


class Tasks:
    """Tasks of one owner. They are kept until they end, and `close` ends them."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (exc := task.exception()) is not None:
            report("background_task_failed", exc, task=task.get_name())

    def __iter__(self) -> Iterator[asyncio.Task[None]]:
        return iter(tuple(self._tasks))

    def cancel(self) -> None:
        for task in self:
            task.cancel()

    async def close(self) -> None:
        """Cancel what runs and wait for it."""
        self.cancel()
        await asyncio.gather(*self, return_exceptions=True)
