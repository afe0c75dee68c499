"""What the admission policy lets the service's identity do: its expressions, run over what a real Argo Server made.

They are run by cel-python here; an API server reads them in tests/integration/cluster.
"""

from __future__ import annotations

import copy
import re
from typing import Any

import celpy
import pytest
from celpy.adapter import json_to_cel
from celpy.evaluation import CELEvalError

from tests.support.admission import CLUSTER, FIELDS, JOB, NAME, POLICY, REFUSED, STOP, WHAT, WHERE, job, parameters
from tests.support.argo_recordings import recording
from tests.support.argo_server import RECORDINGS
from workflow_templates import names

pytestmark = pytest.mark.unit

SERVICE = "system:serviceaccount:c2d:provider-api"
LIMITS = {"data": {"ocean-compute": "4", "rec-plain": "2", "rec-filter": "1", "rec-pending": "1", "rec-collect": "1"}}
STRICT = "template-reference-strict"  # submitted with a field that only Argo's mode Strict refuses
RECORDED = sorted(
    path.stem for path in (RECORDINGS / "jobs").glob("*.json") if recording(path.stem)["create"]["status"] == 200
)

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


def test_a_job_may_be_made_and_by_others_anything() -> None:
    assert refusals(job()) == []
    assert refusals(job(arguments=parameters(job_spec="a", image="b", seconds="1", network="none"))) == []
    assert refusals(job(workflowTemplateRef={"name": "rec-filter", "clusterScope": False})) == []
    assert refusals({"metadata": {"name": "x"}, "spec": {}}, by="system:serviceaccount:argo:argo") == []


@pytest.mark.parametrize(("workflow", "message"), REFUSED.values(), ids=REFUSED)
def test_what_may_not_be_made(workflow: dict[str, Any], message: str) -> None:
    assert refusals(workflow) == [message]


@pytest.mark.parametrize("name", ["", "x", JOB.upper(), JOB[:-1] + "g", JOB + "\n"])
def test_names(name: str) -> None:
    assert refusals(job({"name": name})) == [NAME]


@pytest.mark.parametrize("name", [each for each in RECORDED if each != STRICT])
def test_a_job_may_be_stopped_whatever_argo_has_made_of_it(name: str) -> None:
    """Each state of each recorded workflow, with our arguments in the place of the recorded ones: stop, and terminate
    after it, are the patches that a server makes. Argo writes nothing into `spec` that the policy would refuse."""
    workflows = [snapshot["workflow"] for snapshot in recording(name)["snapshots"] if snapshot["workflow"]]
    assert workflows
    for workflow in workflows:
        before = copy.deepcopy(workflow)
        before["metadata"] |= {"name": JOB, "finalizers": ["foregroundDeletion"]}  # the cluster may have added one
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


@pytest.mark.parametrize("field", [each for each in FIELDS if each not in ("workflowTemplateRef", "arguments")])
@pytest.mark.parametrize("value", [{}, [], "", False, 0, "x"], ids=repr)
def test_no_other_field_of_a_workflow_passes(field: str, value: Any) -> None:
    """Every field that Argo knows, by Hera's models; also with a value that says nothing."""
    assert len(refusals(job(**{field: value}))) == 1
    if field != "shutdown":
        assert len(refusals(job(**{field: value}), job())) == 1


CHANGES: dict[str, dict[str, Any]] = {
    "its image": {"arguments": parameters(image="other/image:1")},
    "its environment": {"workflowTemplateRef": {"name": "rec-filter"}},
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_job_cannot_be_changed(change: dict[str, Any]) -> None:
    before = job(arguments=parameters(image="an/image:1"))
    assert refusals({**before, "spec": before["spec"] | change}, before) == [STOP]


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
