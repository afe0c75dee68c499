"""What the service's identity asks of a cluster: workflows that the admission policy accepts, and those it refuses."""

from __future__ import annotations

import copy
import json
import re
from typing import Any

import celpy
from celpy.adapter import json_to_cel
from celpy.evaluation import CELEvalError
from hera.workflows import models as m

from contract import names
from contract.job_spec import MAX_SEALED_BYTES
from tests.support.argo_recordings import recording
from tests.support.argo_server import RECORDINGS
from tests.support.kustomize import build
from workflow_templates.render import GITOPS

CLUSTER = build(GITOPS / "cluster")
(POLICY,) = (each["spec"] for each in CLUSTER if each["kind"] == "ValidatingAdmissionPolicy")
(
    NAME,
    OWNERS,
    REFERENCE,
    ARGUMENTS,
    STOP,
    SPEC,
    STATUS,
    LABELS,
    STOP_LABELS,
    ANNOTATIONS,
) = (each["message"] for each in POLICY["validations"])

JOB = "0123456789abcdef0123456789abcdef"
ENVIRONMENT = "ocean-compute"
FIELDS = sorted(field.alias or name for name, field in m.WorkflowSpec.model_fields.items())
STATUS_FIELDS = sorted(field.alias or name for name, field in m.WorkflowStatus.model_fields.items())

IMAGE = f"an/image@sha256:{'0a' * 32}"
GOOD = {"job-spec": "c2VhbGVk", "image": IMAGE, "seconds": "60", "network": "none"}
ADDRESS = "0x" + "0b" * 20
CREATOR = {
    "workflows.argoproj.io/creator": "system-serviceaccount-c2d-provider-api"
}  # by Argo Server, of a token's claims


def labels(**others: str) -> dict[str, str]:
    """Those of a job, as Argo Server hands them on; by the short names of ours."""
    own = {"environment": ENVIRONMENT, "owner": ADDRESS, "agreement": "0c" * 16, "chain": "8996", "provider": ADDRESS}
    return {names.PREFIX + name: value for name, value in (own | others).items()} | CREATOR


def parameters(**others: Any) -> dict[str, Any]:
    """The arguments of a job, with these values in the place of the good ones; None: without."""
    values = GOOD | {name.replace("_", "-"): value for name, value in others.items()}
    return {"parameters": [{"name": name, "value": value} for name, value in values.items() if value is not None]}


def stored_templates(environment: str) -> dict[str, Any]:
    """As a real server said them of a workflow that it made by dry run."""
    rest = json.loads((RECORDINGS / "rest.json").read_text())
    recorded = rest["create-server-dry-run"]["body"]["status"]["storedTemplates"]
    return {"storedTemplates": {key.replace("/rec-plain/", f"/{environment}/"): each for key, each in recorded.items()}}


def job(metadata: dict[str, Any] | None = None, status: Any = None, **spec: Any) -> dict[str, Any]:
    """A workflow as a real server handed it on for creation, as ours are made, with these fields of its spec replaced;
    None: without. Argo Server has written into its status: empty times, and the templates that it has looked at."""
    created: dict[str, Any] = copy.deepcopy(recording("success")["create"]["body"])
    refers = spec.get("workflowTemplateRef", {"name": ENVIRONMENT}) or {}
    handed_on = created["status"] | (stored_templates(refers["name"]) if "name" in refers else {})
    kept = {"name": JOB, "namespace": "jobs", "labels": labels(), "annotations": {names.OWNER_TEXT: ADDRESS}}
    ours = {"workflowTemplateRef": {"name": ENVIRONMENT}, "arguments": parameters()}
    fields = created["spec"] | ours | spec
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": {name: value for name, value in (kept | (metadata or {})).items() if value is not None},
        "spec": {name: value for name, value in fields.items() if value is not None},
        "status": handed_on if status is None else status,
    }


def _argument(name: str, **fields: Any) -> dict[str, Any]:
    """The arguments with more, or other, fields of one."""
    found = parameters()
    return {"parameters": [each | (fields if each["name"] == name else {}) for each in found["parameters"]]}


EVIL: dict[str, Any] = {
    "entrypoint": "x",
    "templates": [{"name": "x", "container": {"image": "evil", "command": ["id"]}}],
}

