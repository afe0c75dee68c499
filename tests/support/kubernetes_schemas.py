"""Closed schemas of what goes to a cluster: an unknown or misspelt key anywhere is an error.

Kubernetes' own kinds: the strict schemas of 1.34 that kubernetes-validate brings. WorkflowTemplate: Argo's, from
Hera. Kinds of others that the chart uses: the fields it writes, by their public definitions, and no more.
"""

from __future__ import annotations

import functools
import json
import re
from pathlib import Path
from typing import Any

import kubernetes_validate
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from workflow_templates.schema import workflow_template_schema

VERSION = "1.34.0"
_FOLDER = Path(kubernetes_validate.__file__).parent / "kubernetes-json-schema" / f"v{VERSION}-local-strict"

_NAME = {"type": "string", "pattern": "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$", "maxLength": 253}
_DURATION = {"type": "string", "pattern": "^([0-9]{1,5}(h|m|s|ms)){1,4}$"}  # both Gateway API's and Prometheus'
_TEXTS = {"type": "object", "additionalProperties": {"type": "string"}}


def _closed(required: str, **properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": properties,
        "required": required.split(),
    }


def _custom(version: str, kind: str, spec: dict[str, Any]) -> dict[str, Any]:
    metadata = _closed("name", name=_NAME, namespace=_NAME, labels=_TEXTS, annotations=_TEXTS)
    return _closed(
        "apiVersion kind metadata spec",
        apiVersion={"const": version},
        kind={"const": kind},
        metadata=metadata,
        spec=spec,
    )


_PATH = {"type": "string", "pattern": "^/"}
_PORT = {"type": "integer", "minimum": 1, "maximum": 65535}
_HTTP_ROUTE = _closed(
    "parentRefs rules",
    parentRefs={
        "type": "array",
        "minItems": 1,
        "items": _closed("name", name=_NAME, namespace=_NAME, sectionName=_NAME, port=_PORT),
    },
    hostnames={"type": "array", "items": {"type": "string", "pattern": r"^(\*\.)?[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"}},
    rules={
        "type": "array",
        "minItems": 1,
        "items": _closed(
            "backendRefs",
            matches={
                "type": "array",
                "items": _closed("path", path=_closed("type value", type={"const": "PathPrefix"}, value=_PATH)),
            },
            filters={
                "type": "array",
                "items": _closed(
                    "type urlRewrite",
                    type={"const": "URLRewrite"},
                    urlRewrite=_closed(
                        "path",
                        path=_closed(
                            "type replacePrefixMatch",
                            type={"const": "ReplacePrefixMatch"},
                            replacePrefixMatch={"type": "string"},
                        ),
                    ),
                ),
            },
            timeouts=_closed("request", request=_DURATION, backendRequest=_DURATION),
            backendRefs={"type": "array", "minItems": 1, "items": _closed("name port", name=_NAME, port=_PORT)},
        ),
    },
)
_SERVICE_MONITOR = _closed(
    "selector endpoints",
    selector=_closed("matchLabels", matchLabels=_TEXTS),
    endpoints={
        "type": "array",
        "minItems": 1,
        "items": _closed("port", port={"type": "string"}, path={"type": "string"}, interval=_DURATION),
    },
)


def problems(manifest: dict[str, Any]) -> list[str]:
    """What is wrong with an object, one line each. Raises LookupError for a kind without a schema."""
    validator = _validator(manifest["apiVersion"], manifest["kind"])
    return [f"{'.'.join(map(str, error.absolute_path))}: {error.message}" for error in validator.iter_errors(manifest)]


@functools.cache
def _validator(version: str, kind: str) -> Draft202012Validator:
    match version, kind:
        case "argoproj.io/v1alpha1", "WorkflowTemplate":
            return Draft202012Validator(workflow_template_schema())
        case "gateway.networking.k8s.io/v1", "HTTPRoute":
            return Draft202012Validator(_custom(version, kind, _HTTP_ROUTE))
        case "monitoring.coreos.com/v1", "ServiceMonitor":
            return Draft202012Validator(_custom(version, kind, _SERVICE_MONITOR))
    # "networking.k8s.io/v1" -> networking-v1, as the package names its files
    short = re.sub(r"^([^./]*)(?:\.[^/]*)?/", r"\1-", version)
    path = _FOLDER / f"{kind.lower()}-{short}.json"
    if not path.is_file():
        raise LookupError(f"no schema for {version} {kind}")
    return Draft202012Validator(json.loads(path.read_text()), registry=_registry())


@functools.cache
def _registry() -> Registry[Any]:
    definitions: Any = json.loads((_FOLDER / "_definitions.json").read_text())
    return Resource.from_contents(definitions) @ Registry()
