"""An unfinished workflow in memory: its state, its row, and the work that is done for it at the moment."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeVar

from argo.local.engine.node import Node
from argo.local.engine.state import Run
from argo.local.engine.step import Observation
from argo.local.workflows.rows import Row
from argo.local.workflows.tasks import Tasks

T = TypeVar("T")


@dataclass(slots=True)
class Active:
    """`row` is what is stored, `run` what the engine works with; while a save fails, `run` is ahead."""

    run: Run
    row: Row
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    observations: dict[str, Observation] = field(default_factory=dict)
    watched: set[str] = field(default_factory=set)  # ids of nodes whose pods are started or being started
    to_start: list[Node] = field(default_factory=list)  # decided, done once the decision is stored
    to_stop: list[Node] = field(default_factory=list)
    gave_back: bool = False  # its semaphore; others are told once that is stored
    fault: str = ""  # why this workflow can only be given up
    tasks: Tasks = field(default_factory=Tasks)
    threads: set[asyncio.Future[Any]] = field(default_factory=set)  # work that a cancelled task leaves behind
    _timer: asyncio.TimerHandle | None = None

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        self.tasks.spawn(work, self.run.name)

    async def in_thread(self, work: Callable[..., T], *arguments: Any) -> T:
        future = asyncio.get_running_loop().run_in_executor(None, work, *arguments)
        self.threads.add(future)
        future.add_done_callback(self.threads.discard)
        return await asyncio.shield(future)

    def wake_in(self, seconds: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if seconds is None else asyncio.get_running_loop().call_later(seconds, self.wake.set)

    def close(self) -> None:
        """Look at it no more."""
        self.wake_in(None)
        self.tasks.cancel()
