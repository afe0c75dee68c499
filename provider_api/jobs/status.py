"""From Argo's state of a workflow to a job's status: one pure function.

The end is the workflow's phase. The verdict is made of the steps' own nodes, never of the phase: a workflow whose
filter refused is "Succeeded", and so is one that was terminated while it published. A node that is not final in a
finished workflow belongs to a step that never ran.

| status | when |
| --- | --- |
| 1 | waiting for its turn or a free place, or not yet seen by the controller |
| 10 | has its place, configuration has not begun |
| 20 | configuration runs: volumes and the whole download |
| 30 | inputs and algorithm are in place |
| 40 | the algorithm's container runs |
| 50, 60 | filtering; publishing |
| 31, 32 | an input, or the algorithm, could not be provided. Shown at once, final after publishing |
| 41 | every other failure; `reason` says which |
| 62 | not every result reached the store |
| 70 | done, stopped (`stopreq` 1), or out of time (`stopreq` 2). Also when results are there, but no asset of them |
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Literal

from argo.client.records import Node, Workflow
from contract.exit_codes import ExitCode
from contract.names import ALGORITHM, CONFIGURATION, FILTERED, FILTERING, PUBLISHING
from provider_api.jobs import ends
from provider_api.jobs.places import compute_node

TEXTS: Final = {
    1: "Warming up",
    10: "Job started",
    20: "Configuring volumes",
    30: "Provisioning success",
    31: "Data provisioning failed",
    32: "Algorithm provisioning failed",
    40: "Running algorithm",
    41: "Algorithm failed",
    50: "Filtering results",
    60: "Publishing results",
    62: "Publishing results failed",
    70: "Job finished",
}

Reason = Literal[
    "",
    "completed",
    "asset_not_published",
    "algorithm_failed",
    "data_unavailable",
    "algorithm_unavailable",
    "configuration_failed",
    "filtered",
    "withheld",
    "refused",
    "image_unavailable",
    "out_of_memory",
    "out_of_disk",
    "paid_time_over",
    "lost",
    "rejected_by_cluster",
    "stopped",
    "revoked",
    "time_limit",
    "upload_incomplete",
]

LATE_SECONDS: Final = 120

# Argo's constant texts.
_SHUTDOWN = ("workflow shutdown with strategy", "Stopped with strategy")
_OUT_OF_MEMORY = "OOMKilled"
_NODE_LOST = "Unknown (exit code"  # 255 follows: containerd does not know how the container ended
_IMAGE = ("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ImageInspectError", "timeout")
_TERMINATED = 143
_KILLED = (None, 130, 137, _TERMINATED)  # exit codes of a program that was told to end, or had to be killed


@dataclass(frozen=True, slots=True)
class JobStatus:
    """`finished_at` is set exactly when nothing will change any more. `reason` is "" until there is a verdict."""

    number: int
    reason: Reason = ""
    exit_code: int | None = None  # of the algorithm
    stop_requested: int = 0  # 1: asked to stop; 2: out of time
    removed: int = 0  # 1: terminated, nothing is published
    started_at: datetime | None = None  # of the algorithm
    finished_at: datetime | None = None
    waiting: bool = False  # for a free place
    detail: str = ""  # what the pod waits for, which image it did not get, which limit it exceeded

    @property
    def text(self) -> str:
        return TEXTS[self.number]

    @property
    def finished(self) -> bool:
        return self.finished_at is not None


def status_of(workflow: Workflow, *, now: datetime, failures_as_finished: bool = False) -> JobStatus:
    """Status of a job. `failures_as_finished` reports the final 41 and 62 as 70, the rest unchanged."""
    finished = workflow.finished and not _reports_late(workflow, now)
    status = _verdict(workflow) if finished else _progress(workflow)
    algorithm = workflow.node(ALGORITHM)
    status = replace(
        status,
        started_at=algorithm.started_at if algorithm is not None and _has_run(workflow, algorithm) else None,
        removed=1 if workflow.shutdown == "Terminate" else 0,
    )
    if not finished:
        # A stop during the release changes nothing any more; one before it does, and so did a time limit.
        releasing = status.number in (50, 60)
        stopping = _verdict(workflow).stop_requested if releasing else int(bool(workflow.shutdown))
        return replace(status, stop_requested=stopping, finished_at=None)
    if failures_as_finished and status.number in (41, 62):
        status = replace(status, number=70)
    return replace(status, finished_at=_end_of(workflow))


def _reports_late(workflow: Workflow, now: datetime) -> bool:
    """Argo 4.0 ends a stopped workflow before its exit handler has run, and writes down what that reports all the same
    (contract/argo_releases.py): the job is being published until then, or until it is too late to hope."""
    publishing = workflow.node(PUBLISHING)
    return (
        workflow.shutdown == "Stop"
        and publishing is not None
        and not publishing.final
        and not ends.told_results(workflow)
        and (now - _end_of(workflow)).total_seconds() < LATE_SECONDS
    )


def _progress(workflow: Workflow) -> JobStatus:
    configuration, algorithm = workflow.node(CONFIGURATION), workflow.node(ALGORITHM)
    failed = _provisioning_failure(configuration)
    if failed is not None and failed.number in (31, 32):
        return failed
    if workflow.node(PUBLISHING) is not None:
        return JobStatus(60, exit_code=_code(algorithm))
    if workflow.node(FILTERING) is not None:
        return JobStatus(50, exit_code=_code(algorithm))
    if algorithm is not None and algorithm.phase == "Running":
        return JobStatus(40)
    if algorithm is not None and algorithm.final and algorithm.phase not in ("Omitted", "Skipped"):
        filtered = workflow.annotations.get(FILTERED) == "true"  # and so comes next
        return JobStatus(50 if filtered else 60, exit_code=_code(algorithm))
    if configuration is not None and configuration.phase == "Succeeded":
        return JobStatus(30, detail=ends.waits_for(workflow))
    if configuration is not None:
        return JobStatus(20)
    node = compute_node(workflow)
    waiting = node is None or node.phase == "Pending"
    return JobStatus(1 if waiting else 10, waiting=waiting)


def _verdict(workflow: Workflow) -> JobStatus:
    configuration, algorithm = workflow.node(CONFIGURATION), workflow.node(ALGORITHM)
    if workflow.shutdown == "Terminate":
        # Nothing was published, whatever had been reached; see `removed`.
        return JobStatus(70, "revoked", _code(algorithm), stop_requested=1)
    failed = _provisioning_failure(configuration)
    if failed is not None:
        return failed
    if configuration is None or configuration.phase != "Succeeded":
        return _never_configured(workflow, configuration)
    return _of_algorithm(workflow, algorithm) or _of_release(workflow, algorithm)


def _provisioning_failure(configuration: Node | None) -> JobStatus | None:
    """What configuration's own exit code says; None where it says nothing."""
    if configuration is None or configuration.phase not in ("Failed", "Error"):
        return None
    match configuration.exit_code:
        case ExitCode.INPUTS_NOT_PROVISIONED | ExitCode.TRY_AGAIN:
            return JobStatus(31, "data_unavailable")
        case ExitCode.ALGORITHM_NOT_PROVISIONED:
            return JobStatus(32, "algorithm_unavailable")
        case ExitCode.JOB_SPEC_REFUSED:
            return JobStatus(41, "rejected_by_cluster")
        case ExitCode.PAID_TIME_OVER:
            return JobStatus(70, "paid_time_over", stop_requested=2)
        case _:
            return None


