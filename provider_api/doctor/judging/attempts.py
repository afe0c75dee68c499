"""Workflows that whoever has the service's token might make, and what the cluster says to them.

In Argo's mode Strict the controller runs a template that it finds in the *status* of a new workflow, and takes labels
and arguments as they come, so only an admission policy keeps the service's token from being worth the whole namespace.
What a policy's expressions say is not read here: workflows are tried, by dry run.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, Final

from contract import names
from provider_api.doctor.lines import Item, Line, listed

Json = dict[str, Any]

ATTEMPTS: Final = Item(
    "admission-tried",
    "what the service's account may make of a workflow (tried by dry run)",
    "a job of an environment is admitted, and nothing else is",
    "apply argo/gitops/cluster/admission.yaml of this release; until then, whoever has the service's Argo token can run"
    " any container among the jobs, and read their Secrets",
)

_NAME: Final = "d0c" + "0" * 29
_OWNER: Final = "0x" + "0" * 40
_PROGRAM: Final = {"name": "x", "container": {"image": "c2d-doctor.invalid/x", "command": ["id"]}}
_TEMPLATE: Final = {"entrypoint": "x", "templates": [_PROGRAM]}
_ARGUMENTS: Final = {
    names.ARG_JOB_SPEC: "ZG9jdG9y",
    names.ARG_IMAGE: f"c2d-doctor.invalid/x@sha256:{'0' * 64}",
    names.ARG_SECONDS: "60",
    names.ARG_NETWORK: "none",
}

# Merge patches of a workflow that exists, as an update would send them.
CHANGES: Final[Mapping[str, Json]] = {
    "a template in the status of a job that exists": {"status": {"storedWorkflowTemplateSpec": _TEMPLATE}},
    "a step of a job that exists": {"status": {"nodes": {"c2d-doctor": {"phase": "Succeeded", "type": "Suspend"}}}},
    # Not "true", which a job that has ended says already.
    "a job's mark of completion": {"metadata": {"labels": {"workflows.argoproj.io/completed": "c2d-doctor"}}},
}


def job(environment: str) -> Json:
    """A job as the service makes one. Its job spec is none: no pod would do anything with it."""
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": {"name": _NAME, "labels": {names.ENVIRONMENT: environment, names.OWNER: _OWNER}},
        "spec": {
            "workflowTemplateRef": {"name": environment},
            "arguments": {"parameters": [{"name": name, "value": value} for name, value in _ARGUMENTS.items()]},
        },
    }


def attempts(environment: str) -> dict[str, Json]:
    """Workflows that must be refused, by what is wrong with them."""
    from_elsewhere = {"valueFrom": {"configMapKeyRef": {"name": names.LIMITS_CONFIG_MAP, "key": environment}}}
    return {
        "a template in the status": _with(environment, "status", storedWorkflowTemplateSpec=_TEMPLATE),
        "stored templates": _with(environment, "status", storedTemplates={"namespaced/x/x": _PROGRAM}),
        "nodes": _with(environment, "status", nodes={_NAME: {"id": _NAME, "name": _NAME, "type": "Pod"}}),
        "a program of its own": _with(environment, "spec", templates=[_PROGRAM]),
        "a beginning of its own": _with(environment, "spec", entrypoint=names.RELEASE),
        "another account": _with(environment, "spec", serviceAccountName="default"),
        "a workflow without environment": _with(environment, "spec", workflowTemplateRef={"name": "c2d-doctor-none"}),
        "a completed one": _labelled(environment, "workflows.argoproj.io/completed", "true"),
        "one of another controller": _labelled(environment, "workflows.argoproj.io/controller-instanceid", "x"),
        "a foreign label": _labelled(environment, "owner", _OWNER),
        "another network": _argument(environment, names.ARG_NETWORK, {"value": "store"}),
        "an expression": _argument(environment, names.ARG_IMAGE, {"value": "{{=sprig.env('HOME')}}"}),
        "a value from elsewhere": _argument(environment, names.ARG_SECONDS, from_elsewhere),
    }


def judge_attempts(ours: str | None, others: Mapping[str, str | None]) -> Line:
    """What was said to the job that must be admitted, and to all others: None admits, a text refuses."""
    admitted = [name for name, refusal in others.items() if refusal is None]
    if admitted:
        return ATTEMPTS.failure(f"admitted: {listed(admitted)}")
    if ours is not None:
        mend = "compare the policy, and the ConfigMap c2d-limits that it reads, with argo/gitops of this release"
        return ATTEMPTS.failure(f"a job of the service is refused too: {ours}", mend=mend)
    return ATTEMPTS.ok(f"a job is admitted, {len(others)} others are refused")


def _with(environment: str, part: str, **fields: Any) -> Json:
    made = job(environment)
    return {**made, part: made.get(part, {}) | fields}


def _labelled(environment: str, name: str, value: str) -> Json:
    made = job(environment)
    made["metadata"]["labels"] |= {name: value}
    return made


def _argument(environment: str, name: str, fields: Mapping[str, Any]) -> Json:
    made = copy.deepcopy(job(environment))
    for each in made["spec"]["arguments"]["parameters"]:
        if each["name"] == name:
            each |= fields
    return made
