"""The `fields` parameter: keeping, leaving out, and what comes back in any case."""

from __future__ import annotations

from typing import Any

import pytest

from argo.local.rest.fields import Fields, restore_workflow

pytestmark = pytest.mark.unit

DOCUMENT: dict[str, Any] = {
    "metadata": {"name": "j", "labels": {"x.y/z": "1", "w": "2"}},
    "spec": {"arguments": {"parameters": []}},
    "status": {"phase": "Running", "nodes": {"j": {"id": "j"}}},
}


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("", DOCUMENT),
        ("metadata.name", {"metadata": {"name": "j"}}),
        ("metadata.labels.x.y/z", {"metadata": {"labels": {"x.y/z": "1"}}}),
        ("status.phase,metadata.name", {"metadata": {"name": "j"}, "status": {"phase": "Running"}}),
        ("status.nothing", {"status": {}}),
        ("-status,spec", {"metadata": DOCUMENT["metadata"]}),
        ("-status.nodes,metadata,spec", {"status": {"phase": "Running"}}),
    ],
)
def test_apply(text: str, kept: dict[str, Any]) -> None:
    assert Fields(text).apply(DOCUMENT) == kept


def test_lists_are_passed_through() -> None:
    listed = {"metadata": {"resourceVersion": "1"}, "items": [DOCUMENT, DOCUMENT]}
    assert Fields("items.metadata.name").apply(listed) == {"items": [{"metadata": {"name": "j"}}] * 2}


@pytest.mark.parametrize(
    ("text", "path", "wanted"),
    [
        ("", "spec.arguments", True),
        ("spec", "spec.arguments", True),
        ("spec.arguments.parameters", "spec.arguments", True),
        ("status.phase", "spec.arguments", False),
        ("-spec", "spec.arguments", False),
        ("-spec.arguments.parameters", "spec.arguments", True),
    ],
)
def test_wants(text: str, path: str, wanted: bool) -> None:
    assert Fields(text).wants(path) is wanted


def test_a_filtered_workflow_keeps_what_a_typed_answer_always_has() -> None:
    assert restore_workflow({}) == {
        "metadata": {},
        "spec": {"arguments": {}},
        "status": {"startedAt": None, "finishedAt": None},
    }
