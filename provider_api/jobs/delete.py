"""Deleting jobs: terminated (nothing is published any more), then results, then workflow, pods and volume.

The workflow goes last, because it alone says whose the results are: whatever dies in between, the same request with a
new nonce finds the job again and ends what was begun. A terminated workflow is over before its pods are: they are only
being told to end, and deleting the workflow ends them all. So a publishing pod is waited for, and the results of a job
that was terminated are removed once more afterwards.

A job that nobody knows any more must not be started again, so its claim says first that it has been submitted.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress

import structlog

from argo.client.errors import WorkflowFinished, WorkflowNotFound
from argo.client.records import Workflow
from contract import names
from ocean.kit.together import each_to_its_end
from provider_api.http.errors import ApiError
from provider_api.jobs.records import Argo, find_workflow
from provider_api.jobs.results import ResultStore
from provider_api.storage.claims import Claims

log = structlog.get_logger(__name__)

ENDED_SECONDS = 15.0  # how long a terminated workflow may take to be over; then it is deleted all the same
PUBLISHING_SECONDS = 3.0  # until a publishing pod has got its SIGTERM, which ends it at once
AT_ONCE = 8  # jobs
_LOOK_EVERY_SECONDS = 0.1


async def delete_jobs(
    argo: Argo, results: ResultStore, claims: Claims, workflows: Sequence[Workflow]
) -> list[Workflow]:
    """Delete them all; what they were at their end. One that somebody else has deleted meanwhile is as good.

    Raises ArgoError, NeighbourAway, NeighbourFailed, StorageUnavailable: then some are left, the others are gone.
    """
    places = asyncio.Semaphore(AT_ONCE)

    async def one(workflow: Workflow) -> Workflow:
        async with places:
            return await _delete(argo, results, claims, workflow)

    return await each_to_its_end(*(one(workflow) for workflow in workflows))


async def _delete(argo: Argo, results: ResultStore, claims: Claims, workflow: Workflow) -> Workflow:
    await claims.mark(workflow.name, "open", "submitted")
    last = workflow if workflow.finished else await _terminated(argo, workflow)
    await results.delete(last.name)
    with suppress(WorkflowNotFound):
        await argo.delete(last.name)
    if last.shutdown == "Terminate" or not last.finished:
        await _sweep(results, last.name)
    log.info("job_deleted", job_id=last.name, ended=last.finished)
    return last


async def _terminated(argo: Argo, workflow: Workflow) -> Workflow:
    """The workflow when nothing of it publishes any more, or when that is not worth waiting for any longer."""
    with suppress(WorkflowFinished, WorkflowNotFound):
        await argo.terminate(workflow.name)
    deadline, seen = time.monotonic() + ENDED_SECONDS, workflow
    while (found := await find_workflow(argo, workflow.name)) is not None:
        seen = found
        if seen.finished or time.monotonic() >= deadline:
            break
        await asyncio.sleep(_LOOK_EVERY_SECONDS)
    publishing = seen.last_attempt(names.PUBLISHING)
    if publishing is not None and publishing.exit_code is None:  # nobody has seen its pod end
        await asyncio.sleep(PUBLISHING_SECONDS)
    return seen


async def _sweep(results: ResultStore, job_id: str) -> None:
    """Remove what was published at the last moment. Asking again would not help: nobody knows the job any more."""
    try:
        await results.delete(job_id)
    except ApiError as exc:
        log.warning("late_results_not_removed", job_id=job_id, reason=str(exc))
