"""The hubs of a process, by job: there is one as long as somebody looks, and a little longer.

A hub outlives its last viewer for a few seconds, so that one who reconnects or polls finds it as it was. There are only
so many viewers, of all accounts and of each; those who only poll count as lingering.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import Context
from dataclasses import dataclass, field
from typing import Final

from argo.client.records import Workflow
from provider_api.environments.catalogue import Environments
from provider_api.http.errors import NeighbourAway, TooMuchAsked
from provider_api.jobs.live.hub import Hub
from provider_api.jobs.live.log import Room
from provider_api.jobs.read import JobReader
from provider_api.jobs.records import Argo
from provider_api.settings import LiveSettings

LINGER_SECONDS: Final = 15.0


@dataclass(slots=True, eq=False)
class _Kept:
    hub: Hub
    task: asyncio.Task[None]
    viewers: int = 0
    leaving: asyncio.TimerHandle | None = field(default=None)


class LiveJobs:
    """One for each process."""

    def __init__(self, settings: LiveSettings, argo: Argo, reader: JobReader, environments: Environments) -> None:
        self._settings, self._argo, self._reader, self._environments = settings, argo, reader, environments
        self._room = Room(settings.memory_mib << 20)
        self._kept: dict[str, _Kept] = {}
        self._viewers: Counter[str] = Counter()  # by account
        self._ending: set[asyncio.Task[None]] = set()
        self._closing: dict[asyncio.Event, asyncio.Task[None]] = {}
        self._closed = False

    @property
    def hubs(self) -> int:
        return len(self._kept)

    @property
    def viewers(self) -> int:
        return self._viewers.total()

    def known(self, job_id: str, account: str) -> bool:
        """Whether somebody looks at this job of this account (canonical) already, so that Argo need not be asked."""
        kept = self._kept.get(job_id)
        return kept is not None and not kept.hub.closed and kept.hub.owner == account

    @contextmanager
    def viewing(self, job_id: str, workflow: Workflow | None) -> Iterator[Hub]:
        """Look at a job of the caller. `workflow`: as read just now; None for one that is known.
        Raises TooMuchAsked, NeighbourAway."""
        self._require_open()
        if self.viewers >= self._settings.viewers:
            raise NeighbourAway("As many jobs are being watched here as can be.")
        kept = self._get(job_id, workflow)
        account = kept.hub.owner
        if self._viewers[account] >= self._settings.viewers_each:
            raise TooMuchAsked("Your account watches as many jobs at once as one may.")
        self._viewers[account] += 1
        kept.viewers += 1
        try:
            yield kept.hub
        finally:
            self._viewers = self._viewers - Counter([account])
            kept.viewers -= 1
            self._linger(job_id, kept)

    def glance(self, job_id: str, workflow: Workflow | None) -> Hub:
        """The same for a moment. Raises NeighbourAway."""
        self._require_open()
        kept = self._get(job_id, workflow)
        self._linger(job_id, kept)
        return kept.hub

    def close_with(self, closing: asyncio.Event) -> None:
        """Viewers end when this server begins to shut down: it would wait for them."""
        if closing not in self._closing:
            self._closing[closing] = asyncio.create_task(self._close_at(closing))

    async def close(self) -> None:
        self._send_away()
        tasks = [*self._closing.values(), *(kept.task for kept in self._kept.values()), *self._ending]
        for kept in self._kept.values():
            if kept.leaving is not None:
                kept.leaving.cancel()
        self._kept.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # --- one hub -----------------------------------------------------------------------------------------------------

    def _get(self, job_id: str, workflow: Workflow | None) -> _Kept:
        kept = self._kept.get(job_id)
        if kept is not None and not kept.hub.closed:
            return kept
        if kept is not None:
            self._drop(job_id, kept)
        if workflow is None:
            raise NeighbourAway("What is known of the job has just been given up; ask again.")
        if len(self._kept) >= self._settings.viewers:
            self._drop_lingering()
        hub = Hub(workflow, self._argo, self._reader, self._environments, self._room, self._settings.log_bytes)
        task = asyncio.create_task(hub.run(), context=Context())  # it is not part of this viewer's request
        kept = self._kept[job_id] = _Kept(hub, task)
        return kept

    def _linger(self, job_id: str, kept: _Kept) -> None:
        """Keep it for a while after the last look. Who polls does not keep one that is over: owners may decide."""
        if kept.leaving is not None and kept.hub.over and not kept.viewers:
            return
        if kept.leaving is not None:
            kept.leaving.cancel()
            kept.leaving = None
        if not kept.viewers:
            later = asyncio.get_running_loop().call_later(LINGER_SECONDS, self._leave, job_id, kept)
            kept.leaving = later

    def _leave(self, job_id: str, kept: _Kept) -> None:
        if not kept.viewers:
            self._drop(job_id, kept)

    def _drop(self, job_id: str, kept: _Kept) -> None:
        if kept.leaving is not None:
            kept.leaving.cancel()
        if self._kept.get(job_id) is kept:
            del self._kept[job_id]
        kept.hub.close()
        kept.task.cancel()
        self._ending.add(kept.task)
        kept.task.add_done_callback(self._ending.discard)
        kept.hub.log.drop()

    def _drop_lingering(self) -> None:
        """Make room for one more. Raises NeighbourAway."""
        for job_id, kept in self._kept.items():
            if not kept.viewers:
                self._drop(job_id, kept)
                return
        raise NeighbourAway("As many jobs are being watched here as can be.")

    # --- the end -----------------------------------------------------------------------------------------------------

    def _require_open(self) -> None:
        if self._closed:
            raise NeighbourAway("This process is about to end.", 1)

    async def _close_at(self, closing: asyncio.Event) -> None:
        await closing.wait()
        self._send_away()

    def _send_away(self) -> None:
        self._closed = True
        for kept in self._kept.values():
            kept.hub.close()
