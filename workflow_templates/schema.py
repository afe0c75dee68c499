"""Argo's own schema of a WorkflowTemplate, closed: a key that Argo does not know is an error.

Made from the models that Hera generates from Argo's OpenAPI file. The models themselves drop unknown keys in silence,
and so may an API server; a JSON schema with `additionalProperties: false` everywhere does not. Hera 7.1 mirrors
Argo 4.0, so the one key of 4.1 that we render is added. (Validating needs the package `jsonschema`; making the schema
does not.)
"""

from __future__ import annotations

from typing import Any

from contract import names


def workflow_template_schema() -> dict[str, Any]:
    """JSON schema for a rendered WorkflowTemplate: right kind and version, labelled as an environment."""
    from hera.workflows import models as m  # a second of import time

    schema: dict[str, Any] = m.WorkflowTemplate.model_json_schema(by_alias=True)
    schema["$defs"]["Template"]["properties"]["pendingTimeout"] = {"type": "string", "pattern": "^[1-9][0-9]*s$"}
    schema["properties"]["apiVersion"] = {"const": "argoproj.io/v1alpha1"}
    schema["properties"]["kind"] = {"const": "WorkflowTemplate"}
    schema["required"] = ["apiVersion", "kind", "metadata", "spec"]
    schema["properties"]["metadata"] = {
        "allOf": [
            {"$ref": "#/$defs/ObjectMeta"},
            {"required": ["name", "labels"], "properties": {"labels": {"required": [names.ENVIRONMENT]}}},
        ]
    }
    close(schema)
    for definition in schema["$defs"].values():
        close(definition)
    return schema


def close(schema: dict[str, Any]) -> None:
    """Refuse unknown keys of this object. Maps (labels, limits, …) have no `properties` and stay open."""
    if "properties" in schema:
        schema["additionalProperties"] = False
