"""Job status over every recorded workflow of a real Argo, at every moment that was recorded."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from argo.client.parsing import parse_workflow
from argo.client.records import Node, Workflow
from contract.exit_codes import ExitCode
from contract.names import FILTERED, IMAGE, IN_SECONDS, OUT_LIMITS, VALID_UNTIL
from pods.start_script import ENDINGS
from provider_api.jobs import status as judging
from provider_api.jobs.job_object import job_object
from provider_api.jobs.status import LATE_SECONDS, TEXTS, JobStatus

pytestmark = pytest.mark.unit

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def status_of(workflow: Workflow, **options: Any) -> JobStatus:
    """Long after everything that is tried here."""
    return judging.status_of(workflow, now=datetime(2100, 1, 1, tzinfo=UTC), **options)


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
    "image-missing": (41, "image_unavailable", None, 0),
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
    "image-missing": [1, 20, 30, 60, 41],
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
    (workflow(node("configuration", "Failed", 255, "main: Unknown (exit code 255)"), PUBLISHED), (41, "lost", None, 0)),
    (workflow(CONFIGURED, node("algorithm", "Failed", 255, "main: Unknown (exit code 255)"), PUBLISHED),
     (41, "lost", None, 0)),
    (workflow(CONFIGURED, node("algorithm", "Failed", 255, "main: Error (exit code 255)"), PUBLISHED),
     (41, "algorithm_failed", 255, 0)),
    (workflow(CONFIGURED, node("algorithm", "Failed", 124), PUBLISHED), (41, "algorithm_failed", 124, 0)),
    (workflow(CONFIGURED, node("algorithm", "Failed", 79), PUBLISHED), (41, "algorithm_failed", 79, 0)),
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


# --- how the algorithm ended -----------------------------------------------------------------------------------------

DEADLINE = "Pod was active on the node longer than the specified deadline"


def ran(
    code: int | None,
    seconds: float,
    *,
    note: str | None = "own",
    limit: int = 60,
    paid: float | None = None,  # seconds from the start until which it is paid for
    message: str = "",
    phase: str = "Failed",
    **changes: Any,
) -> Workflow:
    """A job whose algorithm's pod ended so many seconds after its node was made."""
    until = None if paid is None else int(NOON.timestamp() + paid)
    limits = json.dumps({"run_seconds": limit, "paid_until": until})
    end = NOON + timedelta(seconds=seconds)
    told = "" if note is None else json.dumps({"digest": "d", "count": 0, "run": note})
    return workflow(
        replace(CONFIGURED, outputs={OUT_LIMITS: limits}),
        replace(node("algorithm", phase, code, message), finished_at=end, inputs={IN_SECONDS: str(limit + 360)}),
        replace(PUBLISHED, outputs={"results": told} if told else {}),
        annotations={VALID_UNTIL: str(until or 0), IMAGE: "registry.local/none:1"},
        finished_at=end,
        **changes,
    )


def verdict(seen: Workflow) -> tuple[Any, ...]:
    status = status_of(seen)
    return status.number, status.reason, status.exit_code, status.stop_requested


@pytest.mark.parametrize("code", [*sorted(int(code) for code in ExitCode if code), 1, 2, 126, 127, 130, 137, 139, 143])
@pytest.mark.parametrize("seconds", [0, 3, 59, 61, 400])
def test_an_algorithms_own_exit_code_is_its_own(code: int, seconds: int) -> None:
    """Whichever of our own codes it is, and however long it ran or waited for its image."""
    assert verdict(ran(code, seconds, paid=10_000)) == (41, "algorithm_failed", code, 0)


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (ran(124, 60, note="limit"), (70, "time_limit", 124, 2)),
        (ran(124, 59, note="limit"), (70, "time_limit", 124, 2)),  # Argo's times are whole seconds
        (ran(124, 90, note="limit"), (70, "time_limit", 124, 2)),  # after half a minute for the image
        (ran(124, 60, note=None), (70, "time_limit", 124, 2)),
        (ran(124, 20, note="limit", paid=20), (70, "time_limit", 124, 2)),
        (ran(124, 30, note="limit"), (41, "algorithm_failed", 124, 0)),  # a note that an algorithm has written
        (ran(124, 30, note=None), (41, "algorithm_failed", 124, 0)),
        (ran(79, 5, note="over", paid=5), (70, "paid_time_over", None, 2)),
        (ran(79, 5, note=None, paid=5), (70, "paid_time_over", None, 2)),
        (ran(79, 5, note="over", paid=50), (41, "algorithm_failed", 79, 0)),
        (ran(79, 5, note="over"), (41, "algorithm_failed", 79, 0)),
        (ran(79, 50, note="own", paid=50), (41, "algorithm_failed", 79, 0)),
        (ran(143, 5, note="term", message="main: Error (exit code 143)"), (41, "lost", 143, 0)),
        (ran(143, 5, note=None, message="main: Error (exit code 143)"), (41, "lost", 143, 0)),
        (ran(143, 5, note="begun"), (41, "lost", 143, 0)),
        (ran(143, 5, message="main: Error (exit code 143)"), (41, "algorithm_failed", 143, 0)),
        (ran(143, 5, note="term", shutdown="Stop"), (70, "stopped", 143, 1)),
        (ran(None, 5, note="begun", phase="Error", message="pod deleted"), (41, "lost", None, 0)),
        (ran(137, 425, note="begun", message=DEADLINE), (70, "time_limit", 137, 2)),
        (ran(143, 421, note="begun", message=DEADLINE), (70, "time_limit", 143, 2)),
        (ran(124, 421, note="limit", message=DEADLINE), (70, "time_limit", 124, 2)),
        (ran(137, 421, note="never", message=DEADLINE), (41, "image_unavailable", None, 0)),
        (ran(None, 421, note="never", message=DEADLINE), (41, "image_unavailable", None, 0)),
        (ran(137, 421, note=None, message=DEADLINE), (41, "image_unavailable", None, 0)),
        (ran(137, 427, note=None, message=DEADLINE), (70, "time_limit", 137, 2)),
        (ran(None, 300, note="never", message="timeout"), (41, "image_unavailable", None, 0)),
        (ran(None, 300, note=None, phase="Pending", message="PodInitializing"), (41, "image_unavailable", None, 0)),
    ],
)
def test_why_an_algorithm_ended(seen: Workflow, expected: tuple[Any, ...]) -> None:
    assert verdict(seen) == expected


