"""What the admission policy lets the service's identity do: its expressions, run over what a real Argo Server made.

They are run by cel-python, not by an API server: an expression that both read differently would not be noticed.
"""

from __future__ import annotations

import copy
import re
from typing import Any

import celpy
import pytest
from celpy.adapter import json_to_cel
from celpy.evaluation import CELEvalError
from hera.workflows import models as m

from tests.support.argo_recordings import recording
from tests.support.argo_server import RECORDINGS
from tests.support.kustomize import build
from workflow_templates import names
from workflow_templates.render import GITOPS

pytestmark = pytest.mark.unit

CLUSTER = build(GITOPS / "cluster")
(POLICY,) = (each["spec"] for each in CLUSTER if each["kind"] == "ValidatingAdmissionPolicy")
SERVICE = "system:serviceaccount:c2d:provider-api"
LIMITS = {"data": {"rec-plain": "2", "rec-filter": "1", "rec-pending": "1", "rec-collect": "1"}}
JOB = "0123456789abcdef0123456789abcdef"
STRICT = "template-reference-strict"  # submitted with a field that only Argo's mode Strict refuses
RECORDED = sorted(
    path.stem for path in (RECORDINGS / "jobs").glob("*.json") if recording(path.stem)["create"]["status"] == 200
)

NAME, OWNERS, REFERENCE, ARGUMENTS, STOP, WHAT, WHERE = (each["message"] for each in POLICY["validations"])

_environment = celpy.Environment()


def _program(expression: str) -> celpy.Runner:
    return _environment.program(_environment.compile(expression))


CONDITIONS = [_program(each["expression"]) for each in POLICY["matchConditions"]]
VALIDATIONS = [(_program(each["expression"]), each["message"]) for each in POLICY["validations"]]


def refusals(new: dict[str, Any], old: dict[str, Any] | None = None, by: str = SERVICE) -> list[str]:
    """The messages with which a CREATE, or with `old` an UPDATE, is refused. Anything but true refuses, as at the API
    server; an expression that cannot be evaluated refuses too (`failurePolicy: Fail`)."""
    request = {"operation": "CREATE" if old is None else "UPDATE", "userInfo": {"username": by}}
    values = {"object": new, "oldObject": old, "request": request, "params": LIMITS}
    activation = {name: json_to_cel(value) for name, value in values.items()}
    if not all(bool(each.evaluate(activation)) for each in CONDITIONS):
        return []
    refused = []
    for program, message in VALIDATIONS:
        try:
            good = bool(program.evaluate(activation))
        except CELEvalError:
            good = False
        if not good:
            refused.append(message)
    return refused


def job(**spec: Any) -> dict[str, Any]:
    """A workflow as a real server handed it on for creation, with these fields of its spec replaced; None: without."""
    created: dict[str, Any] = copy.deepcopy(recording("success")["create"]["body"])
    created["metadata"]["name"] = JOB
    created["spec"] |= spec
    created["spec"] = {name: value for name, value in created["spec"].items() if value is not None}
    return created


def parameters(**values: Any) -> dict[str, Any]:
    return {"parameters": [{"name": name.replace("_", "-"), "value": value} for name, value in values.items()]}


def test_a_job_may_be_made_and_by_others_anything() -> None:
    assert refusals(job()) == []
    assert refusals(job(arguments=parameters(job_spec="a", image="b", seconds="1", network="none"))) == []
    assert refusals({"metadata": {"name": "x"}, "spec": {}}, by="system:serviceaccount:argo:argo") == []


@pytest.mark.parametrize("name", [each for each in RECORDED if each != STRICT])
def test_a_job_may_be_stopped_whatever_argo_has_made_of_it(name: str) -> None:
    """Each state of each recorded workflow, with our arguments in the place of the recorded ones: stop, and terminate
    after it, are the patches that a server makes. Argo writes nothing into `spec` that the policy would refuse."""
    workflows = [snapshot["workflow"] for snapshot in recording(name)["snapshots"] if snapshot["workflow"]]
    assert workflows
    for workflow in workflows:
        before = copy.deepcopy(workflow)
        before["metadata"]["name"] = JOB
        before["spec"]["arguments"] = parameters(image="a")
        for shutdown in ("Stop", "Terminate"):
            after = copy.deepcopy(before)
            after["spec"]["shutdown"] = shutdown
            assert refusals(after, before) == []
            before = after


def test_what_strict_refuses_later_is_not_even_made() -> None:
    created = copy.deepcopy(recording(STRICT)["create"]["body"])
    created["metadata"]["name"] = JOB
    created["spec"]["arguments"] = parameters(image="a")
    assert refusals(created) == [WHAT]


