"""Reading jobs: one by name, or those of an owner. Everything comes from Argo and the result store."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import structlog
from cachetools import TTLCache

from argo.client.errors import ArgoError
from argo.client.records import Workflow
from contract import names
from ocean.kit.together import together
from provider_api.environments.catalogue import Environments
from provider_api.jobs.approvals import with_approval
from provider_api.jobs.job_object import job_object
from provider_api.jobs.places import Line, awaits_turn, in_turn, is_in_line
from provider_api.jobs.queues import EnvironmentQueues
from provider_api.jobs.records import Argo, find_existing
from provider_api.jobs.results import MOST_LISTED, ResultStore, results_did_of
from provider_api.jobs.status import JobStatus, status_of
from provider_api.jobs.submitting import Started
from provider_api.settings import Settings

log = structlog.get_logger(__name__)

QUEUE_SECONDS = 1.0
_MOST_QUEUES = 1000
MOST_LISTED_EACH = 200  # results of one job in an answer about several


class JobReader:
    """One for the whole service. Every method may raise ArgoError."""

    def __init__(self, settings: Settings, argo: Argo, queues: EnvironmentQueues, results: ResultStore) -> None:
        self._settings, self._argo, self._queues, self._results = settings, argo, queues, results
        self._left: TTLCache[str, list[Workflow]] = TTLCache(_MOST_QUEUES, QUEUE_SECONDS)

    async def find(self, owner: str, job_id: str, *, may_lag: bool = False) -> Workflow | None:
        """The job if it is this owner's; `owner` is canonical. `may_lag`: for who only shows it."""
        workflow = await find_existing(self._argo, job_id, may_lag=may_lag)
        return workflow if workflow is not None and workflow.labels.get(names.OWNER) == owner else None

    async def of_owner(self, owner: str, agreement_id: str = "") -> list[Workflow]:
        """Newest first, at most as many as the settings say. A list lags a little behind, and of several Argo Servers
        it leaves out what those have that are away."""
        labels = {names.OWNER: owner}
        if agreement_id:
            labels[names.AGREEMENT] = names.agreement_label(agreement_id)
        limit = self._settings.limits.list_limit
        return (await self._argo.list(labels, limit=limit, skip_unreachable=True))[:limit]

    async def addressed_by(self, owner: str, job_id: str, *, unfinished_only: bool = False) -> list[Workflow]:
        """The jobs that a call about one job, or about all of an owner's (`job_id` ""), is about."""
        if not job_id:
            return await self._argo.list({names.OWNER: owner}, limit=None, unfinished_only=unfinished_only)
        found = await self.find(owner, job_id)
        return [] if found is None else [found]

    async def of_provider(
        self,
        addresses: Collection[str],
        *,
        owner: str = "",
        job_id: str = "",
        agreement_id: str = "",
        chain_id: str = "",
        unfinished_only: bool = False,
        may_lag: bool = False,
    ) -> list[Workflow]:
        """Jobs that were started in the name of one of the addresses and match every filter, newest first. `owner` is
        canonical; one of the first three filters must be there. `may_lag`: for who only shows them."""
        wanted = {names.OWNER: owner, names.CHAIN: chain_id}
        wanted[names.AGREEMENT] = names.agreement_label(agreement_id) if agreement_id else ""
        labels = {name: value for name, value in wanted.items() if value}
        if job_id:
            one = await find_existing(self._argo, job_id, may_lag=may_lag)
            found = [one] if one is not None and one.labels.get(names.PROVIDER) in addresses else []
            found = [job for job in found if all(job.labels.get(name) == value for name, value in labels.items())]
            return [job for job in found if not (unfinished_only and job.finished)]
        listed = await together(
            *(
                self._argo.list({names.PROVIDER: address, **labels}, limit=None, unfinished_only=unfinished_only)
                for address in addresses
            )
        )
        return sorted((job for jobs in listed for job in jobs), key=lambda job: job.age, reverse=True)

    def status(self, workflow: Workflow) -> JobStatus:
        reported = self._settings.policy.failures_as_finished
        return status_of(workflow, now=datetime.now(UTC), failures_as_finished=reported)

    async def started(self, job: Started, environments: Environments) -> list[dict[str, Any]]:
        """The answer to a start. Its place in the queue follows from a count: to read all jobs that wait would make
        each of many starts pay for all those before it. It has started, so nothing that fails here makes another answer
        of it."""
        workflow, place = job.workflow, None
        if self.status(workflow).waiting:
            try:
                environment = workflow.labels.get(names.ENVIRONMENT, "")
                unfinished = await environments.unfinished_jobs(environment) if job.ahead is None else job.ahead + 1
                place = max(1, unfinished - await environments.places_of(workflow))
            except ArgoError as exc:
                log.info("place_not_counted", job_id=workflow.name, reason=type(exc).__name__)
        return [await self._object(workflow, place, MOST_LISTED, 0)]

    async def objects(self, workflows: Sequence[Workflow], results_from: int = 0) -> list[dict[str, Any]]:
        """Job objects. One that waits is given its place in the queue when it is asked for alone. A list of results is
        cut, earlier where there are several jobs, and says so; `results_from`: the first output to be listed."""
        if len(workflows) == 1:
            (workflow,) = workflows
            return [(await self.shown(workflow, results_from))[0]]
        return list(await together(*(self._object(one, None, MOST_LISTED_EACH, results_from) for one in workflows)))

    async def shown(self, workflow: Workflow, results_from: int = 0) -> tuple[dict[str, Any], Line | None]:
        """The object of one job, and where in the line it stands, as long as it waits."""
        line = await self._line(workflow) if self.status(workflow).waiting else None
        place = None if line is None else line.place
        return await self._object(workflow, place, MOST_LISTED, results_from), line

    def removed(self, workflows: Sequence[Workflow]) -> list[dict[str, Any]]:
        """Job objects of deleted jobs: as they were, without results. An asset made of these stays."""
        return [
            job_object(one, replace(self.status(one), removed=1), [], None, results_did_of(one)) for one in workflows
        ]

    async def _object(self, workflow: Workflow, place: int | None, most: int, results_from: int) -> dict[str, Any]:
        """`place` in the queue, None: not told. `most`: outputs in the list of results."""
        status, approval = self.status(workflow), await self._results.approval(workflow)
        over = status.finished
        if over:
            status = with_approval(status, approval)
        listed = await self._results.listed(workflow, approval, results_from, most)
        found = job_object(workflow, status, listed.entries, place, results_did_of(workflow))
        if over and approval is not None and approval.standing == "held":
            found["held"] = {"until": int(approval.until), "for": list(approval.waiting_for)}
        if listed.next_start is not None:
            found |= {"resultsCount": listed.count, "resultsNext": listed.next_start}
        return found

    async def _line(self, workflow: Workflow) -> Line:
        """Behind all jobs of the same environment that are let in before it; behind all others if it is not among them,
        for lists lag."""
        environment = workflow.labels.get(names.ENVIRONMENT, "")
        awaiting = await self._queues.awaiting(environment, wanted=workflow.name if awaits_turn(workflow) else "")
        left = await self._left_to_argo(environment, workflow)
        inside = sorted((job for job in left if self.status(job).waiting), key=lambda job: job.age)
        waiting = [*inside, *in_turn(left, awaiting)]
        mine = next((place for place, job in enumerate(waiting) if job.name == workflow.name), len(waiting))
        computing = [job for job in left if is_in_line(job) and not self.status(job).waiting]
        return Line(computing, waiting[:mine])

    async def _left_to_argo(self, environment: str, mine: Workflow) -> list[Workflow]:
        """At most QUEUE_SECONDS old: consumers poll, and Argo reads whole objects. A job that was not there at the last
        look is a reason to look again."""
        known = self._left.get(environment)
        if known is not None and (awaits_turn(mine) or any(job.name == mine.name for job in known)):
            return known
        found = self._left[environment] = await self._queues.left_to_argo_shared(environment)
        return found
