"""Recorded answers of a real Argo, read into our records."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from argo.client.parsing import nodes_left_out, parse_template, parse_workflow
from argo.client.records import Workflow
from tests.support.replay import RECORDINGS, recorded_job, recorded_rest

pytestmark = pytest.mark.unit

JOBS = sorted(path.stem for path in (RECORDINGS / "jobs").glob("*.json"))


def snapshots(name: str) -> list[dict[str, Any]]:
    return [s["workflow"] for s in recorded_job(name).get("snapshots", []) if "workflow" in s]


def last(name: str) -> Workflow:
    return parse_workflow(snapshots(name)[-1])


@pytest.mark.parametrize("name", JOBS)
def test_every_recorded_state_can_be_read(name: str) -> None:
    for document in snapshots(name):
        workflow = parse_workflow(document)
        status = document["status"]
        assert workflow.phase == status.get("phase", "")
        assert {node.id for node in workflow.nodes} == set(status.get("nodes") or {})
        assert not nodes_left_out(document)
        for node in workflow.nodes:
            assert status["nodes"][node.id]["phase"] == node.phase


def test_a_created_workflow_has_no_phase_yet() -> None:
    workflow = parse_workflow(recorded_job("success")["create"]["body"])
    assert workflow.phase == workflow.message == workflow.shutdown == ""
    assert workflow.started_at is workflow.finished_at is None
    assert workflow.nodes == ()
    assert not workflow.finished
    assert workflow.arguments["job-spec"].startswith("eHh4")
    assert workflow.created_at == datetime(2026, 11, 24, 0, 32, 33, tzinfo=UTC)
    assert workflow.uid == "21f5d7d2-72c4-4065-bf7e-042c38c8fcd1"


def test_a_finished_workflow() -> None:
    workflow = last("success")
    assert workflow.finished
    assert workflow.phase == "Succeeded"
    publishing = workflow.node("publishing")
    assert publishing is not None
    assert (publishing.type, publishing.template, publishing.exit_code) == ("Retry", "publishing", 0)
    assert publishing.outputs == {"results": '[{"filename":"a"}]'}
    algorithm = workflow.node("algorithm")
    assert algorithm is not None
    assert (algorithm.type, algorithm.phase, algorithm.exit_code, algorithm.outputs) == ("Pod", "Succeeded", 0, {})
    assert algorithm.started_at is not None
    assert workflow.node("filtering") is None


def test_attempts_are_told_from_their_step() -> None:
    workflow = last("configuration-exit-75-retried")
    step, attempt = workflow.node("configuration"), workflow.last_attempt("configuration")
    assert step is not None
    assert attempt is not None
    assert (step.phase, step.message, step.exit_code) == ("Failed", "No more retries left", 75)
    assert (attempt.display_name, attempt.type, attempt.exit_code) == ("configuration(2)", "Pod", 75)
    assert workflow.last_attempt("nothing") is None
    algorithm = workflow.last_attempt("algorithm")
    assert algorithm is not None
    assert (algorithm.type, algorithm.phase, algorithm.started_at) == ("Skipped", "Omitted", algorithm.started_at)


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("algorithm-exit-3", 3),
        ("deadline-ignores-sigterm", 137),
        ("deadline-obeys-sigterm", 143),
        ("image-missing-pending-timeout", None),
    ],
)
def test_exit_codes_are_numbers_or_absent(name: str, code: int | None) -> None:
    algorithm = last(name).node("algorithm")
    assert algorithm is not None
    assert algorithm.exit_code == code


def test_shutdown_is_read() -> None:
    assert last("stop-while-running").shutdown == "Stop"
    assert last("terminate-while-running").shutdown == "Terminate"


def test_an_error_may_end_without_a_time() -> None:
    document = snapshots("template-reference-strict")[-1]
    document["status"] |= {"finishedAt": None, "startedAt": None}
    workflow = parse_workflow(document)
    assert workflow.finished
    assert workflow.phase == "Error"
    assert workflow.finished_at is None
    assert "not permitted" in workflow.message


def test_of_several_nodes_of_one_name_the_newest_counts_even_without_a_time() -> None:
    node = {"id": "a", "displayName": "algorithm", "phase": "Pending", "startedAt": None}
    nodes = {"a": node, "b": node | {"id": "b", "startedAt": "2026-11-24T00:00:00Z"}, "c": node | {"id": "c"}}
    workflow = parse_workflow({"metadata": {"name": "w"}, "status": {"nodes": nodes}})
    found = workflow.node("algorithm")
    assert found is not None
    assert found.id == "b"
    alone = parse_workflow({"metadata": {"name": "w"}, "status": {"nodes": {"a": node, "c": node | {"id": "c"}}}})
    assert alone.node("algorithm") is not None


def test_templates() -> None:
    found = {t.name: t for t in map(parse_template, recorded_rest()["templates-by-label"]["body"]["items"])}
    plain = found["rec-plain"]
    assert plain.labels == {"c2d.oceanprotocol.com/environment": "rec-plain"}
    assert plain.annotations == {"c2d.oceanprotocol.com/price-min": "0"}
    assert plain.arguments["job-spec"] is None
    assert plain.arguments["seconds"] == "60"


def test_packed_nodes_are_noticed() -> None:
    assert nodes_left_out({"metadata": {"name": "w"}, "status": {"compressedNodes": "H4sI"}})
    assert nodes_left_out({"metadata": {"name": "w"}, "status": {"offloadNodeStatusVersion": "fnv:1"}})


@pytest.mark.parametrize("document", [{}, {"metadata": None}, {"code": 5, "message": "not found"}])
def test_something_else_is_refused(document: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="no name"):
        parse_workflow(document)
    with pytest.raises(ValueError, match="no name"):
        parse_template(document)