FIELDS = sorted(field.alias or name for name, field in m.WorkflowSpec.model_fields.items())


@pytest.mark.parametrize("field", [each for each in FIELDS if each not in ("workflowTemplateRef", "arguments")])
@pytest.mark.parametrize("value", [{}, [], "", False, 0, "x"], ids=repr)
def test_no_other_field_of_a_workflow_passes(field: str, value: Any) -> None:
    """Every field that Argo knows, by Hera's models; also with a value that says nothing."""
    assert len(refusals(job(**{field: value}))) == 1
    if field != "shutdown":
        assert len(refusals(job(**{field: value}), job())) == 1


@pytest.mark.parametrize(
    "name", ["", "x", JOB[:-1], JOB + "0", JOB.upper(), JOB[:-1] + "g", JOB + "\n", "j-" + JOB[2:]]
)
def test_names(name: str) -> None:
    workflow = job()
    workflow["metadata"]["name"] = name
    assert refusals(workflow) == [NAME]


@pytest.mark.parametrize("field", ["ownerReferences", "finalizers"])
def test_a_job_has_no_owner_and_no_finalizer(field: str) -> None:
    workflow = job()
    workflow["metadata"][field] = []
    assert refusals(workflow) == [OWNERS]
    assert refusals(workflow, workflow) == []  # the controller may have added one


REFERENCES: dict[str, Any] = {
    "none": None,
    "without a name": {},
    "no environment": {"name": "evil"},
    "of the cluster": {"name": "rec-plain", "clusterScope": True},
}


@pytest.mark.parametrize("reference", REFERENCES.values(), ids=REFERENCES)
def test_only_environments(reference: Any) -> None:
    assert refusals(job(workflowTemplateRef=reference)) == [REFERENCE]


def test_a_reference_within_the_namespace() -> None:
    assert refusals(job(workflowTemplateRef={"name": "rec-filter", "clusterScope": False})) == []


BAD_ARGUMENTS: dict[str, Any] = {
    "none": None,
    "empty": {},
    "artifacts": parameters(image="a") | {"artifacts": [{"name": "job-spec", "raw": {"data": "x"}}]},
    "another one": parameters(image="a", command="sh"),
    "an expression": parameters(image="{{=sprig.env('X')}}"),
    "a reference": parameters(network="{{workflow.name}}"),
    "from elsewhere": {"parameters": [{"name": "image", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "k"}}}]},
}


@pytest.mark.parametrize("arguments", BAD_ARGUMENTS.values(), ids=BAD_ARGUMENTS)
def test_arguments_are_plain_values(arguments: Any) -> None:
    assert refusals(job(arguments=arguments)) == [ARGUMENTS]


CHANGES: dict[str, dict[str, Any]] = {
    "its image": {"arguments": parameters(image="other/image:1")},
    "its environment": {"workflowTemplateRef": {"name": "rec-filter"}},
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_job_cannot_be_changed(change: dict[str, Any]) -> None:
    before = job(arguments=parameters(image="an/image:1"))
    assert refusals({**before, "spec": before["spec"] | change}, before) == [STOP]
    assert refusals(job(shutdown="Stop")) == [STOP]  # nor made as a stopped one


def test_the_policy_names_every_field_that_a_job_has_not() -> None:
    """All fields of a workflow's spec are either ours or forbidden by name; arguments are the template's."""
    text = " ".join(each["expression"] for each in POLICY["validations"])
    forbidden = set(re.findall(r"!has\(object\.spec\.(\w+)\)", text))
    assert forbidden - {"shutdown"} == set(FIELDS) - {"workflowTemplateRef", "arguments", "shutdown"}
    listed = re.search(r"p\.name in \[([^\]]*)\]", text)
    assert listed
    assert tuple(re.findall(r"'([^']*)'", listed[1])) == names.ARGUMENTS
    assert {WHAT, WHERE} <= {message for field in FIELDS for message in refusals(job(**{field: "x"}))}


def test_the_policy_is_bound() -> None:
    (policy,) = (each for each in CLUSTER if each["kind"] == "ValidatingAdmissionPolicy")
    (binding,) = (each for each in CLUSTER if each["kind"] == "ValidatingAdmissionPolicyBinding")
    assert binding["spec"]["policyName"] == policy["metadata"]["name"]
    assert binding["spec"]["validationActions"] == ["Deny"]
    assert binding["spec"]["paramRef"]["name"] == names.LIMITS_CONFIG_MAP
    assert binding["spec"]["paramRef"]["parameterNotFoundAction"] == "Deny"
