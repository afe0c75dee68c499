"""How long results are kept: as long as their environment said when the job was started.

Whether they are over is a matter of the workflow alone, so nothing is shown or delivered a second later than promised.
The bytes are removed by a sweep, which may run in every process and as often as it likes. A workflow outlives its
results by an hour (`record_seconds`); results whose workflow is gone before a sweep has seen it stay in the store.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from typing import Protocol

import structlog

from argo.client.errors import ArgoError
from argo.client.records import Workflow
from provider_api.errors import ApiError
from provider_api.jobs.environments import Environments
from provider_api.jobs.records import Argo
from workflow_templates import names

log = structlog.get_logger(__name__)

SWEEP_SECONDS = 600.0  # at least six times before a workflow goes


class Results(Protocol):
    """What is asked of the result store here."""

    async def delete(self, job_id: str) -> None: ...


def expires_at(workflow: Workflow) -> float | None:
    """When the results of a finished job are over, Unix seconds; None: never, or not finished yet."""
    text = workflow.annotations.get(names.STORAGE_EXPIRY, "")
    kept = int(text) if text.isascii() and text.isdigit() else 0
    if not workflow.finished or kept == 0:
        return None
    return (workflow.finished_at or workflow.created_at).timestamp() + kept


def is_expired(workflow: Workflow, now: float) -> bool:
    end = expires_at(workflow)
    return end is not None and end <= now


class Sweeper:
    """Removes results that are over. One for each process."""

    def __init__(
        self,
        argo: Argo,
        environments: Environments,
        results: Results,
        good_round: Callable[[int], None] = lambda removed: None,
    ) -> None:
        self._argo, self._environments, self._results = argo, environments, results
        self._good_round = good_round  # is told how many jobs' results a round has removed
        self._swept: set[str] = set()

    async def run(self) -> None:
        """Sweep for ever; a bad round is logged. End it by cancelling."""
        while True:
            await asyncio.sleep(SWEEP_SECONDS * random.uniform(0.5, 1.0))  # noqa: S311  replicas take turns
            try:
                self._good_round(await self.sweep(time.time()))
            except (ArgoError, ApiError) as exc:
                log.warning("results_not_swept", reason=type(exc).__name__)
            except Exception:
                log.exception("results_not_swept")

    async def sweep(self, now: float) -> int:
        """Remove what is over; how many jobs' results that were. Raises ArgoError, NeighbourAway, NeighbourFailed."""
        over: set[str] = set()
        removed = 0
        for environment in (await self._environments.current()).environments:
            async for page in self._argo.pages({names.ENVIRONMENT: environment}):
                for job_id in (job.name for job in page if is_expired(job, now)):
                    over.add(job_id)
                    if job_id not in self._swept:
                        await self._results.delete(job_id)
                        self._swept.add(job_id)
                        removed += 1
                        log.info("results_expired", job_id=job_id)
        self._swept = over  # those whose workflow is gone need not be remembered
        return removed
