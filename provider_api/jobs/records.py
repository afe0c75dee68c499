"""What the service asks of Argo about jobs: a narrow view of `argo.client.ArgoServers`."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

import structlog

from argo.client import errors
from argo.client.records import NewWorkflow, Template, Workflow
from argo.client.seen import Heard, SeenWorkflows

JOB_ID = re.compile(r"[0-9a-f]{32}")


class Argo(Protocol):
    """Every method may raise the errors of `argo.client.errors`."""

    @property
    def unreachable_servers(self) -> Collection[str]: ...

    @property
    def watched(self) -> Mapping[str, SeenWorkflows]: ...

    async def submit(self, new: NewWorkflow) -> Workflow: ...

    async def get(self, name: str) -> Workflow: ...

    def seen(self, name: str) -> Workflow | None: ...

    def listening(self, name: str, heard: Heard) -> AbstractContextManager[None]: ...

    def is_watched(self, name: str) -> bool: ...

    async def count(self, labels: Mapping[str, str], *, unfinished_only: bool = False) -> int: ...

    async def stop(self, name: str) -> None: ...

    async def terminate(self, name: str) -> None: ...

    async def resume(self, name: str) -> None: ...

    async def delete(self, name: str) -> None: ...

    def follow_log(self, name: str, pod_template: str = ..., *, follow: bool = ...) -> AsyncGenerator[str, None]: ...

    async def templates(self) -> list[Template]: ...

    def serves(self, name: str) -> bool: ...

    def pages(
        self,
        labels: Mapping[str, str],
        *,
        limit: int | None = ...,
        unfinished_only: bool = ...,
        skip_unreachable: bool = ...,
        nodes: bool = ...,
    ) -> AsyncGenerator[list[Workflow], None]: ...

    async def brief(self, labels: Mapping[str, str], *, skip_unreachable: bool = ...) -> Sequence[Workflow]: ...

    async def list(
        self,
        labels: Mapping[str, str],
        *,
        limit: int | None = 100,
        unfinished_only: bool = False,
        skip_unreachable: bool = False,
    ) -> list[Workflow]: ...


async def find_workflow(argo: Argo, job_id: str) -> Workflow | None:
    """The workflow of a job, live or archived; None if Argo does not know it. Raises ArgoError."""
    if not JOB_ID.fullmatch(job_id):
        return None
    try:
        return await argo.get(job_id)
    except errors.WorkflowNotFound:
        return None


async def find_existing(argo: Argo, job_id: str, *, may_lag: bool = False) -> Workflow | None:
    """As `find_workflow`, of the job that a request is about: its id is in all further lines of the request's log.

    `may_lag`: nothing is decided by it, so that what was read a few seconds ago will do if a watch says that it has not
    changed.
    """
    if not JOB_ID.fullmatch(job_id):
        return None
    structlog.contextvars.bind_contextvars(job_id=job_id)
    seen = argo.seen(job_id) if may_lag else None
    return seen if seen is not None else await find_workflow(argo, job_id)


async def read_again(argo: Argo, workflow: Workflow) -> Workflow:
    """The workflow as it is now; as it was if it is gone meanwhile. Raises ArgoError."""
    try:
        return await argo.get(workflow.name)
    except errors.WorkflowNotFound:
        return workflow
