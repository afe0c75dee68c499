"""Deleting jobs: terminated (nothing is published any more), then results, then workflow, pods and volume.

The workflow goes last, because it alone says whose the results are: whatever dies in between, the same request with a
new nonce finds the job again and ends what was begun. A job whose pods do not end in time is deleted all the same, and
its results once more afterwards: a publishing pod may have been faster.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress

import structlog

from argo.client.errors import WorkflowFinished, WorkflowNotFound
from argo.client.records import Workflow
from provider_api.jobs.records import Argo, read_again
from provider_api.jobs.results import ResultStore

log = structlog.get_logger(__name__)

ENDED_SECONDS = 15.0  # how long pods may take to end
AT_ONCE = 8  # jobs
_LOOK_EVERY_SECONDS = 0.1


async def delete_jobs(argo: Argo, results: ResultStore, workflows: Sequence[Workflow]) -> list[Workflow]:
    """Delete them all; what they were at their end. One that somebody else has deleted meanwhile is as good.

    Raises ArgoError, NeighbourAway, NeighbourFailed: then some are deleted and others not.
    """
    places = asyncio.Semaphore(AT_ONCE)

    async def one(workflow: Workflow) -> Workflow:
        async with places:
            return await _delete(argo, results, workflow)

    return list(await asyncio.gather(*(one(workflow) for workflow in workflows)))


async def _delete(argo: Argo, results: ResultStore, workflow: Workflow) -> Workflow:
    last = workflow if workflow.finished else await _terminated(argo, workflow)
    await results.delete(last.name)
    with suppress(WorkflowNotFound):
        await argo.delete(last.name)
    if not last.finished:
        await results.delete(last.name)
    log.info("job_deleted", job_id=last.name, ended=last.finished)
    return last


async def _terminated(argo: Argo, workflow: Workflow) -> Workflow:
    """The workflow when its pods have ended, or when it is not worth waiting for that any longer."""
    with suppress(WorkflowFinished, WorkflowNotFound):
        await argo.terminate(workflow.name)
    deadline = time.monotonic() + ENDED_SECONDS
    seen = await read_again(argo, workflow)
    while not seen.finished and time.monotonic() < deadline:
        await asyncio.sleep(_LOOK_EVERY_SECONDS)
        seen = await read_again(argo, workflow)
    return seen
