"""Argo's JSON to our records. Pure functions.

Argo leaves out what is empty and sends null for times that are not known yet: a workflow that the controller has not
seen has no phase, a list without a match has `items: null`. All of that becomes plain empty values here, once.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from argo.client.records import ARCHIVING, PERSISTED, Node, Template, Workflow
from ocean.kit.digits import int64

Json = Mapping[str, Any]


def parse_workflow(document: Json) -> Workflow:
    """One workflow as create, get or list return it. Raises ValueError for something that is none."""
    metadata, spec, status = (_mapping(document.get(key)) for key in ("metadata", "spec", "status"))
    if not metadata.get("name"):
        raise ValueError("not a workflow: no name")
    return Workflow(
        name=str(metadata["name"]),
        uid=str(metadata.get("uid") or ""),
        labels=dict(_mapping(metadata.get("labels"))),
        annotations=dict(_mapping(metadata.get("annotations"))),
        arguments={name: value or "" for name, value in _parameters(spec.get("arguments")).items()},
        created_at=_time(metadata.get("creationTimestamp")) or datetime.fromtimestamp(0, UTC),
        phase=str(status.get("phase") or ""),
        message=str(status.get("message") or ""),
        started_at=_time(status.get("startedAt")),
        finished_at=_time(status.get("finishedAt")),
        shutdown=str(spec.get("shutdown") or ""),
        entrypoint=str(spec.get("entrypoint") or ""),
        nodes=tuple(_node(node) for node in _mapping(status.get("nodes")).values()),
    )


def nodes_left_out(document: Json) -> bool:
    """Argo packs or moves the nodes of a large workflow, and unpacks them only in the answer for a single one; and a
    list has none of a workflow that comes from the archive."""
    status, labels = _mapping(document.get("status")), _mapping(_mapping(document.get("metadata")).get("labels"))
    moved = status.get("compressedNodes") or status.get("offloadNodeStatusVersion")
    return not status.get("nodes") and bool(moved or labels.get(ARCHIVING) == PERSISTED)


def parse_template(document: Json) -> Template:
    """One WorkflowTemplate. Raises ValueError for something that is none."""
    metadata, spec = _mapping(document.get("metadata")), _mapping(document.get("spec"))
    if not metadata.get("name"):
        raise ValueError("not a workflow template: no name")
    return Template(
        name=str(metadata["name"]),
        labels=dict(_mapping(metadata.get("labels"))),
        annotations=dict(_mapping(metadata.get("annotations"))),
        arguments=_parameters(spec.get("arguments")),
        images=_images(spec.get("templates")),
    )


def _images(templates: Any) -> dict[str, str]:
    steps = [_mapping(each) for each in templates] if isinstance(templates, list) else []
    found = {step.get("name"): _mapping(step.get("container")).get("image") for step in steps}
    return {name: image for name, image in found.items() if isinstance(name, str) and isinstance(image, str)}


def _node(node: Json) -> Node:
    outputs = _mapping(node.get("outputs"))
    code = outputs.get("exitCode")
    return Node(
        id=str(node["id"]),
        name=str(node.get("name") or ""),
        display_name=str(node.get("displayName") or ""),
        type=str(node.get("type") or ""),
        template=str(node.get("templateName") or ""),
        phase=str(node.get("phase") or ""),
        message=str(node.get("message") or ""),
        exit_code=int64(code) if isinstance(code, str) else None,
        started_at=_time(node.get("startedAt")),
        finished_at=_time(node.get("finishedAt")),
        outputs={name: value or "" for name, value in _parameters(outputs).items()},
        children=tuple(node.get("children") or ()),
        inputs={name: value or "" for name, value in _parameters(node.get("inputs")).items()},
    )


def _parameters(holder: object) -> dict[str, str | None]:
    """`value`, else `default`; None where neither is given."""
    found: dict[str, str | None] = {}
    for parameter in _mapping(holder).get("parameters") or ():
        value = parameter.get("value", parameter.get("default"))
        found[str(parameter["name"])] = None if value is None else str(value)
    return found


def _mapping(value: object) -> Json:
    return value if isinstance(value, Mapping) else {}


def _time(value: object) -> datetime | None:
    """RFC 3339, or null."""
    if not isinstance(value, str) or not value:
        return None
    moment = datetime.fromisoformat(value)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