def _never_configured(workflow: Workflow, configuration: Node | None) -> JobStatus:
    """Configuration did not succeed, and not by a verdict of its own."""
    if workflow.shutdown:
        return JobStatus(70, "stopped", stop_requested=1)
    if configuration is None:
        return JobStatus(41, "rejected_by_cluster")
    if ends.DEADLINE in configuration.message:
        return JobStatus(31, "data_unavailable")
    if configuration.phase == "Error" or configuration.exit_code in _KILLED or _NODE_LOST in configuration.message:
        return JobStatus(41, "lost")
    return JobStatus(41, "configuration_failed")


def _of_algorithm(workflow: Workflow, algorithm: Node | None) -> JobStatus | None:
    """How the algorithm failed; None if it succeeded."""
    code = _code(algorithm)
    if algorithm is not None and algorithm.phase == "Succeeded":
        return None
    if workflow.shutdown and (algorithm is None or not algorithm.final or _was_stopped(algorithm)):
        return JobStatus(70, "stopped", code, stop_requested=1)
    if algorithm is None:
        return JobStatus(41, "lost")
    if ends.never_ran(workflow, algorithm) or (code is None and any(text in algorithm.message for text in _IMAGE)):
        return JobStatus(41, "image_unavailable", detail=f"image {ends.image_of(workflow) or 'unknown'} did not start")
    return _of_run(workflow, algorithm)


