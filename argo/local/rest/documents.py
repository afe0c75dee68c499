"""Stored workflows as the JSON that callers get, with no more work than the asked-for fields need."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from argo.local.engine.stored import Part, Unreadable
from argo.local.engine.times import stamp
from argo.local.rest.fields import Fields
from argo.local.spec.library import StoredTemplate
from argo.local.workflows.rows import Row
from contract import names

Content = Callable[[Row], tuple[dict[str, Any], dict[str, Any]]]


def workflow(row: Row, namespace: str, content: Content, fields: Fields, prefix: str = "") -> dict[str, Any]:
    """One workflow, before `Fields.apply`: parts that nobody asked for may be missing. `prefix`: "items." in lists."""
    metadata: dict[str, Any] = {
        "name": row.name,
        "namespace": namespace,
        "uid": row.uid,
        "resourceVersion": str(row.version),
        "generation": row.generation,
        "creationTimestamp": stamp(row.created),
    }
    metadata |= {key: value for key, value in (("labels", row.labels), ("annotations", row.annotations)) if value}
    spec: dict[str, Any] = {"arguments": {}, **row.spec}
    status = dict(row.status)
    stored = f"{prefix}status.storedWorkflowTemplateSpec"
    wants_stored = "nodes" in status and fields.wants(stored)
    if wants_stored or fields.wants(f"{prefix}spec.arguments"):
        try:
            arguments, template = content(row)
        except Unreadable:  # the workflow says so itself; others must be listed
            arguments, template = {}, {"name": "", "spec": {}}
        spec["arguments"] = arguments
        if wants_stored:
            status["storedWorkflowTemplateSpec"] = _merged(template["spec"], arguments, row.spec)
    return {"metadata": metadata, "spec": spec, "status": status}


def _merged(template: Mapping[str, Any], arguments: Mapping[str, Any], spec: Mapping[str, Any]) -> dict[str, Any]:
    given = {item["name"]: item["value"] for item in arguments.get("parameters", [])}
    try:
        declared = Part(template, "spec").part("arguments").objects("parameters")
        declared = [item for item in declared if isinstance(item.get("name"), str)]
    except Unreadable:
        declared = []
    merged = [{**item, "value": given[item["name"]]} if item["name"] in given else item for item in declared]
    known = {item["name"] for item in declared}
    merged += [{"name": name, "value": value} for name, value in given.items() if name not in known]
    return {**template, "arguments": {"parameters": merged} if merged else {}, **{k: v for k, v in spec.items()}}


def template(stored: StoredTemplate, images: Iterable[str]) -> dict[str, Any]:
    """`images`: what can be run here, which an environment of ours announces: nothing is pulled."""
    metadata = dict(stored.document["metadata"])
    annotations = metadata.get("annotations", {})
    if names.BOX_PUBLIC_KEY in annotations:
        metadata["annotations"] = {**annotations, names.IMAGES: json.dumps(sorted(images))}
    return {"metadata": metadata, "spec": dict(stored.document["spec"])}
