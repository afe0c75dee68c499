"""What a client may submit, and how a mistake is answered."""

from __future__ import annotations

from typing import Any

import pytest

from argo.local.errors import ApiError
from argo.local.spec.check import read_spec
from argo.local.spec.submission import merged_arguments, read_submission, require_name
from tests.support.argo_engine import template
from tests.support.argo_server import submission

pytestmark = pytest.mark.unit


def workflow(**spec: Any) -> dict[str, Any]:
    return dict(submission("j", "t", {"a": "1"}, **spec)["workflow"])


def test_reads_what_our_client_sends() -> None:
    found = read_submission(workflow(), "jobs")
    assert (found.name, found.template, found.arguments, found.violation) == ("j", "t", {"a": "1"}, "")


def test_numbers_become_text() -> None:
    sent = workflow()
    sent["spec"]["arguments"] = {"parameters": [{"name": "n", "value": 5}, {"name": "b", "value": True}]}
    assert read_submission(sent, "jobs").arguments == {"n": "5", "b": "true"}


def test_a_strict_violation_is_accepted_and_named() -> None:
    found = read_submission(workflow(serviceAccountName="x", hostNetwork=True), "jobs")
    assert "fields [HostNetwork ServiceAccountName] are not permitted" in found.violation


def test_an_inline_workflow_is_accepted_and_refused_later() -> None:
    sent = workflow(templates=[{}])
    del sent["spec"]["workflowTemplateRef"]
    assert read_submission(sent, "jobs").inline


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"spec": None}, "spec is required"),
        ({"metadata": {"generateName": "x-"}}, "generateName"),
        ({"metadata": {"name": "j", "finalizers": ["x"]}}, "metadata.finalizers"),
        ({"metadata": {"name": "j", "ownerReferences": [{}]}}, "metadata.ownerReferences"),
        ({"metadata": {"name": "j", "namespace": "other"}}, "namespace"),
        ({"metadata": {"name": "j", "labels": {"a": "b c"}}}, "metadata.labels"),
        ({"metadata": {"name": "j", "labels": {"a": "x" * 64}}}, "metadata.labels"),
        ({"metadata": {"name": "j", "labels": {"workflows.argoproj.io/completed": "true"}}}, "set by the server"),
        ({"spec": {"ttlStrategy": {}}}, "spec.ttlStrategy"),
        ({"spec": {"shutdown": "Stop"}}, "spec.shutdown"),
        ({"spec": {"nonsense": 1}}, "spec.nonsense"),
        ({"spec": {"workflowTemplateRef": {"name": "t", "clusterScope": True}}}, "clusterScope"),
        ({"spec": {"workflowTemplateRef": {"name": "t"}, "arguments": {"artifacts": [{}]}}}, "artifacts"),
        ({"spec": {"workflowTemplateRef": {"name": "t"}, "arguments": {"parameters": [{"name": "a"}]}}}, "a value"),
    ],
)
def test_refused_by_name(change: dict[str, Any], text: str) -> None:
    with pytest.raises(ApiError) as refused:
        read_submission({**workflow(), **change}, "jobs")
    assert refused.value.status == 400
    assert text in refused.value.message


@pytest.mark.parametrize("name", ["a", "a-1.b", "0" * 63])
def test_names(name: str) -> None:
    require_name(name)


@pytest.mark.parametrize("name", ["A", "a_b", "-a", "a.", "a..b", "a/b", "../a", "a" * 64])
def test_bad_names(name: str) -> None:
    with pytest.raises(ApiError, match="is invalid"):
        require_name(name)


def test_arguments_are_merged_with_the_template() -> None:
    spec = read_spec("t", template())
    merged = merged_arguments(spec, {"job-spec": "x", "seconds": "9", "unknown": "ignored"})
    assert (merged["seconds"], merged["network"]) == ("9", "none")
    assert "unknown" not in merged
    with pytest.raises(ApiError, match=r"spec\.arguments\.job-spec\.value or"):
        merged_arguments(spec, {})
