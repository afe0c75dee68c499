"""The page /api/docs/: the description as one HTML file without scripts, fonts or anything from elsewhere."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files
from typing import Any, Final

from provider_api.openapi.markdown import inline, to_html

_COMMON: Final = ("413", "414", "431")  # told once, in the introduction


def page(document: Mapping[str, Any]) -> str:
    """Complete HTML. Everything from the document is escaped."""
    operations = [
        (path, method, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    info = document["info"]
    style = files("provider_api.openapi").joinpath("page.css").read_text(encoding="utf-8")
    parts = [f"<h1>{escape(info['title'])} <small class=muted>{escape(info['version'])}</small></h1>"]
    parts.append('<p>For programs: <a href="../../spec">OpenAPI 3.1 document</a>.</p>')
    parts.append(to_html(info["description"]))
    links = []
    for tag in document["tags"]:
        mine = [entry for entry in operations if tag["name"] in entry[2]["tags"]]
        links.append(f"<b>{escape(tag['name'])}</b>{''.join(_link(*entry) for entry in mine)}")
        parts.append(f"<h2>{escape(tag['name'])}</h2><p>{inline(tag['description'])}</p>")
        parts += [_operation(*entry) for entry in mine]
    parts.append("<h2>Schemas</h2>")
    parts += [_component(name, schema) for name, schema in document["components"]["schemas"].items()]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(info['title'])}</title><style>{style}</style></head>"
        f'<body><nav aria-label="Endpoints">{"".join(links)}</nav><main>{"".join(parts)}</main></body></html>\n'
    )


def _method(method: str) -> str:
    return f'<span class="method {method}">{method.upper()}</span>'


def _link(path: str, method: str, operation: Mapping[str, Any]) -> str:
    return f'<a href="#{operation["operationId"]}">{_method(method)} {escape(operation["operationId"])}</a>'


def _operation(path: str, method: str, operation: Mapping[str, Any]) -> str:
    parts = [f'<section id="{operation["operationId"]}"><h3>{_method(method)} <code>{escape(path)}</code></h3>']
    parts.append(f"<p>{inline(operation['summary'])}. {inline(operation.get('description', ''))}</p>")
    rows = [
        _row(one["name"], one["in"], one["required"], one["schema"], one) for one in operation.get("parameters", ())
    ]
    body = operation.get("requestBody", {})
    for media, content in body.get("content", {}).items():
        rows += list(_members(content["schema"], ""))
        if not content["schema"]:
            rows.append(f"<tr><td><i>body</i><td><code>{escape(media)}</code><td>{inline(body['description'])}</tr>")
        parts += [_example(f"Request: {name}", one["value"]) for name, one in content.get("examples", {}).items()]
    if rows:
        head = "<thead><tr><th>parameter<th>type<th>meaning</tr></thead>"
        parts.insert(2, f"<table>{head}<tbody>{''.join(rows)}</tbody></table>")
    parts.append("<table><thead><tr><th>status<th>body<th>meaning</tr></thead><tbody>")
    for status, answer in operation["responses"].items():
        if status not in _COMMON:
            parts.append(_answer(status, answer))
    return "".join(parts) + "</tbody></table></section>"


def _row(name: str, place: str, required: bool, schema: Mapping[str, Any], told: Mapping[str, Any]) -> str:
    need = " <b>required</b>" if required else ""
    example = told.get("example", next(iter(schema.get("examples", ())), None))
    shown = f"<br><span class=muted>e.g. <code>{escape(str(example))}</code></span>" if example is not None else ""
    kind = f"{_kind(schema)} <span class=muted>{escape(place)}</span>{need}"
    return f"<tr><td><code>{escape(name)}</code><td>{kind}<td>{inline(told.get('description', ''))}{shown}</tr>"


def _members(schema: Mapping[str, Any], prefix: str) -> Sequence[str]:
    """Members of a body; those of nested objects by dotted name."""
    rows: list[str] = []
    for name, member in schema.get("properties", {}).items():
        full, required = prefix + name, name in schema.get("required", ())
        if "properties" in member and "description" not in member:
            rows += _members(member, full + ".")
        else:
            rows.append(_row(full, "body", required, member, member))
    return rows


def _answer(status: str, answer: Mapping[str, Any]) -> str:
    content = answer.get("content", {})
    bodies = [f"<code>{escape(media)}</code> {_kind(one['schema'])}" for media, one in content.items()]
    shown = inline(answer["description"])
    for name, header in answer.get("headers", {}).items():
        shown += f"<br><code>{escape(name)}</code>: {inline(header['description'])}"
    for one in content.values():
        shown += "".join(_example(name, value["value"]) for name, value in one.get("examples", {}).items())
    return f"<tr><td><b>{escape(status)}</b><td>{'<br>'.join(bodies) or 'none'}<td>{shown}</tr>"


def _example(name: str, value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
    return f"<details><summary>{escape(name.replace('_', ' '))}</summary><pre>{escape(text)}</pre></details>"


def _component(name: str, schema: Mapping[str, Any]) -> str:
    rows = "".join(_members(schema, ""))
    table = f"<table><tbody>{rows}</tbody></table>" if rows else f"<p>{_kind(schema)}</p>"
    text = f"<p>{inline(schema['description'])}</p>" if "description" in schema else ""
    return f'<section id="schema-{escape(name)}"><h3>{escape(name)}</h3>{text}{table}</section>'


def _kind(schema: Mapping[str, Any]) -> str:
    """A schema in a few words."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f'<a href="#schema-{escape(name)}">{escape(name)}</a>'
    if "anyOf" in schema:
        return " or ".join(_kind(option) for option in schema["anyOf"])
    if "const" in schema or "enum" in schema:
        values = schema.get("enum", [schema.get("const")])
        return ", ".join(f"<code>{escape(json.dumps(value))}</code>" for value in values)
    kind = schema.get("type", "any")
    if kind == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    if kind == "object" and isinstance(schema.get("additionalProperties"), Mapping):
        return f"object of {_kind(schema['additionalProperties'])}"
    if kind == "object" and "properties" in schema and "description" in schema:
        return inline(schema["description"])
    names = [kind] if isinstance(kind, str) else list(kind)
    return escape(re.sub(r"\bnull\b", "null", " or ".join(names)))
