"""Stopping jobs: asked of Argo, and the outcome observed, so that the answer already shows it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

import structlog

from argo.client.errors import WorkflowFinished, WorkflowNotFound
from argo.client.records import Workflow
from ocean.kit.together import each_to_its_end
from provider_api.jobs.records import Argo, read_again

log = structlog.get_logger(__name__)

OBSERVED_SECONDS = 2.0
_LOOK_EVERY_SECONDS = 0.1


async def stop_jobs(argo: Argo, workflows: Sequence[Workflow]) -> list[Workflow]:
    """Stop those that still run; a finished job stays as it is. The workflows afterwards. Raises ArgoError."""
    return list(await each_to_its_end(*(_stop(argo, workflow) for workflow in workflows)))


async def _stop(argo: Argo, workflow: Workflow) -> Workflow:
    if workflow.finished or workflow.shutdown:
        return workflow
    try:
        await argo.stop(workflow.name)
    except (WorkflowFinished, WorkflowNotFound):
        return await read_again(argo, workflow)
    log.info("job_stop_requested", job_id=workflow.name)
    deadline = time.monotonic() + OBSERVED_SECONDS
    seen = await read_again(argo, workflow)
    while not (seen.shutdown or seen.finished) and time.monotonic() < deadline:
        await asyncio.sleep(_LOOK_EVERY_SECONDS)
        seen = await read_again(argo, workflow)
    return seen