def _of_run(workflow: Workflow, algorithm: Node) -> JobStatus:
    """How an algorithm failed that has run. Our own codes are believed only where the nodes' times allow them: an
    algorithm may end with any of them by itself."""
    code, message = _code(algorithm), algorithm.message
    if ends.DEADLINE in message or (code == ExitCode.TIME_LIMIT and ends.time_was_over(workflow, algorithm)):
        return JobStatus(70, "time_limit", code, stop_requested=2)
    if code == ExitCode.PAID_TIME_OVER and ends.paid_time_was_over(workflow, algorithm):
        return JobStatus(70, "paid_time_over", stop_requested=2)
    if _NODE_LOST in message:
        return JobStatus(41, "lost")
    if _OUT_OF_MEMORY in message:
        return JobStatus(41, "out_of_memory", code)
    if limit := ends.exceeded(message):
        return JobStatus(41, "out_of_disk", code, detail=limit)
    if evicted := ends.evicted(message):
        return JobStatus(41, "lost", code, detail=evicted)
    # A pod that is deleted behind Argo's back ends with 143, or with no code at all.
    deleted = code is None or (code == _TERMINATED and ends.noted(workflow) != "own")
    if algorithm.phase == "Error" or deleted:
        return JobStatus(41, "lost", code)
    return JobStatus(41, "algorithm_failed", code)


def _of_release(workflow: Workflow, algorithm: Node | None) -> JobStatus:
    code = _code(algorithm)
    filtering, publishing = workflow.node(FILTERING), workflow.node(PUBLISHING)
    if filtering is not None and filtering.phase != "Succeeded":
        return JobStatus(41, "filtered", code)
    if publishing is None or publishing.phase != "Succeeded":
        return JobStatus(62, "upload_incomplete", code)
    summary = ends.summary_of(workflow)
    if summary is not None and summary.withheld:
        return JobStatus(41, "withheld", code)
    # The results themselves are complete, whatever became of the asset.
    lacks_asset = summary is not None and summary.not_published is not None
    return JobStatus(70, "asset_not_published" if lacks_asset else "completed", code)


def _was_stopped(algorithm: Node) -> bool:
    """Whether a stop ended the algorithm; it may also have failed by itself shortly before."""
    return algorithm.exit_code in _KILLED or any(text in algorithm.message for text in _SHUTDOWN)


def _code(algorithm: Node | None) -> int | None:
    return None if algorithm is None or not algorithm.final else algorithm.exit_code


def _has_run(workflow: Workflow, algorithm: Node) -> bool:
    return algorithm.phase == "Running" or (
        algorithm.phase in ("Succeeded", "Failed", "Error") and not ends.never_ran(workflow, algorithm)
    )


def _end_of(workflow: Workflow) -> datetime:
    """When it ended. An Error may come without times: then the end of the last node, or the creation."""
    if workflow.finished_at is not None:
        return workflow.finished_at
    ends = [node.finished_at for node in workflow.nodes if node.finished_at is not None]
    return max(ends, default=workflow.created_at)
