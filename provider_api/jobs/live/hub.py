"""One job that somebody looks at: what is so now, read once for all its viewers.

The watch of the Argo Server wakes it; then the workflow is read once, by name, or not at all if a status has just read
it. What a watch would not tell (places in the line, decisions of owners, a watch that has lost its voice) is looked at
now and then; while there is no watch, so is the job itself. What fails is tried again: viewers keep what they have.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

import structlog

from argo.client.errors import ArgoError
from argo.client.records import Workflow
from argo.client.seen import CONFIRMED_SECONDS
from contract import names
from ocean.kit.compact_json import compact_json
from ocean.kit.together import together
from provider_api.environments.catalogue import Environments
from provider_api.http.errors import ApiError
from provider_api.jobs.live.bell import Bell, rings
from provider_api.jobs.live.log import LiveLog, Room
from provider_api.jobs.live.log_rule import log_rule
from provider_api.jobs.live.state import state_of
from provider_api.jobs.live.waiting import place_of
from provider_api.jobs.places import Line
from provider_api.jobs.read import JobReader
from provider_api.jobs.records import Argo, find_existing

log = structlog.get_logger(__name__)

UNWATCHED_SECONDS: Final = 3.0  # between two reads while no watch tells what changes, or something failed
LINE_SECONDS: Final = 3.0  # between two looks at the line in which a job waits
SETTLE_SECONDS: Final = 0.1  # Argo writes several changes one after the other
GROWN_SECONDS: Final = 0.1  # lines that come within this time are told together
_MARK_LETTERS: Final = 12


class Hub:
    """`run` keeps it up to date until the job is over; `over` says so. Attributes are for viewers to read."""

    def __init__(
        self, workflow: Workflow, argo: Argo, reader: JobReader, environments: Environments, room: Room, log_bytes: int
    ) -> None:
        self._argo, self._reader, self._environments, self._log_bytes = argo, reader, environments, log_bytes
        self._workflow = workflow
        self.job_id, self.owner = workflow.name, workflow.labels.get(names.OWNER, "")
        self.news = Bell()
        self.state: Mapping[str, Any] | None = None  # None before the first look
        self.state_mark = ""
        self.line: Mapping[str, Any] | None = None  # only while the job waits
        self.results: Sequence[Mapping[str, Any]] = ()
        self.results_mark = ""
        self.over = False  # nothing will change any more, except by a decision of owners
        self.deleted = False
        self.closed = False  # viewers are to go, and come back if they like
        self.log = LiveLog(log_rule(workflow, log_bytes), room, self._log_has_grown)
        self._looked, self._heard = Bell(), asyncio.Event()
        self._telling: asyncio.TimerHandle | None = None

    async def run(self) -> None:
        """End it by cancelling."""
        try:
            await together(self._keep(), self.log.follow(self._argo, lambda: self._workflow, self._looked))
        except Exception:
            log.exception("job_not_shown", job_id=self.job_id)
            self.close()
        finally:
            if self._telling is not None:
                self._telling.cancel()

    def close(self) -> None:
        """Send the viewers away."""
        self.closed = True
        self.news.ring()

    async def first_look(self, seconds: float) -> bool:
        """Whether there is something to show, within that time."""
        ring = self.news.next_ring
        return self.state is not None or (await rings(ring, seconds) and self.state is not None)

    # --- states ------------------------------------------------------------------------------------------------------

    async def _keep(self) -> None:
        with self._argo.listening(self.job_id, self._heard.set):
            while not self.over:
                self._heard.clear()
                good = False
                try:
                    await self._look()
                    good = True
                except (ArgoError, ApiError) as exc:
                    log.info("job_not_looked_at", job_id=self.job_id, reason=type(exc).__name__)
                if not self.over:
                    await self._rest(good=good)
        if self.deleted and not self.log.ended:
            self.log.end("gone")

    async def _rest(self, *, good: bool) -> None:
        """Until it is worth looking again."""
        if not (good and self._argo.is_watched(self.job_id)):
            await asyncio.sleep(UNWATCHED_SECONDS * random.uniform(0.7, 1.0))  # noqa: S311  (not all at once)
            return
        if await rings(self._heard, CONFIRMED_SECONDS if self.line is None else LINE_SECONDS):
            await asyncio.sleep(SETTLE_SECONDS)

    async def _look(self) -> None:
        """Raises ArgoError, ApiError."""
        workflow = await find_existing(self._argo, self.job_id, may_lag=True)
        if workflow is None:
            self.deleted = self.over = True
        else:
            await self._show(workflow)
        self._looked.ring()
        self.news.ring()

    async def _show(self, workflow: Workflow) -> None:
        job, line = await self._reader.shown(workflow)
        waits = None if line is None else await self._place(line)
        self._workflow = workflow
        rule = log_rule(workflow, self._log_bytes)
        if rule.most == 0 and self.log.ended != rule.why:
            self.log.forbid(rule.why)
        self.line = waits
        self.state = state_of(job, workflow)
        self.state_mark = mark_of(self.state)
        if job["results"]:
            self.results = job["results"]
            self.results_mark = mark_of(self.results)
        self.over = self.state["step"] in ("approval", "finished")

    async def _place(self, line: Line) -> Mapping[str, Any]:
        environment = self._workflow.labels.get(names.ENVIRONMENT, "")
        known = (await self._environments.current()).environments.get(environment)
        return place_of(line, known, time.time())

    # --- log ---------------------------------------------------------------------------------------------------------

    def _log_has_grown(self) -> None:
        """Tell it soon: a program may print a thousand lines at once."""
        if self._telling is None:
            self._telling = asyncio.get_running_loop().call_later(GROWN_SECONDS, self._tell_log)

    def _tell_log(self) -> None:
        self._telling = None
        self.news.ring()


def mark_of(value: Any) -> str:
    """Stands for what somebody has been told."""
    return hashlib.sha256(compact_json(value, sort_keys=True).encode()).hexdigest()[:_MARK_LETTERS]
