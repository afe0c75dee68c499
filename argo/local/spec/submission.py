"""A Workflow as a client may submit it: a name, labels, annotations, a template reference, arguments.

The controller runs with `templateReferencing: Strict`. As measured on Argo 4.1.2, a workflow that breaks it is created
(200) and then becomes Error with a message naming the fields; `violation` holds that message. Fields that Strict would
allow, but that this server does not act on, are refused at once.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from argo.local.errors import ApiError, invalid
from argo.local.spec.model import Spec
from contract.names import QUEUED
from ocean.kit.kubernetes_names import is_label_key, is_label_value

# As Kubernetes itself spells it, which refuses two dots in a row; our own pattern of names leaves that to it.
_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_MAX_NAME: Final = 63
MAX_ARGUMENT_BYTES: Final = 512 * 1024  # of one value; a real server gets into trouble above that
_OWN: Final = "workflows.argoproj.io/"

_NOT_DONE = "shutdown suspend activeDeadlineSeconds priority ttlStrategy podGC volumeClaimGC archiveLogs"
_ALLOWED_NOT_DONE: Final = frozenset([*re.findall(r"\w+", _NOT_DONE), "workflowMetadata", "metrics", "artifactGC"])
_STRICT: Final = frozenset(
    re.findall(
        r"\w+",
        "templates serviceAccountName automountServiceAccountToken executor volumes volumeClaimTemplates "
        "parallelism artifactRepositoryRef nodeSelector affinity tolerations imagePullSecrets hostNetwork "
        "dnsPolicy dnsConfig onExit schedulerName podPriorityClassName hostAliases securityContext podSpecPatch "
        "podDisruptionBudget retryStrategy podMetadata templateDefaults hooks synchronization",
    )
)


@dataclass(frozen=True, slots=True)
class Submission:
    name: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    spec: Mapping[str, Any]  # as sent, argument values as text
    template: str  # "" for an inline workflow
    arguments: Mapping[str, str]
    violation: str = ""
    entrypoint: str = ""  # "": the template's own
    inline: bool = False


def read_submission(document: Any, namespace: str) -> Submission:
    """Raises ApiError 400 naming what is wrong."""
    workflow = _object(document, "workflow", {"apiVersion", "kind", "metadata", "spec", "status"})
    metadata = _object(workflow.get("metadata"), "metadata", {"name", "namespace", "labels", "annotations"})
    name = metadata.get("name")
    if not isinstance(name, str) or not name:
        raise invalid("metadata.name is required by this server")
    if metadata.get("namespace", namespace) != namespace:
        raise invalid("the namespace of the provided object does not match the namespace sent on the request")
    sent = workflow.get("spec")
    if not isinstance(sent, dict):
        raise invalid("spec is required")
    for field in sent:
        if field in _ALLOWED_NOT_DONE:
            raise invalid(f"spec.{field} of a workflow is not supported by this server")
        if field not in _STRICT | {"workflowTemplateRef", "arguments", "entrypoint"}:
            raise invalid(f'unknown field "spec.{field}"')
    reference = sent.get("workflowTemplateRef")
    arguments = _arguments(sent.get("arguments"))
    spec = {
        **{key: value for key, value in sent.items() if key != "arguments"},
        "arguments": {"parameters": [{"name": k, "value": v} for k, v in arguments.items()]} if arguments else {},
    }
    labels, annotations = _texts(metadata, "labels", name), _texts(metadata, "annotations", name)
    if reference is None:
        return Submission(name, labels, annotations, spec, "", arguments, _INLINE, inline=True)
    reference = _object(reference, "spec.workflowTemplateRef", {"name"})
    if not isinstance(reference.get("name", ""), str):
        raise invalid("spec.workflowTemplateRef.name must be a text")
    entrypoint = sent.get("entrypoint", "")
    if entrypoint not in ("", QUEUED):  # an admission policy says so on a cluster
        raise invalid(f"spec.entrypoint of a workflow may only be {QUEUED} on this server")
    fields = sorted(field[0].upper() + field[1:] for field in sent if field in _STRICT)
    violation = _VIOLATION.format(" ".join(fields)) if fields else ""
    return Submission(name, labels, annotations, spec, str(reference.get("name", "")), arguments, violation, entrypoint)


_INLINE = "workflows must use workflowTemplateRef to be executed when the controller is in reference mode"
_VIOLATION = "fields [{}] are not permitted when using workflowTemplateRef with templateReferencing restriction"


def require_name(name: str) -> None:
    """Raises ApiError 400 in Kubernetes' words."""
    if len(name) > _MAX_NAME or not _NAME.fullmatch(name):
        raise invalid(
            f'Workflow.argoproj.io "{name}" is invalid: metadata.name: Invalid value: "{name}": a lowercase RFC 1123 '
            "subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an "
            "alphanumeric character (e.g. 'example.com', regex used for validation is "
            "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
        )


def merged_arguments(spec: Spec, given: Mapping[str, str]) -> dict[str, str]:
    """The template's parameters with their values; unknown extra arguments are ignored. Raises ApiError 400."""
    values = {}
    for parameter in spec.arguments.parameters:
        value = given.get(parameter.name, parameter.text())
        if value is None:
            path = f"spec.arguments.{parameter.name}"
            raise invalid(f"{path}.value or {path}.valueFrom is required")
        values[parameter.name] = value
    return values


def entered(spec: Spec, submission: Submission) -> Spec:
    """The template's spec, begun where the workflow says. Raises ApiError 400."""
    if not submission.entrypoint:
        return spec
    named = next((template for template in spec.templates if template.name == submission.entrypoint), None)
    if named is None or named.dag is None:
        raise invalid(f"spec.entrypoint: the template has no dag {submission.entrypoint}")
    return spec.model_copy(update={"entrypoint": submission.entrypoint})


def _object(value: Any, path: str, fields: set[str]) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise invalid(f"{path} must be an object")
    for field in value:
        if field not in fields and value[field] not in (None, "", {}, []):
            raise invalid(f"{path}.{field} is not supported by this server")
    return value


def _arguments(value: Any) -> dict[str, str]:
    found: dict[str, str] = {}
    arguments = _object(value or {}, "spec.arguments", {"parameters"})
    for item in arguments.get("parameters") or []:
        parameter = _object(item, "spec.arguments.parameters[]", {"name", "value"})
        text, name = parameter.get("value"), parameter.get("name")
        if not isinstance(name, str) or isinstance(text, dict | list) or text is None:
            raise invalid("spec.arguments.parameters[] needs a name and a value")
        found[name] = text if isinstance(text, str) else json.dumps(text)
        if len(found[name].encode()) > MAX_ARGUMENT_BYTES:
            raise ApiError(400, f"spec.arguments.{name} is larger than this server takes")
    return found


def _texts(metadata: Mapping[str, Any], what: str, name: str) -> dict[str, str]:
    found = metadata.get(what) or {}
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise invalid(f"metadata.{what} must map text to text")
    for key, value in found.items():
        if not is_label_key(key):
            raise invalid(f'Workflow.argoproj.io "{name}" is invalid: metadata.{what}: Invalid value: "{key}"')
        if what == "labels" and not is_label_value(value):
            raise invalid(f'Workflow.argoproj.io "{name}" is invalid: metadata.labels: Invalid value: "{value}"')
        if key.startswith(_OWN) and what == "labels" and key not in _CLIENTS_OWN:
            raise invalid(f"metadata.labels.{key} is set by the server")
    return dict(found)


_CLIENTS_OWN = frozenset({_OWN + "workflow-template"})
