"""How long results are kept: as long as their environment said when the job was started.

Whether they are over is a matter of the workflow alone, so nothing is shown or delivered a second later than promised.
The bytes are removed by a sweep, which may run in every process and as often as it likes. A workflow outlives its
results by an hour (`record_seconds`); results whose workflow is gone all the same are found in the store (`orphans`).
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import structlog

from argo.client.errors import ArgoError
from argo.client.records import ARCHIVING, PENDING, Workflow
from contract import names
from ocean.kit.digits import number_or_zero
from provider_api.http.errors import ApiError, NeighbourAway
from provider_api.jobs.orphans import Orphans
from provider_api.jobs.records import Argo

log = structlog.get_logger(__name__)

SWEEP_SECONDS = 600.0  # at least six times before a workflow goes
ORPHANS_SECONDS = 6 * 3600.0
ARCHIVED_SECONDS = 600.0  # after its end Argo has written a job into its archive, if it has one
AWAY_IN_A_ROW = 3  # jobs for which the store did not answer: then a round asks it no more


class Results(Protocol):
    """What is asked of the result store here."""

    async def delete(self, job_id: str) -> None: ...

    async def remove_refused(self, workflow: Workflow) -> bool: ...


def kept_seconds(workflow: Workflow) -> int:
    """How long the results of a job are kept after its end; 0: for ever."""
    return number_or_zero(workflow.annotations.get(names.STORAGE_EXPIRY, ""))


def expires_at(workflow: Workflow) -> float | None:
    """When the results of a finished job are over, Unix seconds; None: never, or not finished yet."""
    kept = kept_seconds(workflow)
    if not workflow.finished or kept == 0:
        return None
    return (workflow.finished_at or workflow.created_at).timestamp() + kept


def is_expired(workflow: Workflow, now: float) -> bool:
    end = expires_at(workflow)
    return end is not None and end <= now


def is_unarchived(workflow: Workflow, now: float) -> bool:
    """Whether Argo should have written it into its archive, and has not: its time is never over then."""
    ended = workflow.finished_at
    return (
        workflow.labels.get(ARCHIVING) == PENDING and ended is not None and ended.timestamp() + ARCHIVED_SECONDS < now
    )


@dataclass(slots=True)
class Round:
    """What one sweep has done and seen: numbers of jobs."""

    removed: int = 0  # whose results it has removed
    left: int = 0  # whose results it could not remove
    unarchived: int = 0


class Sweeper:
    """Removes results that are over, and results that nobody can ask for any more. One for each process."""

    def __init__(
        self,
        argo: Argo,
        results: Results,
        told: Callable[[Round], None] = lambda _: None,  # of each round
        orphans: Orphans | None = None,
    ) -> None:
        self._argo, self._results, self._orphans = argo, results, orphans
        self._told = told
        self._swept: set[str] = set()
        self._refused: set[str] = set()  # jobs whose refused results are gone

    async def run(self) -> None:
        """Sweep for ever; a bad round is logged. End it by cancelling."""
        next_orphans = 0.0
        while True:
            await asyncio.sleep(SWEEP_SECONDS * random.uniform(0.5, 1.0))  # noqa: S311  replicas take turns
            try:
                self._told(await self.sweep(time.time()))
                if self._orphans is not None and time.monotonic() >= next_orphans:
                    next_orphans = time.monotonic() + ORPHANS_SECONDS
                    await self._orphans.sweep(time.time())
            except (ArgoError, ApiError) as exc:
                log.warning("results_not_swept", reason=type(exc).__name__)
            except Exception:
                log.exception("results_not_swept")

    async def sweep(self, now: float) -> Round:
        """Remove what is over. Raises ArgoError.

        Of all workflows of ours, whether their environment is still there or not. A job whose results cannot be removed
        is told, and tried again in the next round.
        """
        over: set[str] = set()
        done, away = Round(), 0
        async for page in self._argo.pages({names.ENVIRONMENT: names.ANY}, skip_unreachable=True, nodes=False):
            done.unarchived += sum(is_unarchived(job, now) for job in page)
            for job_id in (job.name for job in page if is_expired(job, now)):
                if job_id in self._swept:
                    over.add(job_id)
                    continue
                if away >= AWAY_IN_A_ROW:
                    done.left += 1
                    continue
                try:
                    await self._results.delete(job_id)
                except ApiError as exc:
                    done.left += 1
                    away = away + 1 if isinstance(exc, NeighbourAway) else 0
                    log.warning("results_not_removed", job_id=job_id, reason=str(exc))
                    continue
                away = 0
                over.add(job_id)
                done.removed += 1
                log.info("results_expired", job_id=job_id)
        self._swept = over  # those whose workflow is gone need not be remembered
        await self._sweep_refused()
        return done

    async def _sweep_refused(self) -> None:
        """Results that waited for owners of their datasets, and were refused or not released in time."""
        found: set[str] = set()
        async for page in self._argo.pages({names.APPROVAL: "owner"}, skip_unreachable=True):
            for job in (job for job in page if job.finished):
                try:
                    if job.name in self._refused or await self._results.remove_refused(job):
                        found.add(job.name)
                except ApiError as exc:
                    log.warning("refused_results_not_removed", job_id=job.name, reason=str(exc))
        self._refused = found
