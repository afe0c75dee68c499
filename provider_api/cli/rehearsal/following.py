"""One job on the embedded server, from its submission to its end, with what must be read before its pods are gone."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from argo.client.records import NewWorkflow, Workflow
from contract import names
from pods.publishing.told import Broken, Withheld, read_line
from provider_api.cli.rehearsal.server import Argo
from provider_api.jobs.status import JobStatus, status_of

LOG_LINES: Final = 1000  # kept of the algorithm's log
_LOOK_SECONDS: Final = 0.02
_END_SECONDS: Final = 30.0  # that a job may take to end when it is told to
_MOST_TOLD: Final = 1000  # lines of a publishing pod


@dataclass(slots=True)
class Ended:
    """`log`: the last lines of the algorithm; None: it did not run. `seconds`: how long it did, as seen from here."""

    workflow: Workflow
    status: JobStatus
    log: list[str] | None = None
    seconds: float | None = None
    told: list[Broken | Withheld] = field(default_factory=list)


@asynccontextmanager
async def submitted(argo: Argo, new: NewWorkflow) -> AsyncIterator[None]:
    """While the block runs, the job does; after it, nothing of it runs any more."""
    await argo.submit(new)
    try:
        yield
    finally:
        if not (await argo.get(new.name)).finished:
            await argo.terminate(new.name)
            async with asyncio.timeout(_END_SECONDS):
                await follow(argo, new.name, lambda _: None)


async def follow(argo: Argo, name: str, tell: Callable[[JobStatus], None]) -> Ended:
    """Until the end; `tell` gets each status that differs from the one before."""
    log: list[str] | None = None
    before, began, seconds = None, None, None
    while True:
        workflow = await argo.get(name)
        status = status_of(workflow, now=datetime.now(UTC))
        if (seen := (status.number, status.detail)) != before:
            before = seen
            tell(status)
        if status.started_at is not None and began is None:
            began = time.monotonic()
        if log is None and began is not None and (status.exit_code is not None or workflow.finished):
            seconds = time.monotonic() - began
            log = await _log(argo, workflow, names.ALGORITHM, LOG_LINES)
        if workflow.finished:
            lines = await _log(argo, workflow, names.PUBLISHING, _MOST_TOLD) or []
            told = [found for line in lines if (found := read_line(line)) is not None]
            return Ended(workflow, status, log, seconds, told)
        await asyncio.sleep(_LOOK_SECONDS)


async def _log(argo: Argo, workflow: Workflow, step: str, lines: int) -> list[str] | None:
    node = workflow.last_attempt(step)
    if node is None or node.type != "Pod":
        return None
    return await argo.log(workflow.name, node, lines=lines)
