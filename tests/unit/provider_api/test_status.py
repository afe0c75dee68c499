"""Job status over every recorded workflow of a real Argo, at every moment that was recorded."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from argo.client.parsing import parse_workflow
from argo.client.records import Node, Workflow
from provider_api.jobs.status import TEXTS, JobStatus, status_of
from workflow_templates.names import FILTERED

pytestmark = pytest.mark.unit

RECORDINGS = Path(__file__).parents[2] / "recordings" / "jobs"

# name: (final number, reason, exit code of the algorithm, stopreq)
FINAL = {
    "algorithm-and-publishing-fail": (41, "algorithm_failed", 3, 0),
    "algorithm-exit-3": (41, "algorithm_failed", 3, 0),
    "algorithm-exit-3-filtered": (41, "algorithm_failed", 3, 0),
    "algorithm-killed-by-signal": (41, "algorithm_failed", 1, 0),
    "algorithm-pod-deleted": (41, "lost", 143, 0),
    "argument-unknown": (70, "completed", 0, 0),
    "command-missing": (41, "algorithm_failed", 127, 0),
    "configuration-exit-31": (31, "data_unavailable", None, 0),
    "configuration-exit-75-retried": (31, "data_unavailable", None, 0),
    "deadline-ignores-sigterm": (70, "time_limit", 137, 2),
    "deadline-obeys-sigterm": (70, "time_limit", 143, 2),
    "filter-refuses": (41, "filtered", 0, 0),
    "filter-with-init-container": (70, "completed", 0, 0),
    "image-missing": (70, "time_limit", 137, 2),
    "image-missing-pending-timeout": (41, "image_unavailable", None, 0),
    "out-of-memory": (41, "out_of_memory", 137, 0),
    "publishing-exit-62": (62, "upload_incomplete", 0, 0),
    "queued-then-runs": (70, "completed", 0, 0),
    "stop-finished": (70, "completed", 0, 0),
    "stop-ignored-sigterm": (70, "stopped", None, 1),
    "stop-while-configuring": (70, "stopped", None, 1),
    "stop-while-publishing": (70, "completed", 0, 0),
    "stop-while-queued": (70, "stopped", None, 1),
    "stop-while-running": (70, "stopped", 143, 1),
    "success": (70, "completed", 0, 0),
    "success-filtered": (70, "completed", 0, 0),
    "template-reference-strict": (41, "rejected_by_cluster", None, 0),
    "terminate-while-publishing": (70, "revoked", 0, 1),
    "terminate-while-running": (70, "revoked", None, 1),
}
# The numbers that a consumer saw, snapshot by snapshot.
SEEN = {
    "algorithm-and-publishing-fail": [1, 20, 30, 40, 60, 41],
    "algorithm-exit-3": [1, 20, 30, 40, 60, 41],
    "algorithm-exit-3-filtered": [1, 20, 30, 40, 50, 60, 41],
    "algorithm-killed-by-signal": [1, 20, 30, 40, 60, 41],
    "algorithm-pod-deleted": [1, 20, 30, 40, 60, 41],
    "argument-unknown": [1, 20, 30, 40, 60, 70],
    "command-missing": [1, 20, 30, 60, 41],
    "configuration-exit-31": [1, 20, 31],
    "configuration-exit-75-retried": [1, 20, 31],
    "deadline-ignores-sigterm": [1, 20, 30, 40, 60, 70],
    "deadline-obeys-sigterm": [1, 20, 30, 40, 60, 70],
    "filter-refuses": [1, 20, 30, 40, 50, 60, 41],
    "filter-with-init-container": [1, 20, 30, 40, 50, 60, 70],
    "image-missing": [1, 20, 30, 60, 70],
    "image-missing-pending-timeout": [1, 20, 30, 60, 41],
    "out-of-memory": [1, 20, 30, 40, 60, 41],
    "publishing-exit-62": [1, 20, 30, 40, 60, 62],
    "queued-then-runs": [1, 20, 30, 40, 60, 70],
    "stop-finished": [1, 20, 30, 60, 70],
    "stop-ignored-sigterm": [1, 20, 30, 40, 60, 70],
    "stop-while-configuring": [1, 20, 60, 70],
    "stop-while-publishing": [1, 20, 30, 40, 60, 70],
    "stop-while-queued": [1, 60, 70],
    "stop-while-running": [1, 20, 30, 40, 60, 70],
    "success": [1, 20, 30, 40, 60, 70],
    "success-filtered": [1, 20, 30, 40, 50, 60, 70],
    "template-reference-strict": [1, 41],
    "terminate-while-publishing": [1, 20, 30, 40, 60, 70],
    "terminate-while-running": [1, 20, 30, 40, 60, 70],
}


def snapshots(name: str) -> list[Workflow]:
    recording = json.loads((RECORDINGS / f"{name}.json").read_text())
    return [parse_workflow(s["workflow"]) for s in recording["snapshots"] if "metadata" in s.get("workflow", {})]


def test_the_table_covers_all_recordings() -> None:
    recorded = {path.stem for path in RECORDINGS.glob("*.json")}
    assert FINAL.keys() == SEEN.keys()
    assert recorded - FINAL.keys() == {"argument-missing", "template-unknown"}, "these two never became workflows"


@pytest.mark.parametrize("name", FINAL)
def test_final_status(name: str) -> None:
    last = status_of(snapshots(name)[-1])
    assert (last.number, last.reason, last.exit_code, last.stop_requested) == FINAL[name]
    assert last.finished
    assert last.text == TEXTS[last.number]


@pytest.mark.parametrize("name", FINAL)
def test_status_only_goes_forward(name: str) -> None:
    statuses = [status_of(workflow) for workflow in snapshots(name)]
    assert [s.finished for s in statuses] == sorted(s.finished for s in statuses), "finished never becomes unfinished"
    assert all(s.finished == bool(w.finished) for s, w in zip(statuses, snapshots(name), strict=True))
    running = [s.number for s in statuses if not s.finished]
    assert running == sorted(running)
    assert len({(s.number, s.reason, s.finished_at) for s in statuses if s.finished}) == 1
    assert all(s.reason == "" or s.number in (31, 32) for s in statuses if not s.finished), "no verdict before the end"


@pytest.mark.parametrize("name", FINAL)
def test_a_stop_is_told_while_results_are_published(name: str) -> None:
    seen = snapshots(name)
    told = [status_of(w) for w in seen if w.shutdown == seen[-1].shutdown]
    assert {s.stop_requested for s in told if s.number in (50, 60)} <= {told[-1].stop_requested}


@pytest.mark.parametrize("name", SEEN)
def test_numbers_on_the_way(name: str) -> None:
    numbers: list[int] = []
    for workflow in snapshots(name):
        number = status_of(workflow).number
        if not numbers or numbers[-1] != number:
            numbers.append(number)
    assert numbers == SEEN[name]


def test_a_queued_job_says_so() -> None:
    waiting = [s for s in map(status_of, snapshots("queued-then-runs")) if s.waiting]
    assert waiting
    assert all(s.number == 1 and s.started_at is None for s in waiting)


def test_failures_may_be_reported_as_70() -> None:
    last = snapshots("algorithm-exit-3")[-1]
    status = status_of(last, failures_as_finished=True)
    assert (status.number, status.text, status.reason, status.exit_code) == (70, "Job finished", "algorithm_failed", 3)
    assert status_of(snapshots("configuration-exit-31")[-1], failures_as_finished=True).number == 31


NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def node(name: str, phase: str, code: int | None = None, message: str = "") -> Node:
    return Node(name, name, name, "Pod", name, phase, message, code, NOON, NOON, {})


def workflow(*nodes: Node, **changes: Any) -> Workflow:
    values: dict[str, Any] = {
        "name": "j", "uid": "u", "labels": {}, "annotations": {}, "arguments": {}, "created_at": NOON,
        "phase": "Failed", "message": "", "started_at": NOON, "finished_at": NOON, "shutdown": "", "nodes": nodes,
    }  # fmt: skip
    return Workflow(**(values | changes))


CONFIGURED, PUBLISHED = node("configuration", "Succeeded", 0), node("publishing", "Succeeded", 0)
CASES: list[tuple[Workflow, tuple[Any, ...]]] = [
    (workflow(node("configuration", "Failed", 32), PUBLISHED), (32, "algorithm_unavailable", None, 0)),
    (workflow(node("configuration", "Failed", 78), PUBLISHED), (41, "rejected_by_cluster", None, 0)),
    (workflow(node("configuration", "Failed", 79), PUBLISHED), (70, "paid_time_over", None, 2)),
    (workflow(node("configuration", "Failed", 1), PUBLISHED), (41, "configuration_failed", None, 0)),
    (workflow(node("configuration", "Error", None, "pod deleted"), PUBLISHED), (41, "lost", None, 0)),
    (workflow(CONFIGURED, node("algorithm", "Failed", 124), PUBLISHED), (70, "time_limit", 124, 2)),
    (workflow(CONFIGURED, node("algorithm", "Failed", 79), PUBLISHED), (70, "paid_time_over", None, 2)),
    (workflow(CONFIGURED, node("algorithm", "Error", None, "pod deleted"), PUBLISHED), (41, "lost", None, 0)),
    (workflow(CONFIGURED, node("algorithm", "Failed", None, "ErrImagePull: x"), PUBLISHED),
     (41, "image_unavailable", None, 0)),
    (workflow(CONFIGURED, node("algorithm", "Failed", 3), PUBLISHED, shutdown="Stop"), (41, "algorithm_failed", 3, 0)),
    (workflow(CONFIGURED, node("algorithm", "Succeeded", 0), node("publishing", "Error")),
     (62, "upload_incomplete", 0, 0)),
    (workflow(CONFIGURED, node("algorithm", "Succeeded", 0), node("filtering", "Failed", 1),
              node("publishing", "Failed", 62)), (41, "filtered", 0, 0)),
    (workflow(CONFIGURED), (41, "lost", None, 0)),
]  # fmt: skip


@pytest.mark.parametrize(("seen", "expected"), CASES)
def test_verdicts_without_a_recording(seen: Workflow, expected: tuple[Any, ...]) -> None:
    status = status_of(seen)
    assert (status.number, status.reason, status.exit_code, status.stop_requested) == expected
    assert status.finished_at == NOON


def test_an_error_without_times_still_ends() -> None:
    failed = workflow(phase="Error", started_at=None, finished_at=None)
    assert status_of(failed) == JobStatus(41, "rejected_by_cluster", finished_at=NOON)


def test_started_when_it_has_its_place() -> None:
    root = node("j", "Running")
    assert status_of(workflow(root, phase="Running", finished_at=None)).number == 10


def test_before_a_filter_has_begun_its_results_are_not_being_published() -> None:
    """The exit handler's nodes come a moment after the algorithm's end: 60 must not be seen before 50."""
    steps = (CONFIGURED, node("algorithm", "Succeeded", 0))
    plain = workflow(*steps, phase="Running", finished_at=None)
    assert status_of(plain).number == 60
    filtered = workflow(*steps, phase="Running", finished_at=None, annotations={FILTERED: "true"})
    assert status_of(filtered).number == 50


# --- generated states ------------------------------------------------------------------------------------------------

PHASES = ["", "Pending", "Running", "Succeeded", "Skipped", "Failed", "Error", "Omitted"]
ENDS = ["Succeeded", "Failed", "Error"]
CODES = [None, -1, 0, 1, 3, 31, 32, 62, 75, 78, 79, 124, 127, 130, 137, 139, 143]
MESSAGES = [
    "",
    "timeout",
    "pod deleted",
    "main: OOMKilled (exit code 137)",
    "ImagePullBackOff: no such image",
    "workflow shutdown with strategy:  Stop",
    "Pod was active on the node longer than the specified deadline",
]
FINAL_NUMBERS = {31, 32, 41, 62, 70}
steps = st.builds(
    node,
    st.sampled_from(["configuration", "algorithm", "filtering", "publishing", "j", "j.onExit"]),
    st.sampled_from(PHASES),
    st.sampled_from(CODES),
    st.sampled_from(MESSAGES),
)
states = st.builds(
    lambda nodes, phase, shutdown, filtered: workflow(
        *nodes, phase=phase, shutdown=shutdown, annotations={FILTERED: "true"} if filtered else {}
    ),
    st.lists(steps, max_size=7, unique_by=lambda step: step.display_name),
    st.sampled_from(["", "Pending", "Running", *ENDS]),
    st.sampled_from(["", "Stop", "Terminate"]),
    st.booleans(),
)


@given(states)
def test_every_state_has_a_status(state: Workflow) -> None:
    """Whatever Argo may show: an end exactly when the workflow has ended, and a verdict exactly then."""
    status = status_of(state)
    assert status.text == TEXTS[status.number]
    assert status.finished == state.finished
    if status.finished:
        assert status.number in FINAL_NUMBERS
        assert status.reason
        assert (status.reason == "completed") <= (status.number == 70 and status.stop_requested == 0)
        assert (status.stop_requested == 2) == (status.reason in ("time_limit", "paid_time_over"))
        assert (status.stop_requested == 1) == (status.reason in ("stopped", "revoked"))
    else:
        assert status.number in (31, 32) or (status.number not in FINAL_NUMBERS and status.reason == "")
    assert status.removed == (state.shutdown == "Terminate")
    shown = status_of(state, failures_as_finished=True)
    assert (shown.number == 70) == (status.number in (41, 62, 70) and status.finished)
    assert (shown.reason, shown.exit_code, shown.finished_at) == (status.reason, status.exit_code, status.finished_at)


@given(states, st.sampled_from(ENDS))
def test_only_a_whole_run_is_completed(state: Workflow, end: str) -> None:
    """Success is never guessed: each step's own node must say so."""
    ended = workflow(*state.nodes, phase=end, annotations=state.annotations)
    if status_of(ended).reason == "completed":
        for step in ("configuration", "algorithm", "publishing"):
            found = ended.node(step)
            assert found is not None
            assert found.phase == "Succeeded"
        filtering = ended.node("filtering")
        assert filtering is None or filtering.phase == "Succeeded"


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ({"digest": "d", "count": 1, "not_published": "out_of_gas"}, "asset_not_published"),
        ({"digest": "d", "count": 1, "did": "did:op:aa"}, "completed"),
        ({"digest": "d", "count": 1}, "completed"),
        ({}, "completed"),
        ("no JSON", "completed"),
    ],
)
def test_results_of_which_no_asset_could_be_made(told: Any, reason: str) -> None:
    """All results are there: the job is finished."""
    text = told if isinstance(told, str) else json.dumps(told)
    last = replace(node("publishing", "Succeeded", 0), outputs={"results": text})
    made = status_of(workflow(node("configuration", "Succeeded", 0), node("algorithm", "Succeeded", 0), last))
    assert (made.number, made.reason, made.exit_code) == (70, reason, 0)
    failed = status_of(workflow(node("configuration", "Succeeded", 0), node("algorithm", "Failed", 3), last))
    assert (failed.number, failed.reason) == (41, "algorithm_failed")
