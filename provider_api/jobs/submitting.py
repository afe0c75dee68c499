"""Submitting a claimed job: Argo makes its workflow, or the claim says that it did not.

A claim may be lost while its submission is under way, for a lease does not wait for ever: then the orders may serve
another job by now, and the workflow is withdrawn before anything of it is published.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass

import structlog

from argo.client import errors as argo_errors
from argo.client.records import Workflow
from contract import names
from provider_api.http.errors import NeighbourAway, NeighbourFailed
from provider_api.jobs.records import Argo, find_workflow
from provider_api.jobs.specification import PreparedJob
from provider_api.jobs.turns import Turns
from provider_api.settings import Settings
from provider_api.storage.claims import Claims
from provider_api.storage.database import StorageUnavailable
from provider_api.telemetry.metrics import Metrics

log = structlog.get_logger(__name__)

_LOOK_EVERY_SECONDS = 1.0  # for a workflow that may come late


@dataclass(frozen=True, slots=True)
class Started:
    """A job that has been started. `ahead`: how many unfinished jobs its environment had before it; None: it was
    started by an earlier, identical request."""

    workflow: Workflow
    ahead: int | None = None


class Submitter:
    """One for the whole service. Raises ArgoError, StorageUnavailable, and what the methods say."""

    def __init__(self, settings: Settings, argo: Argo, claims: Claims, turns: Turns, metrics: Metrics) -> None:
        self._settings, self._argo, self._claims = settings, argo, claims
        self._turns, self._metrics = turns, metrics
        self._watching: dict[str, asyncio.Task[None]] = {}

    async def close(self) -> None:
        watching = list(self._watching.values())
        for task in watching:
            task.cancel()
        await asyncio.gather(*watching, return_exceptions=True)

    async def submit(self, prepared: PreparedJob, began: float) -> Started:
        """Submit a job that was claimed since `began` (monotonic). Raises NeighbourAway, NeighbourFailed."""
        job_id, retry = prepared.workflow.name, self._settings.limits.retry_after_seconds
        left = self._settings.limits.claim_lease_seconds - (time.monotonic() - began)
        if left < self._settings.longest_argo_timeout():  # claiming took so long that the claim might end meanwhile
            await self._claims.mark(job_id, "open", "released")
            self._metrics.start("failed", "storage_slow")
            raise NeighbourAway("The database is too slow at the moment. Repeat the same request.", retry)
        try:
            workflow = await self._argo.submit(prepared.workflow)
        except argo_errors.WorkflowExists:
            workflow = await self._after_doubt(job_id)  # another process may be withdrawing it just now
        except argo_errors.SubmissionRefused as exc:
            await self._claims.mark(job_id, "open", "released")
            self._metrics.start("failed", "submission_refused")
            log.warning("submission_refused", job_id=job_id, status=exc.status, message=exc.message)
            raise NeighbourFailed("The compute service refused the job.") from exc
        except argo_errors.ArgoUnavailable as exc:
            self._metrics.start("failed", "argo_unavailable")
            log.warning("submission_failed", job_id=job_id, definite=exc.definite, reason=exc.reason)
            if exc.definite:
                await self._claims.mark(job_id, "open", "released")
                raise NeighbourAway("The compute service does not answer at the moment.", retry) from exc
            workflow = await self._after_doubt(job_id)
        if not await self._is_held(job_id):
            raise await self.withdrawn(job_id)
        if prepared.workflow.entrypoint == names.QUEUED:
            self._turns.expect(prepared.workflow.template)
        self._metrics.start("started")
        log.info(
            "job_submitted", job_id=job_id, environment=prepared.workflow.template, queued=bool(workflow.entrypoint)
        )
        return Started(workflow, prepared.ahead)

    async def withdrawn(self, job_id: str) -> NeighbourAway:
        """End a workflow whose claim is lost: nothing of it is published, and nothing stays that a repetition would
        take for the job. Raises ArgoError; then it is tried again for a while."""
        try:
            with suppress(argo_errors.WorkflowFinished, argo_errors.WorkflowNotFound):
                await self._argo.terminate(job_id)
            with suppress(argo_errors.WorkflowNotFound):
                await self._argo.delete(job_id)
        except argo_errors.ArgoError:
            self.watch(job_id)
            raise
        self._metrics.start("failed", "claim_lost")
        log.warning("submission_withdrawn", job_id=job_id)
        text = "The start took so long that its order was given up, and the job was withdrawn. Repeat the same request."
        return NeighbourAway(text, self._settings.limits.retry_after_seconds)

    def watch(self, job_id: str) -> None:
        """Look for a while whether the workflow of a claim that was given up comes after all."""
        if job_id not in self._watching:
            task = asyncio.create_task(self._withdraw_late(job_id))
            self._watching[job_id] = task
            task.add_done_callback(lambda _: self._watching.pop(job_id, None))

    async def _after_doubt(self, job_id: str) -> Workflow:
        """The submission may have had an effect. Its claim stays open unless Argo has the job."""
        retry = self._settings.limits.retry_after_seconds
        try:
            workflow = await find_workflow(self._argo, job_id)
        except argo_errors.ArgoError:
            workflow = None
        if workflow is None:
            raise NeighbourAway("It is not known whether the job was started. Repeat the same request.", retry)
        return workflow

    async def _is_held(self, job_id: str) -> bool:
        """Whether the claim of a submitted job still holds its orders; it says then that it is submitted."""
        if await self._claims.mark(job_id, "open", "submitted"):
            return True
        claim = await self._claims.find(job_id)  # the identical request, or a deletion, may have said so before
        return claim is not None and claim.state != "released"

    async def _withdraw_late(self, job_id: str) -> None:
        end = time.monotonic() + 2 * self._settings.limits.claim_lease_seconds
        while time.monotonic() < end:
            await asyncio.sleep(_LOOK_EVERY_SECONDS)
            try:
                claim = await self._claims.find(job_id)
                if claim is None or claim.state != "released":
                    return  # the identical request has taken it up again
                workflow = await find_workflow(self._argo, job_id)
                if workflow is not None:
                    await self.withdrawn(job_id)
                    return
            except (argo_errors.ArgoError, StorageUnavailable) as exc:
                log.warning("late_submission_not_seen", job_id=job_id, reason=str(exc))