# Workflows that may not be made, and the message; all of them well-formed, so that nothing else refuses them.
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "a short name": (job({"name": JOB[:-1]}), NAME),
    "a long name": (job({"name": JOB + "0"}), NAME),
    "a name of other letters": (job({"name": "j-" + JOB[2:]}), NAME),
    "an owner": (
        job({"ownerReferences": [{"apiVersion": "v1", "kind": "ConfigMap", "name": "x", "uid": "1"}]}),
        OWNERS,
    ),
    "a finalizer": (job({"finalizers": ["example.org/x"]}), OWNERS),
    "no environment": (job(workflowTemplateRef=None), REFERENCE),
    "an environment without a name": (job(workflowTemplateRef={}), REFERENCE),
    "another template": (job(workflowTemplateRef={"name": "evil"}), REFERENCE),
    "a template of the cluster": (job(workflowTemplateRef={"name": ENVIRONMENT, "clusterScope": True}), REFERENCE),
    "no arguments": (job(arguments=None), ARGUMENTS),
    "empty arguments": (job(arguments={}), ARGUMENTS),
    "an artifact": (
        job(arguments=parameters() | {"artifacts": [{"name": "job-spec", "raw": {"data": "x"}}]}),
        ARGUMENTS,
    ),
    "another argument": (job(arguments=parameters(command="sh")), ARGUMENTS),
    "another argument in the place of one": (job(arguments=parameters(network=None, command="sh")), ARGUMENTS),
    "an argument less": (job(arguments=parameters(seconds=None)), ARGUMENTS),
    "an argument twice": (
        job(arguments={"parameters": [*parameters(network=None)["parameters"], {"name": "image", "value": IMAGE}]}),
        ARGUMENTS,
    ),
    "an expression": (job(arguments=parameters(image="{{=sprig.env('X')}}")), ARGUMENTS),
    "a reference": (job(arguments=parameters(network="{{workflow.name}}")), ARGUMENTS),
    "an image by tag": (job(arguments=parameters(image="an/image:1")), ARGUMENTS),
    "a number": (job(arguments=parameters(seconds=60)), ARGUMENTS),
    "no time": (job(arguments=parameters(seconds="0")), ARGUMENTS),
    "another network": (job(arguments=parameters(network="store")), ARGUMENTS),
    "a large job spec": (job(arguments=parameters(job_spec="A" * (MAX_SEALED_BYTES + 4))), ARGUMENTS),
    "a value from elsewhere": (
        job(arguments=_argument("image", valueFrom={"configMapKeyRef": {"name": "c", "key": "k"}})),
        ARGUMENTS,
    ),
    "a global name": (job(arguments=_argument("image", globalName="x")), ARGUMENTS),
    "a status": (job(status={"phase": "Succeeded", "finishedAt": None}), STATUS),
    "a template in the status": (job(status={"storedWorkflowTemplateSpec": EVIL}), STATUS),
    "templates of another environment": (
        job(status={"storedTemplates": {"namespaced/ocean-compute-paid/algorithm": EVIL["templates"][0]}}),
        STATUS,
    ),
    "templates of the cluster": (
        job(status={"storedTemplates": {f"cluster/{ENVIRONMENT}/algorithm": EVIL["templates"][0]}}),
        STATUS,
    ),
    "nodes": (job(status={"nodes": {JOB: {"id": JOB, "type": "Pod", "phase": "Running"}}}), STATUS),
    "completed": (job({"labels": labels() | {"workflows.argoproj.io/completed": "true"}}), LABELS),
    "another controller's": (
        job({"labels": labels() | {"workflows.argoproj.io/controller-instanceid": "x"}}),
        LABELS,
    ),
    "a strange label": (job({"labels": labels() | {"owner": ADDRESS}}), LABELS),
    "another label of ours": (job({"labels": labels(step="algorithm")}), LABELS),
    "an owner that is no account": (job({"labels": labels(owner="everybody")}), LABELS),
    "the label of another environment": (job({"labels": labels(environment="ocean-compute-paid")}), REFERENCE),
    "a strange annotation": (job({"annotations": {"example.org/x": "y"}}), ANNOTATIONS),
    "stopped": (job(shutdown="Stop"), STOP),
    "begun elsewhere": (job(entrypoint="release"), STOP),
    "a program": (job(templates=[{"name": "x", "container": {"image": "x", "command": ["x"]}}]), SPEC),
    "another account": (job(serviceAccountName="job-executor"), SPEC),
    "a pod's patch": (job(podSpecPatch='{"hostNetwork": true}'), SPEC),
    "an exit handler": (job(onExit="x"), SPEC),
    "the host's network": (job(hostNetwork=True), SPEC),
    "a volume": (job(volumes=[{"name": "x", "secret": {"secretName": "c2d-result-store"}}]), SPEC),
    "a node": (job(nodeSelector={"kubernetes.io/hostname": "x"}), SPEC),
    "no limit": (job(synchronization={}), SPEC),
    "no end": (job(activeDeadlineSeconds=10**9), SPEC),
    "kept for ever": (job(ttlStrategy={}), SPEC),
}

SERVICE = "system:serviceaccount:c2d:provider-api"
LIMITS = {
    "data": {
        "ocean-compute": "4",
        "small": "1",
        "rec-plain": "2",
        "rec-filter": "1",
        "rec-pending": "1",
        "rec-collect": "1",
    }
}

_environment = celpy.Environment()


def _program(expression: str) -> celpy.Runner:
    return _environment.program(_environment.compile(expression))


CONDITIONS = [_program(each["expression"]) for each in POLICY["matchConditions"]]
VALIDATIONS = [(each["expression"], _program(each["expression"]), each["message"]) for each in POLICY["validations"]]
_SAID: dict[str, bool] = {}  # what an expression said of the parts that it reads: this interpreter takes its time


def refusals(new: dict[str, Any], old: dict[str, Any] | None = None, by: str = SERVICE) -> list[str]:
    """The messages with which a CREATE, or with `old` an UPDATE, is refused. Anything but true refuses, as at the API
    server; an expression that cannot be evaluated refuses too (`failurePolicy: Fail`)."""
    request = {"operation": "CREATE" if old is None else "UPDATE", "userInfo": {"username": by}}
    values = {"object": new, "oldObject": old, "request": request, "params": LIMITS}
    activation = {name: json_to_cel(value) for name, value in values.items()}
    if not all(bool(each.evaluate(activation)) for each in CONDITIONS):
        return []
    refused = []
    for expression, program, message in VALIDATIONS:
        parts = sorted(set(re.findall(r"[oO]bject\.(\w+)", expression)))
        read = [[(each or {}).get(part, "absent") for part in parts] for each in (new, old)]
        key = json.dumps([expression, request, read], sort_keys=True)
        if key not in _SAID:
            try:
                _SAID[key] = bool(program.evaluate(activation))
            except CELEvalError:
                _SAID[key] = False
        if not _SAID[key]:
            refused.append(message)
    return refused
