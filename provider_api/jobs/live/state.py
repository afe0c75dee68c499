"""What viewers are told of a job's state: what its job object says, with the step it is in and since when.

Times are numbers of Unix seconds here. The same state is the same bytes at every process, so that a viewer who comes
back to another one is not told again what it knows.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, Literal

from argo.client.records import Node, Workflow
from contract.names import ALGORITHM, CONFIGURATION, FILTERING, PUBLISHING
from provider_api.jobs.places import compute_node

Step = Literal["queue", "configuration", "algorithm", "filtering", "publishing", "approval", "finished"]

_STEPS: Final[Mapping[int, Step]] = {
    1: "queue",
    10: "configuration",
    20: "configuration",
    30: "algorithm",
    40: "algorithm",
    50: "filtering",
}
_AS_TOLD: Final = ("jobId", "status", "statusText", "reason", "exitCode", "stopreq", "removed", "environment")
_TIMES: Final = ("dateCreated", "startedAt", "dateFinished")


def state_of(job: Mapping[str, Any], workflow: Workflow) -> dict[str, Any]:
    """`job`: the job object (`job_object`) of this workflow."""
    step = _step(job)
    return {
        **{name: job[name] for name in _AS_TOLD},
        "step": step,
        "since": _seconds(_since(step, job["status"], workflow)),
        "detail": job.get("detail", ""),
        **{name: None if job[name] is None else round(float(job[name]), 3) for name in _TIMES},
        "validUntil": job["validUntil"],
        "held": job.get("held"),
        "resultsCount": job.get("resultsCount", len(job["results"])),
        "resultsDid": job.get("resultsDid"),
    }


def _step(job: Mapping[str, Any]) -> Step:
    if "held" in job:
        return "approval"
    if job["dateFinished"] is not None:
        return "finished"
    return _STEPS.get(job["status"], "publishing")


def _since(step: Step, status: int, workflow: Workflow) -> datetime:
    """When Argo says that the step began; where it does not say that, the end of what comes before."""
    configuration, algorithm = workflow.node(CONFIGURATION), workflow.node(ALGORITHM)
    filtering, publishing = workflow.node(FILTERING), workflow.node(PUBLISHING)
    known: tuple[datetime | None, ...]
    match step:
        case "queue":
            known = ()
        case "configuration":
            known = (_began(configuration) if status == 20 else None, _began(compute_node(workflow)))
        case "algorithm":
            known = (_began(algorithm) if status == 40 else None, _ended(configuration))
        case "filtering":
            known = (_began(filtering), _ended(algorithm))
        case "publishing":
            known = (_began(publishing), _ended(filtering), _ended(algorithm), _ended(configuration))
        case "approval" | "finished":
            ends = [node.finished_at for node in workflow.nodes if node.finished_at is not None]
            known = (workflow.finished_at, max(ends, default=None))
    return next((moment for moment in known if moment is not None), workflow.created_at)


def _began(node: Node | None) -> datetime | None:
    return None if node is None else node.started_at


def _ended(node: Node | None) -> datetime | None:
    return None if node is None else node.finished_at


def _seconds(moment: datetime) -> float:
    return round(moment.timestamp(), 3)
