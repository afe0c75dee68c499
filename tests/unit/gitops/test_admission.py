"""What the admission policy lets the service's identity do: its expressions, run over what a real Argo Server made.

They are run by cel-python here; an API server reads them in tests/integration/cluster.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from typing import Any

import pytest
from hera.workflows import models as m
from hypothesis import given, settings
from hypothesis import strategies as st

from contract import names
from provider_api.access import image as container
from provider_api.access.accepted import AcceptedStart
from provider_api.jobs.specification import prepare
from provider_api.keys import keys_of
from provider_api.settings import ProviderSettings, Settings
from tests.support.admission import (
    ADDRESS,
    ANNOTATIONS,
    ARGUMENTS,
    CLUSTER,
    CREATOR,
    ENVIRONMENT,
    EVIL,
    FIELDS,
    IMAGE,
    JOB,
    LABELS,
    NAME,
    OWNERS,
    POLICY,
    REFUSED,
    SPEC,
    STATUS,
    STATUS_FIELDS,
    STOP,
    STOP_LABELS,
    job,
    labels,
    parameters,
    refusals,
)
from tests.support.argo_recordings import recording
from tests.support.argo_server import RECORDINGS
from tests.support.provider_facts import NOW, algorithm, dataset, environment, facts, order
from tests.support.provider_neighbours import PROVIDER_KEY

pytestmark = pytest.mark.unit

STRICT = "template-reference-strict"  # submitted with a field that only Argo's mode Strict refuses
PAYING = order(fee_amount=10**19, valid_until=int(NOW) + 600, tx_hash="0x" + "e" * 64)
RECORDED = sorted(
    path.stem for path in (RECORDINGS / "jobs").glob("*.json") if recording(path.stem)["create"]["status"] == 200
)


def test_a_job_may_be_made_and_by_others_anything() -> None:
    assert refusals(job()) == []
    for found in (None, {}, {"startedAt": None}):
        assert refusals(job(status=found)) == []
    assert refusals({name: value for name, value in job().items() if name != "status"}) == []
    assert refusals(job(arguments=parameters(network="public", seconds="999999"))) == []
    assert refusals(job({"labels": None, "annotations": None})) == []
    other = {"workflowTemplateRef": {"name": "rec-filter", "clusterScope": False}}
    assert refusals(job({"labels": labels(environment="rec-filter")}, **other)) == []
    assert refusals({"metadata": {"name": "x"}, "spec": {}}, by="system:serviceaccount:argo:argo") == []


@pytest.mark.parametrize(("workflow", "message"), REFUSED.values(), ids=REFUSED)
def test_what_may_not_be_made(workflow: dict[str, Any], message: str) -> None:
    assert refusals(workflow) == [message]


@pytest.mark.parametrize("name", ["", "x", JOB.upper(), JOB[:-1] + "g", JOB + "\n"])
def test_names(name: str) -> None:
    assert refusals(job({"name": name})) == [NAME]


@pytest.mark.parametrize("name", [each for each in RECORDED if each != STRICT])
def test_a_job_may_be_stopped_whatever_argo_has_made_of_it(name: str) -> None:
    """Each state of each recorded workflow, as it is: stop, and terminate after it, are the patches that a server
    makes, with its labels about who asked. Argo writes nothing into `spec` that the policy would refuse."""
    workflows = [snapshot["workflow"] for snapshot in recording(name)["snapshots"] if snapshot["workflow"]]
    assert workflows
    for workflow in workflows:
        before = copy.deepcopy(workflow)
        before["metadata"] |= {"name": JOB, "finalizers": ["foregroundDeletion"]}  # the cluster may have added one
        for shutdown in ("Stop", "Terminate"):
            after = copy.deepcopy(before)
            after["spec"]["shutdown"] = shutdown
            asked = {"action": shutdown, "actor": "system-serviceaccount-c2d-provider-api", "actor-email": "a.at.b"}
            after["metadata"]["labels"] |= {f"workflows.argoproj.io/{name}": value for name, value in asked.items()}
            assert refusals(after, before) == []
            before = after


def _state(workflow: dict[str, Any]) -> dict[str, Any]:
    """A workflow of ours in a recorded state, with everything that Argo wrote into it."""
    state = job(status=workflow.get("status"))
    state["metadata"]["labels"] |= {"workflows.argoproj.io/phase": "Running"}
    return state


STATES = [_state(recording("stop-while-running")["snapshots"][number]["workflow"]) for number in (1, -1)]
FEW = settings(max_examples=20, deadline=None)  # an example takes this interpreter some tens of milliseconds
TEXTS = st.text("abz09./-_ {}=", max_size=20)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)


@FEW
@given(st.sampled_from(STATUS_FIELDS) | TEXTS, VALUES)
def test_no_status_is_made(field: str, value: Any) -> None:
    """Whatever field of a status is given at creation, but for the empty times that Go programs send."""
    empty = field in ("startedAt", "finishedAt") and value is None
    assert refusals(job(status={"startedAt": None, field: value})) == ([] if empty else [STATUS])


@FEW
@given(st.sampled_from(STATES), st.sampled_from(STATUS_FIELDS), VALUES, st.booleans())
def test_no_status_is_changed(before: dict[str, Any], field: str, value: Any, stopped: bool) -> None:
    after = copy.deepcopy(before)
    after["status"][field] = value
    if stopped:
        after["spec"]["shutdown"] = "Stop"
    same = field in before["status"] and before["status"][field] == value
    assert refusals(after, before) == ([] if same else [STATUS])


def test_no_status_is_removed_or_added() -> None:
    for before in STATES:
        after = {name: value for name, value in before.items() if name != "status"}
        assert refusals(after, before) == [STATUS]
        assert refusals(before, after) == [STATUS]
        for deep in ("storedWorkflowTemplateSpec", "storedTemplates", "nodes"):
            assert refusals({**before, "status": before["status"] | {deep: EVIL}}, before) == [STATUS]


@FEW
@given(st.sampled_from([*labels(), "workflows.argoproj.io/phase", "workflows.argoproj.io/completed", "owner"]), TEXTS)
def test_labels_are_not_changed_by_a_stop(name: str, value: str) -> None:
    before = STATES[0]
    after = copy.deepcopy(before)
    after["metadata"]["labels"][name] = value
    assert refusals(after, before) == ([] if before["metadata"]["labels"].get(name) == value else [STOP_LABELS])
    if name in before["metadata"]["labels"]:
        del after["metadata"]["labels"][name]
        assert refusals(after, before) == [STOP_LABELS]
    assert refusals({**before, "metadata": before["metadata"] | {"annotations": {name: value}}}, before) == [
        ANNOTATIONS
    ]


def test_who_stopped_is_said_in_few_words() -> None:
    before = job()
    for action in ("Retry", "Suspend", ""):
        after = job({"labels": labels() | {"workflows.argoproj.io/action": action}})
        assert refusals(after, before) == [STOP_LABELS]


@FEW
@given(st.dictionaries(st.sampled_from([*labels(), "owner", "workflows.argoproj.io/completed"]) | TEXTS, TEXTS))
def test_only_our_labels_of_their_form(given_labels: dict[str, str]) -> None:
    found = refusals(job({"labels": labels() | given_labels}))
    ours = labels() | CREATOR
    if any(value != ours.get(name) for name, value in given_labels.items() if name not in CREATOR):
        assert found  # a value of our labels' forms cannot be made of these letters
    else:
        assert found == []


@pytest.mark.parametrize("field", ["ownerReferences", "finalizers"])
def test_owners_and_finalizers_stay(field: str) -> None:
    value = [{"kind": "ConfigMap", "name": "x"}] if field == "ownerReferences" else ["example.org/x"]
    assert refusals(job({field: value}), job()) == [OWNERS]
    assert refusals(job(), job({field: value})) == [OWNERS]
    assert refusals(job({field: value}, shutdown="Stop"), job({field: value})) == []


GOOD_IMAGE = st.from_regex(container._IMAGE, fullmatch=True).filter(lambda text: text.isascii() and len(text) <= 255)


@FEW
@given(GOOD_IMAGE)
def test_every_image_that_the_service_takes(image: str) -> None:
    named = container.AlgorithmContainer("x", image, "sha256:" + "0A" * 32)
    assert container.problem(named) is None
    assert refusals(job(arguments=parameters(image=named.reference()))) == []


@FEW
@given(st.sampled_from(names.ARGUMENTS), st.text("ab09:/@.-_={}+ \n", max_size=30))
def test_arguments_of_no_other_form(name: str, value: str) -> None:
    """Whatever else is sent, also a good value with something before or after it; and every other field beside it."""
    assume = {"job-spec": r"[A-Za-z0-9+/]+={0,2}", "seconds": r"[1-9][0-9]{0,9}"}
    if not re.fullmatch(assume.get(name, "never"), value):
        assert refusals(job(arguments=parameters(**{name: value}))) == [ARGUMENTS]


@pytest.mark.parametrize("field", [*sorted(set(m.Parameter.model_fields) - {"name", "value"}), "valueFrom", "x"])
@pytest.mark.parametrize("name", names.ARGUMENTS)
def test_a_name_and_a_value_and_no_more(name: str, field: str) -> None:
    found = parameters()
    for each in found["parameters"]:
        if each["name"] == name:
            each[field] = {} if field == "valueFrom" else "x"
    assert refusals(job(arguments=found)) == [ARGUMENTS]


def test_what_strict_refuses_later_is_not_even_made() -> None:
    created = copy.deepcopy(recording(STRICT)["create"]["body"])
    assert refusals(
        job(**created["spec"] | {"arguments": parameters(), "workflowTemplateRef": {"name": ENVIRONMENT}})
    ) == [SPEC]


@pytest.mark.parametrize(
    "field", [each for each in [*FIELDS, "new"] if each not in ("workflowTemplateRef", "arguments")]
)
@pytest.mark.parametrize("value", [{}, "x"], ids=repr)
def test_no_other_field_of_a_workflow_passes(field: str, value: Any) -> None:
    """Every field that Argo knows, by Hera's models, and one that it does not know yet; also with a value that says
    nothing."""
    message = STOP if field in ("shutdown", "entrypoint") else SPEC
    assert refusals(job(**{field: value})) == [message]
    assert refusals(job(**{field: value}), job()) == [message]


def test_a_job_begins_as_its_environment_says_or_in_the_queue() -> None:
    assert refusals(job(entrypoint="queued")) == []
    for entrypoint in ("compute", "release", "algorithm", "", "queued "):
        assert refusals(job(entrypoint=entrypoint)) == [STOP]
    for before, after in ((job(), job(entrypoint="queued")), (job(entrypoint="queued"), job())):
        assert refusals(after, before) == [STOP]


def queued(shutdown: str | None = None) -> dict[str, Any]:
    """A job that awaits its turn, as Argo has written it."""
    common = {
        "boundaryID": JOB,
        "templateScope": "local/queued",
        "startedAt": "2026-01-01T00:00:00Z",
        "finishedAt": None,
    }
    turn = common | {"id": "j-1", "name": "j.turn", "displayName": "turn", "type": "Suspend", "phase": "Running"}
    root = common | {"id": JOB, "name": JOB, "displayName": JOB, "type": "DAG", "phase": "Running", "children": ["j-1"]}
    nodes = {JOB: root | {"templateName": "queued"}, "j-1": turn | {"templateName": "turn"}}
    further = {"entrypoint": "queued"} | ({} if shutdown is None else {"shutdown": shutdown})
    return job({"labels": labels() | SAID}, status={"phase": "Running", "progress": "0/0", "nodes": nodes}, **further)


SAID = {
    "workflows.argoproj.io/actor": "somebody",
    "workflows.argoproj.io/actor-email": "a.at.b",
    "workflows.argoproj.io/actor-preferred-username": "a",
}


def resumed(before: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """As Argo Server resumes it, and with these further changes of the node."""
    after = copy.deepcopy(before)
    after["metadata"]["labels"] = labels() | {
        "workflows.argoproj.io/actor": "the-service",
        "workflows.argoproj.io/action": "Resume",
    }
    after["status"]["nodes"]["j-1"] |= {"phase": "Succeeded", "finishedAt": "2026-01-01T00:00:09Z"} | changes
    return after


def test_a_resumption_ends_the_wait_of_a_turn() -> None:
    before = queued()
    assert refusals(before) == [STATUS, LABELS], "it is not made so"
    assert refusals(resumed(before), before) == []
    assert refusals(resumed(before, message="let go by hand"), before) == []
    again = resumed(before)
    assert refusals(again, again) == []
    assert refusals(before, again)[0] == STATUS, "nor made to wait again"


OTHER_ENDS: dict[str, dict[str, Any]] = {
    "fails": {"phase": "Failed"},
    "is skipped": {"phase": "Skipped"},
    "goes on": {"phase": "Running"},
    "is another type": {"type": "Pod"},
    "has another template": {"templateName": "publishing"},
    "has outputs": {"outputs": {"parameters": []}},
    "has children": {"children": ["j-2"]},
}


@pytest.mark.parametrize("change", OTHER_ENDS.values(), ids=OTHER_ENDS)
def test_a_turn_ends_in_no_other_way(change: dict[str, Any]) -> None:
    before = queued()
    assert refusals(resumed(before, **change), before) == [STATUS]


def test_a_resumption_changes_nothing_else() -> None:
    before = queued()

    def changed(change: Callable[[dict[str, Any]], object]) -> list[str]:
        after = resumed(before)
        change(after["status"])
        return refusals(after, before)

    assert changed(lambda status: status.update(phase="Succeeded")) == [STATUS]
    assert changed(lambda status: status.pop("progress")) == [STATUS]
    assert changed(lambda status: status.update(storedTemplates={})) == [STATUS]
    assert changed(lambda status: status["nodes"][JOB].update(phase="Succeeded")) == [STATUS]
    assert changed(lambda status: status["nodes"].pop(JOB)) == [STATUS]
    assert changed(lambda status: status["nodes"]["j-1"].pop("templateName")) == [STATUS]
    assert changed(lambda status: status["nodes"].update({"j-2": status["nodes"]["j-1"]})) == [STATUS]
    stopped = queued("Stop")
    assert refusals(resumed(stopped), stopped) == []


@pytest.mark.parametrize("kind", ["Pod", "DAG", "Retry", "Skipped"])
def test_no_other_step_is_ended(kind: str) -> None:
    before = queued()
    before["status"]["nodes"]["j-1"]["type"] = kind
    assert refusals(resumed(before), before) == [STATUS]


CHANGES: dict[str, dict[str, Any]] = {
    "its image": {"arguments": parameters(image=IMAGE.replace("0a", "0b"))},
    "its environment": {"workflowTemplateRef": {"name": "rec-filter"}},
    "going on": {"shutdown": None},
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_job_cannot_be_changed(change: dict[str, Any]) -> None:
    before = job(shutdown="Stop")
    after = {name: value for name, value in (before["spec"] | change).items() if value is not None}
    assert refusals({**before, "spec": after}, before) == [STOP]


def test_the_policy_lists_what_the_service_uses() -> None:
    text = " ".join(each["expression"] for each in POLICY["validations"])
    listed = re.search(r"\[([^\]]*)\]\.all\(n,", text)
    assert listed
    assert tuple(re.findall(r"'([^']*)'", listed[1])) == names.ARGUMENTS
    labelled = {name: value for name, value in labels(approval="owner").items() if name not in CREATOR}
    assert set(labelled) == set(names.JOB_LABELS)
    for name in names.JOB_LABELS:
        assert refusals(job({"labels": {name: labelled[name]}})) == []
    assert refusals(job({"labels": labels(approval="nobody")}))
    assert refusals(job({"annotations": dict.fromkeys(names.JOB_ANNOTATIONS, ADDRESS)})) == []


@pytest.mark.parametrize("filtered", [False, True])
def test_what_the_service_submits_is_admitted(filtered: bool) -> None:
    """Labels, annotations and arguments of a job, as the service prepares them."""
    known = facts((dataset(order=PAYING),), algorithm(), environment=environment(price_per_minute=1, filtered=filtered))
    keys = keys_of(PROVIDER_KEY)
    settings = Settings(provider=ProviderSettings(key=PROVIDER_KEY))  # type: ignore[arg-type]
    made = prepare(AcceptedStart.of(known), JOB, ADDRESS, settings, keys).workflow
    submitted = job(
        {"name": made.name, "labels": dict(made.labels) | CREATOR, "annotations": dict(made.annotations)},
        workflowTemplateRef={"name": made.template},
        arguments={"parameters": [{"name": name, "value": value} for name, value in made.arguments.items()]},
    )
    assert refusals(submitted) == []


def test_the_policy_is_bound() -> None:
    (policy,) = (each for each in CLUSTER if each["kind"] == "ValidatingAdmissionPolicy")
    (binding,) = (each for each in CLUSTER if each["kind"] == "ValidatingAdmissionPolicyBinding")
    assert binding["spec"]["policyName"] == policy["metadata"]["name"]
    assert binding["spec"]["validationActions"] == ["Deny"]
    assert binding["spec"]["paramRef"]["name"] == names.LIMITS_CONFIG_MAP
    assert binding["spec"]["paramRef"]["parameterNotFoundAction"] == "Deny"