@given(
    st.sampled_from([None, *range(1, 256)]),
    st.floats(0, 57.9),
    st.sampled_from([None, "own", "never", "begun", "?", *sorted(ENDINGS)]),
    st.sampled_from(["", "main: Error (exit code 124)", "timeout", "ImagePullBackOff: x"]),
)
def test_nobody_is_out_of_time_before_the_time(
    code: int | None, seconds: float, note: str | None, message: str
) -> None:
    """Whatever an algorithm ends with or writes: without Argo's clock it is no time limit."""
    seen = ran(code, seconds, note=note, limit=60, paid=60, message=message)
    assert status_of(seen).reason not in ("time_limit", "paid_time_over")


@pytest.mark.parametrize("phase", ["Failed", "Error"])
@pytest.mark.parametrize("code", [None, 137, 143])
@pytest.mark.parametrize(
    ("message", "reason", "detail"),
    [
        ('Usage of EmptyDir volume "tmp" exceeds the limit "1Gi". ', "out_of_disk",
         'Usage of EmptyDir volume "tmp" exceeds the limit "1Gi"'),
        ("Pod ephemeral local storage usage exceeds the total limit of containers 2Gi. ", "out_of_disk",
         "Pod ephemeral local storage usage exceeds the total limit of containers 2Gi"),
        ('main: Container main exceeded its local ephemeral storage limit "2Gi". ', "out_of_disk",
         'Container main exceeded its local ephemeral storage limit "2Gi"'),
        ("The node was low on resource: ephemeral-storage. Threshold quantity: 1Gi, available: 9Mi. ", "lost",
         "The node was low on resource: ephemeral-storage"),
    ],
)  # fmt: skip
def test_an_eviction_names_the_limit(phase: str, code: int | None, message: str, reason: str, detail: str) -> None:
    seen = ran(code, 95, note="term", phase=phase, message=message)
    status = status_of(seen)
    assert (status.number, status.reason, status.exit_code, status.detail) == (41, reason, code, detail)
    shown = job_object(seen, status, [], None)
    assert (shown["statusText"], shown["detail"]) == ("Algorithm failed", detail)


@pytest.mark.parametrize("name", ["image-missing", "image-missing-pending-timeout"])
def test_an_image_that_is_not_there_is_told_while_it_is_waited_for(name: str) -> None:
    """A typing error shows at once, with the name; at the end nothing has started, and nobody is told otherwise."""
    texts = [job_object(seen, status_of(seen), [], None)["statusText"] for seen in snapshots(name)]
    waiting = [text for text in texts if ": " in text]
    assert waiting
    start = 'Provisioning success: image registry.local/none:1: ErrImagePull: failed to pull and unpack image "'
    assert any(text.startswith(start) for text in waiting)
    last = status_of(snapshots(name)[-1])
    assert (last.started_at, last.detail) == (None, "image registry.local/none:1 did not start")
    assert texts[-1] == "Algorithm failed"


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


STOPPED = (CONFIGURED, node("algorithm", "Failed", 143, "main: Error (exit code 143)"))
TOLD = {"results": json.dumps({"digest": "0" * 64, "count": 0, "files": []})}


@pytest.mark.parametrize(
    ("seconds", "publishing", "changes", "finished"),
    [
        (0, node("publishing", "Running"), {}, False),
        (LATE_SECONDS - 1, node("publishing", "Pending"), {}, False),
        (LATE_SECONDS, node("publishing", "Running"), {}, True),
        (0, replace(node("publishing", "Running"), outputs=TOLD), {}, True),
        (0, node("publishing", "Succeeded", 0), {}, True),
        (0, node("publishing", "Running"), {"shutdown": "Terminate"}, True),
        (0, node("publishing", "Running"), {"shutdown": ""}, True),
    ],
)
def test_an_older_argo_ends_a_stopped_workflow_before_its_results_are_there(
    seconds: int, publishing: Node, changes: dict[str, str], finished: bool
) -> None:
    stopped = workflow(*STOPPED, publishing, **({"shutdown": "Stop"} | changes))
    status = judging.status_of(stopped, now=NOON + timedelta(seconds=seconds))
    assert status.finished is finished
    assert finished or (status.number, status.stop_requested) == (60, 1)


def test_a_stopped_workflow_without_publishing_is_finished() -> None:
    assert judging.status_of(workflow(CONFIGURED, shutdown="Stop"), now=NOON).finished
