"""What Argo's error answers mean to us."""

from __future__ import annotations

from typing import Any

import pytest

from argo.client import errors
from argo.client.answers import Refusal, query_error, submission_error
from tests.support.replay import recorded_rest

pytestmark = pytest.mark.unit


def recorded(name: str) -> Refusal:
    record = recorded_rest()[name]
    return Refusal(record["status"], str(record["body"]["message"]))


@pytest.mark.parametrize(
    ("refusal", "kind", "definite"),
    [
        (recorded("create-duplicate"), errors.WorkflowExists, None),
        (recorded("create-bad-name"), errors.SubmissionRefused, None),
        (recorded("create-template-unknown"), errors.SubmissionRefused, None),
        (recorded("unknown-path"), errors.SubmissionRefused, None),
        (Refusal(401, "token not valid"), errors.SubmissionRefused, None),
        (Refusal(403, "forbidden"), errors.SubmissionRefused, None),
        (Refusal(409, "the object has been modified"), errors.ArgoUnavailable, False),
        (Refusal(429, "rate"), errors.ArgoUnavailable, True),
        (Refusal(500, "etcd"), errors.ArgoUnavailable, False),
        (Refusal(502, ""), errors.ArgoUnavailable, False),
        (Refusal(503, ""), errors.ArgoUnavailable, False),
        (Refusal(504, "timeout"), errors.ArgoUnavailable, False),
        (Refusal(302, ""), errors.ArgoUnavailable, False),
    ],
)
def test_submissions(refusal: Refusal, kind: type[Exception], definite: bool | None) -> None:
    error = submission_error("j", refusal)
    assert type(error) is kind
    assert getattr(error, "definite", None) is definite


@pytest.mark.parametrize(
    ("refusal", "kind"),
    [
        (recorded("get-not-found"), errors.WorkflowNotFound),
        (recorded("stop-not-found"), errors.WorkflowNotFound),
        (recorded("stop-finished"), errors.WorkflowFinished),
        (recorded("terminate-finished"), errors.WorkflowFinished),
        (recorded("list-bad-selector"), errors.ArgoRefused),
        (recorded("unknown-path"), errors.ArgoRefused),
        (Refusal(403, "forbidden"), errors.ArgoRefused),
        (Refusal(409, "has been modified"), errors.ArgoUnavailable),
        (Refusal(500, "etcd"), errors.ArgoUnavailable),
        (Refusal(502, "<html>"), errors.ArgoUnavailable),
    ],
)
def test_queries(refusal: Refusal, kind: type[Exception]) -> None:
    assert type(query_error("j", refusal)) is kind


def test_a_list_that_is_not_there_is_no_missing_workflow() -> None:
    assert type(query_error("", Refusal(404, "page not found"))) is errors.ArgoRefused


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"code": 5, "message": "gone"}', "gone"),
        ('{"error": {"grpc_code": 5, "message": "gone"}}', "gone"),
        (b"Not Found", "Not Found"),
        (b"\xff\xfe", "\ufffd\ufffd"),
        (b"", ""),
        (None, ""),
        (b'{"code": 13}', '{"code": 13}'),
        (b"[1]", "[1]"),
        ("x" * 9000, "x" * 500),
    ],
)
def test_any_body_can_be_read(body: Any, message: str) -> None:
    assert Refusal.read(500, body).message == message
