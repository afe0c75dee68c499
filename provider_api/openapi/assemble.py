"""From operations to the OpenAPI 3.1 document."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from provider_api.openapi.operation import BYTES, JSON, Answer, Failure, Operation, Parameter
from provider_api.openapi.rules import alternatives, is_required, schema_of

_EVERYWHERE = {
    414: Failure("NotOffered", "The address is longer than 64 KiB."),
    429: Failure("NotOffered", "More is asked without a good signature than is spent on it. `Retry-After` says when."),
    431: Failure("NotOffered", "Address and headers together are longer than 64 KiB."),
}
_WITH_BODY = {413: Failure("NotOffered", "The body is larger than the service takes.")}


def paths(operations: Iterable[Operation]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for operation in operations:
        found.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation)
    return found


def _operation(operation: Operation) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": operation.id,
        "tags": [operation.tag],
        "summary": operation.summary,
    }
    if operation.text:
        described["description"] = operation.text
    parameters = [*_listed("path", operation.path_parameters), *_listed("header", operation.request_headers)]
    if operation.place == "query":
        parameters = [*_query(operation), *parameters]
    elif operation.fields or operation.parameters:
        described["requestBody"] = _body(operation)
    if parameters:
        described["parameters"] = parameters
    if operation.bytes_body:
        content: dict[str, Any] = {"schema": {}}
        if operation.examples:
            content["examples"] = {name: {"value": value} for name, value in operation.examples.items()}
        described["requestBody"] = {"description": operation.bytes_body, "content": {BYTES: content}}
        described["requestBody"]["required"] = operation.body_required
    has_body = "requestBody" in described
    failures = {**operation.failures, **(_WITH_BODY if has_body else {}), **_EVERYWHERE}
    answers = {str(status): _answer(answer) for status, answer in operation.answers.items()}
    refusals = {str(status): _failure(failure) for status, failure in sorted(failures.items())}
    described["responses"] = answers | refusals
    return described


# --- parameters ------------------------------------------------------------------------------------------------------


def _query(operation: Operation) -> list[dict[str, Any]]:
    ruled = {field.name: field for field in operation.fields}
    listed = []
    for name in _names(operation):
        told = operation.parameters.get(name, Parameter(""))
        field = ruled.get(name)
        schema = dict(told.schema or {"type": "string"})
        if field is not None:
            schema |= schema_of(field, in_body=False)
        required = told.required or (field is not None and is_required(field))
        listed.append(_parameter("query", name, told, schema, required=required))
    return listed


def _listed(place: str, parameters: Mapping[str, Parameter]) -> list[dict[str, Any]]:
    return [
        _parameter(place, name, told, dict(told.schema or {"type": "string"}), required=place == "path")
        for name, told in parameters.items()
    ]


def _parameter(place: str, name: str, told: Parameter, schema: Mapping[str, Any], *, required: bool) -> dict[str, Any]:
    described = {"name": name, "in": place, "required": required, "schema": dict(schema)}
    if told.text:
        described["description"] = told.text
    if told.example is not None:
        described["example"] = told.example
    return described


# --- bodies ----------------------------------------------------------------------------------------------------------


def _body(operation: Operation) -> dict[str, Any]:
    content: dict[str, Any] = {"schema": body_schema(operation)}
    if operation.examples:
        content["examples"] = {name: {"value": value} for name, value in operation.examples.items()}
    return {"required": operation.body_required, "content": {JSON: content}}


def body_schema(operation: Operation) -> dict[str, Any]:
    """One object; a dotted name is a member of a member. Unknown members are ignored by the service."""
    root: dict[str, Any] = {"type": "object", "properties": {}}
    ruled = {field.name: field for field in operation.fields}
    for name in _names(operation):
        told, field = operation.parameters.get(name, Parameter("")), ruled.get(name)
        schema = (schema_of(field, in_body=True) if field is not None else {}) | dict(told.schema or {})
        if told.text:
            schema["description"] = told.text
        if told.example is not None:
            schema["examples"] = [told.example]
        _member(root, name).update(schema)
        if told.required or (field is not None and is_required(field)):
            _merge(root, _demand([name]))
    for choice in _choices(operation):
        parents = _common_parents(choice)
        owner = root
        for parent in parents:
            _merge(owner, {"required": [parent]})
            owner = owner["properties"][parent]
            owner["type"] = "object"
        cut = len(".".join(parents)) + 1 if parents else 0
        owner.setdefault("allOf", []).append({"anyOf": [_demand([name[cut:] for name in one]) for one in choice]})
    return root


def _names(operation: Operation) -> list[str]:
    """In the order of the table; then those without a rule."""
    ruled = [field.name for field in operation.fields]
    return [*ruled, *(name for name in operation.parameters if name not in ruled)]


def _member(root: dict[str, Any], name: str) -> dict[str, Any]:
    """The schema of a member, made when it is not there yet. A holder that is no object counts as absent."""
    schema = root
    for part in name.split("."):
        schema = schema.setdefault("properties", {}).setdefault(part, {})
    return schema


def _demand(names: list[str]) -> dict[str, Any]:
    """A schema that asks for all these members and says nothing else."""
    schema: dict[str, Any] = {}
    for name in names:
        owner = schema
        *parents, leaf = name.split(".")
        for parent in parents:
            _merge(owner, {"required": [parent]})
            owner = owner.setdefault("properties", {}).setdefault(parent, {"type": "object"})
        _merge(owner, {"required": [leaf]})
    return schema


def _merge(schema: dict[str, Any], demand: Mapping[str, Any]) -> None:
    """Add what another schema asks for."""
    for name in demand.get("required", ()):
        if name not in schema.setdefault("required", []):
            schema["required"].append(name)
    if "type" in demand:
        schema["type"] = demand["type"]
    for name, inner in demand.get("properties", {}).items():
        _merge(schema.setdefault("properties", {}).setdefault(name, {}), inner)


Choice = list[tuple[str, ...]]


def _choices(operation: Operation) -> list[Choice]:
    """Fields one of which must be there. `a` without `b` and `b` without `a` are the same choice, told once."""
    found: list[Choice] = []
    for field in operation.fields:
        choice = [(field.name,), alternatives(field)]
        if choice[1] and not any(set(choice) == set(known) for known in found):
            found.append(choice)
    return found


def _common_parents(choice: Choice) -> list[str]:
    """The object that all of them are members of."""
    parents = {tuple(name.split(".")[:-1]) for one in choice for name in one}
    return list(next(iter(parents))) if len(parents) == 1 else []


# --- answers ---------------------------------------------------------------------------------------------------------


def _answer(answer: Answer) -> dict[str, Any]:
    described: dict[str, Any] = {"description": answer.text}
    if answer.headers:
        described["headers"] = _headers(answer.headers)
    if answer.schema is not None:
        content: dict[str, Any] = {"schema": dict(answer.schema)}
        if answer.examples:
            content["examples"] = {name: {"value": value} for name, value in answer.examples.items()}
        described["content"] = {answer.media: content}
    return described


def _failure(failure: Failure) -> dict[str, Any]:
    content: dict[str, Any] = {"schema": {"$ref": f"#/components/schemas/{failure.shape}"}}
    if failure.examples:
        content["examples"] = {name: {"value": value} for name, value in failure.examples.items()}
    described: dict[str, Any] = {"description": failure.text, "content": {JSON: content}}
    if failure.headers:
        described["headers"] = _headers(failure.headers)
    return described


def _headers(texts: Mapping[str, str]) -> dict[str, Any]:
    return {name: {"description": text, "schema": {"type": "string"}} for name, text in texts.items()}
