"""What the service's identity asks of a cluster: workflows that the admission policy accepts, and those it refuses."""

from __future__ import annotations

import copy
from typing import Any

from hera.workflows import models as m

from tests.support.argo_recordings import recording
from tests.support.kustomize import build
from workflow_templates.render import GITOPS

CLUSTER = build(GITOPS / "cluster")
(POLICY,) = (each["spec"] for each in CLUSTER if each["kind"] == "ValidatingAdmissionPolicy")
NAME, OWNERS, REFERENCE, ARGUMENTS, STOP, WHAT, WHERE = (each["message"] for each in POLICY["validations"])

JOB = "0123456789abcdef0123456789abcdef"
ENVIRONMENT = "ocean-compute"
FIELDS = sorted(field.alias or name for name, field in m.WorkflowSpec.model_fields.items())


def job(metadata: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    """A workflow as a real server handed it on for creation, with these fields of its spec replaced; None: without."""
    created: dict[str, Any] = copy.deepcopy(recording("success")["create"]["body"])
    kept = {"name": JOB, "namespace": "jobs", "labels": created["metadata"]["labels"]}
    fields = created["spec"] | {"workflowTemplateRef": {"name": ENVIRONMENT}} | spec
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": kept | (metadata or {}),
        "spec": {name: value for name, value in fields.items() if value is not None},
    }


def parameters(**values: Any) -> dict[str, Any]:
    return {"parameters": [{"name": name.replace("_", "-"), "value": value} for name, value in values.items()]}


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
        job(arguments=parameters(image="a") | {"artifacts": [{"name": "job-spec", "raw": {"data": "x"}}]}),
        ARGUMENTS,
    ),
    "another argument": (job(arguments=parameters(image="a", command="sh")), ARGUMENTS),
    "an expression": (job(arguments=parameters(image="{{=sprig.env('X')}}")), ARGUMENTS),
    "a reference": (job(arguments=parameters(network="{{workflow.name}}")), ARGUMENTS),
    "a value from elsewhere": (
        job(arguments={"parameters": [{"name": "image", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "k"}}}]}),
        ARGUMENTS,
    ),
    "stopped": (job(shutdown="Stop"), STOP),
    "a program": (job(templates=[{"name": "x", "container": {"image": "x", "command": ["x"]}}], entrypoint="x"), WHAT),
    "another account": (job(serviceAccountName="job-executor"), WHAT),
    "a pod's patch": (job(podSpecPatch='{"hostNetwork": true}'), WHAT),
    "an exit handler": (job(onExit="x"), WHAT),
    "the host's network": (job(hostNetwork=True), WHAT),
    "a volume": (job(volumes=[{"name": "x", "secret": {"secretName": "c2d-result-store"}}]), WHAT),
    "a node": (job(nodeSelector={"kubernetes.io/hostname": "x"}), WHERE),
    "no limit": (job(synchronization={}), WHERE),
    "no end": (job(activeDeadlineSeconds=10**9), WHERE),
    "kept for ever": (job(ttlStrategy={}), WHERE),
}
