"""A job as its page shows it: plain functions over Argo's record and the job object that clients get."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from argo.client.records import Node, Workflow
from contract import names
from provider_api.jobs.places import awaits_turn, compute_node
from provider_api.jobs.status import JobStatus
from provider_api.pages.words import REASONS, Kind, exit_sentence, verdict

StepState = Literal["to come", "waiting", "running", "done", "failed", "skipped"]

TAIL_LINES: Final = 200  # of a log
_LABELS: Final = {
    names.CONFIGURATION: "Fetch data and algorithm",
    names.ALGORITHM: "Run the algorithm",
    names.FILTERING: "Check the results",
    names.PUBLISHING: "Publish the results",
}


@dataclass(frozen=True, slots=True)
class StepView:
    """`seconds`: how long it has taken, None before it began."""

    label: str
    state: StepState
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class JobView:
    """`status`: of the job as consumers see it. Times are Unix seconds."""

    id: str
    kind: Kind
    title: str
    sentence: str
    detail: str
    finished: bool
    created: float
    ended: float | None
    began: float | None  # the algorithm
    queue_position: int | None
    paid_until: float | None
    exit_sentence: str
    environment: str
    algorithm: str  # DID, or ""
    datasets: tuple[str, ...]
    held_until: float | None
    held_for: tuple[str, ...]
    can_stop: bool
    steps: tuple[StepView, ...]
    results: tuple[Mapping[str, Any], ...]
    results_did: str


def job_view(workflow: Workflow, status: JobStatus, told: Mapping[str, Any], now: float) -> JobView:
    """`status`: of Argo's record alone; `told`: the job object, which knows besides what waits for owners."""
    held = told.get("held")
    refused = told["reason"] == "refused"
    kind, title, sentence = REASONS["refused"] if refused else verdict(status, held=held is not None)
    code = told["exitCode"]
    return JobView(
        id=workflow.name,
        kind=kind,
        title=title,
        sentence=sentence,
        detail=str(told.get("detail", "")),
        finished=told["dateFinished"] is not None,
        created=float(told["dateCreated"]),
        ended=None if told["dateFinished"] is None else float(told["dateFinished"]),
        began=None if told["startedAt"] is None else float(told["startedAt"]),
        queue_position=told.get("queuePosition"),
        paid_until=float(told["validUntil"]) or None,
        exit_sentence="" if code is None else exit_sentence(code),
        environment=told["environment"],
        algorithm=told["algoDID"],
        datasets=tuple(told["inputDID"]),
        held_until=None if held is None else float(held["until"]),
        held_for=() if held is None else tuple(held["for"]),
        can_stop=not (workflow.finished or workflow.shutdown),
        steps=steps_of(workflow, now, held=held is not None, refused=refused),
        results=tuple(told["results"] or ()),
        results_did=str(told.get("resultsDid", "")),
    )


def steps_of(workflow: Workflow, now: float, *, held: bool = False, refused: bool = False) -> tuple[StepView, ...]:
    """The job's way, in its order: queue, pods, and the owners where they are asked."""
    shown = [_queue(workflow, now)]
    for name, label in _LABELS.items():
        node = workflow.node(name)
        if name == names.FILTERING and node is None and workflow.annotations.get(names.FILTERED) != "true":
            continue
        shown.append(_step(label, node, workflow.finished, now))
    if held or refused or workflow.labels.get(names.APPROVAL) == "owner":
        state: StepState = "waiting" if held else "failed" if refused else "done" if workflow.finished else "to come"
        shown.append(StepView("Owners decide", state))
    return tuple(shown)


def _queue(workflow: Workflow, now: float) -> StepView:
    node = compute_node(workflow)
    began = workflow.created_at.timestamp()
    if workflow.finished and node is None:
        return StepView("Wait for a place", "skipped")
    if awaits_turn(workflow) or node is None or node.phase == "Pending":
        return StepView("Wait for a place", "waiting", now - began)
    first = workflow.node(names.CONFIGURATION)
    ended = first.started_at if first is not None and first.started_at is not None else node.started_at
    return StepView("Wait for a place", "done", _between(workflow.created_at, ended, now))


def _step(label: str, node: Node | None, over: bool, now: float) -> StepView:
    if node is None or (over and not node.final):
        return StepView(label, "skipped" if over else "to come")
    seconds = None if node.started_at is None else _between(node.started_at, node.finished_at, now)
    match node.phase:
        case "Succeeded":
            return StepView(label, "done", seconds)
        case "Failed" | "Error":
            return StepView(label, "failed", seconds)
        case "Omitted" | "Skipped":
            return StepView(label, "skipped")
        case "Running":
            return StepView(label, "running", seconds)
        case _:
            return StepView(label, "waiting", seconds)


def _between(began: datetime, ended: datetime | None, now: float) -> float:
    return max(0.0, (now if ended is None else ended.timestamp()) - began.timestamp())


def tail(text: str) -> str:
    """The last lines of a log."""
    lines = text.splitlines()
    return "\n".join(lines[-TAIL_LINES:])


def run_again(job: JobView) -> str:
    """The command that runs the same job anew; "" for an algorithm that was sent along, which only its sender has."""
    if not job.algorithm:
        return ""
    return shlex.join(["c2d", "run", *job.datasets, job.algorithm, "--env", job.environment])


def verify(url: str) -> str:
    """The command that verifies a folder with the results of a job by its passport."""
    return shlex.join(["c2d", "verify", "RESULTS-FOLDER", "--provider", url])
