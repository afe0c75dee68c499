"""Rendered templates against Argo's own schema, closed."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from workflow_templates.environment import read_environments
from workflow_templates.parts import Toleration
from workflow_templates.render import render
from workflow_templates.schema import workflow_template_schema

pytestmark = pytest.mark.unit


PLACED = read_environments()[0].model_copy(
    update={
        "id": "placed",
        "runtime_class": "gvisor",
        "node_selector": {"disk": "fast"},
        "tolerations": (Toleration(key="spot", operator="Exists", effect="NoSchedule"),),
        "priority_class": "batch",
        "image_pull_secrets": ("registry",),
        "queue": "gpus",
    }
)


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    schema = workflow_template_schema()
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def manifests() -> list[dict[str, Any]]:
    files = render([*read_environments(), PLACED])
    return [yaml.safe_load(text) for path, text in files.items() if path.startswith("base/environments/")]


@pytest.mark.parametrize("manifest", manifests(), ids=lambda manifest: manifest["metadata"]["name"])
def test_rendered_templates_are_valid(validator: Draft202012Validator, manifest: dict[str, Any]) -> None:
    assert [error.message for error in validator.iter_errors(manifest)] == []


@pytest.mark.parametrize(
    ("path", "right", "wrong"),
    [
        ([], "spec", "specs"),
        (["metadata"], "labels", "label"),
        (["spec"], "onExit", "onexit"),
        (["spec"], "automountServiceAccountToken", "automountServiceAccountTokens"),
        (["spec", "securityContext"], "runAsNonRoot", "runAsNonroot"),
        (["spec", "podGC"], "deleteDelayDuration", "deleteDelay"),
        (["spec", "volumeClaimTemplates", 0, "spec"], "accessModes", "accessMode"),
        (["spec", "templates", 0], "pendingTimeout", "pendingTimeOut"),
        (["spec", "templates", 0], "retryStrategy", "retry"),
        (["spec", "templates", 0, "retryStrategy", "backoff"], "factor", "faktor"),
        (["spec", "templates", 0, "inputs", "artifacts", 0, "raw"], "data", "date"),
        (["spec", "templates", 1, "container"], "volumeMounts", "volumeMount"),
        (["spec", "templates", 1, "container", "volumeMounts", 0], "readOnly", "readonly"),
        (["spec", "templates", 1, "container", "securityContext"], "readOnlyRootFilesystem", "readOnlyRoot"),
        (["spec", "templates", 1, "container", "securityContext", "capabilities"], "drop", "dropp"),
        (["spec", "templates", 2, "volumes", 0, "secret"], "secretName", "name"),
        (["spec", "templates", 2, "outputs", "parameters", 0, "valueFrom"], "path", "file"),
        (["spec", "templates", 3, "dag", "tasks", 1], "depends", "depend"),
        (["spec", "templates", 3, "synchronization", "semaphores", 0, "configMapKeyRef"], "key", "keys"),
    ],
)
def test_a_misspelt_key_is_refused_at_every_depth(
    validator: Draft202012Validator, path: list[str | int], right: str, wrong: str
) -> None:
    manifest = copy.deepcopy(manifests()[0])
    place: Any = manifest
    for part in path:
        place = place[part]
    place[wrong] = place.pop(right)
    # ("anyOf" branches wrap the message, so look through the whole tree of errors)
    found = [str(error.message) + str([e.message for e in _all(error)]) for error in validator.iter_errors(manifest)]
    assert any(wrong in text for text in found), found


def _all(error: Any) -> list[Any]:
    return [e for child in error.context or () for e in (child, *_all(child))]


def test_another_kind_or_an_unlabelled_template_is_refused(validator: Draft202012Validator) -> None:
    workflow = manifests()[0] | {"kind": "Workflow"}
    assert not validator.is_valid(workflow)
    unlabelled = copy.deepcopy(manifests()[0])
    unlabelled["metadata"]["labels"] = {"app": "x"}
    assert not validator.is_valid(unlabelled)
