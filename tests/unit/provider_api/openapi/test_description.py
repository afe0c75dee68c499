"""The description of the API says what the routes do: every route, every field, examples that are what they claim."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from html.parser import HTMLParser
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate as validate_document

from provider_api.calls.fields import Field, validate
from provider_api.calls.parameters import Call, NumberText
from provider_api.endpoints.operations import OPERATIONS, add_routes
from provider_api.endpoints.service.root import ENDPOINTS
from provider_api.http.errors import InvalidRequest
from provider_api.openapi import document, page
from provider_api.openapi.operation import Operation
from provider_api.openapi.rules import RuleUndescribed, alternatives, is_required, schema_of
from tests.support.provider_neighbours import World

pytestmark = pytest.mark.unit

DOCUMENT = document(OPERATIONS)
FIELD_PLACES = [(operation, field) for operation in OPERATIONS for field in operation.fields]
WITH_FIELDS = [operation for operation in OPERATIONS if operation.fields]


def described(operation: Operation) -> dict[str, Any]:
    found: dict[str, Any] = DOCUMENT["paths"][operation.path][operation.method.lower()]
    return found


def validator(schema: Mapping[str, Any]) -> Draft202012Validator:
    return Draft202012Validator({**schema, "components": DOCUMENT["components"]})


def test_it_is_openapi() -> None:
    validate_document(DOCUMENT)


def test_every_route_is_described_and_nothing_else() -> None:
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    add_routes(app)
    offered = {
        (method, route.path)
        for route in app.routes
        if isinstance(route, APIRoute)
        for method in route.methods - {"HEAD"}
    }
    told = {(method.upper(), path) for path, methods in DOCUMENT["paths"].items() for method in methods}
    assert told == offered


def test_the_sixteen_endpoints_are_described() -> None:
    told = {(method.upper(), path) for path, methods in DOCUMENT["paths"].items() for method in methods}
    assert {tuple(entry) for entry in ENDPOINTS.values()} <= told


def test_names_are_those_of_the_root_document() -> None:
    names = {(operation.method, operation.path): operation.id for operation in OPERATIONS}
    assert {name: names[tuple(entry)] for name, entry in ENDPOINTS.items()} == {name: name for name in ENDPOINTS}
    assert len(set(names.values())) == len(OPERATIONS)


# --- fields ----------------------------------------------------------------------------------------------------------


def place_of(operation: Operation, name: str) -> tuple[dict[str, Any], bool]:
    """(schema, required) of a field as the document has it."""
    if operation.place == "query":
        (found,) = [one for one in described(operation)["parameters"] if one["name"] == name and one["in"] == "query"]
        return found["schema"], found["required"]
    schema = described(operation)["requestBody"]["content"]["application/json"]["schema"]
    required = True
    for part in name.split("."):
        required = required and part in schema.get("required", ())
        schema = schema["properties"][part]
    return schema, required


@pytest.mark.parametrize(
    ("operation", "field"), FIELD_PLACES, ids=[f"{operation.id}-{field.name}" for operation, field in FIELD_PLACES]
)
def test_fields(operation: Operation, field: Field) -> None:
    schema, required = place_of(operation, field.name)
    assert required == is_required(field)
    assert (refused(field, None) is not None) == (is_required(field) or bool(alternatives(field)))
    assert operation.parameters[field.name].text, "what the field means"
    for value in VALUES if operation.place == "body" else filter(is_text, VALUES):
        told = validator(schema).is_valid(value)
        if refused(field, value) is None:
            narrowed = operation.parameters[field.name].schema is not None  # by a rule that comes later
            assert told or narrowed, f"{value!r} is accepted, but not described"
        elif told:  # a schema cannot count the digits of a number, and "needed without another" stands elsewhere
            assert isinstance(value, int | float) or (alternatives(field) and not value), f"{value!r} is refused"


def is_text(value: Any) -> bool:
    return isinstance(value, str)


VALUES: list[Any] = ["0", "1", "abc", "1.5", "-1", "a\x00b", "0x" + "a" * 40, "1" * 31, "1" * 79, "٣"]
VALUES += [0, 7, -1, 1.5, True, False, None, [], {}, [1], [{}], {"a": 1}, "", 10**31]


def refused(field: Field, value: Any) -> str | None:
    """The first text of the field's rules, for a value of a request that has nothing else but a token."""
    for rule in field.rules:
        if type(rule).__name__ == "NearFuture":
            continue  # compares with the clock
        text = rule(field.name, NumberText(value) if isinstance(value, float) else value, Call({}, token="token"))
        if text is not None:
            return text
    return None


def test_a_rule_that_is_not_described_is_noticed() -> None:
    def new_rule(name: str, value: Any, given: Call) -> str | None:
        return None

    with pytest.raises(RuleUndescribed):
        schema_of(Field("x", (new_rule,)), in_body=True)


@pytest.mark.parametrize("operation", WITH_FIELDS, ids=lambda operation: operation.id)
async def test_the_table_is_the_one_that_the_route_uses(world: World, operation: Operation) -> None:
    with pytest.raises(InvalidRequest) as expected:
        validate(operation.fields, Call({}))
    answer = await world.http.request(operation.method, operation.path, json={})
    assert (answer.status_code, answer.json()) == (400, expected.value.body())


# --- examples --------------------------------------------------------------------------------------------------------


def examples() -> Iterator[tuple[str, Mapping[str, Any], Any]]:
    """(name, schema, value) of every example in the document."""
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            for one in operation.get("parameters", ()):
                if "example" in one:
                    yield f"{method} {path} {one['name']}", one["schema"], one["example"]
            bodies = {"request": operation.get("requestBody", {}), **operation["responses"]}
            for place, body in bodies.items():
                for media, content in body.get("content", {}).items():
                    for name, example in content.get("examples", {}).items():
                        yield f"{method} {path} {place} {media} {name}", content["schema"], example["value"]
    for name, schema in nested("", DOCUMENT["paths"]):
        for example in schema["examples"]:
            yield name, schema, example


def nested(name: str, value: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Schemas with examples of their own."""
    if isinstance(value, dict):
        if isinstance(value.get("examples"), list):
            yield name, value
        for key, item in value.items():
            yield from nested(f"{name}/{key}", item)


EXAMPLES = list(examples())


@pytest.mark.parametrize(("schema", "value"), [entry[1:] for entry in EXAMPLES], ids=[entry[0] for entry in EXAMPLES])
def test_examples_are_what_they_claim(schema: Mapping[str, Any], value: Any) -> None:
    validator(schema).validate(value)


def test_every_body_and_every_good_answer_has_an_example() -> None:
    without = []
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            for place, body in {"request": operation.get("requestBody", {}), **operation["responses"]}.items():
                contents = body.get("content", {}).values()
                if place in ("request", "200", "201") and not all("examples" in one for one in contents):
                    without.append(f"{method} {path} {place}")
    files_and_descriptions = {"/spec", "/api/docs/", "/api/services/computeResult", "/api/services/download"}
    files_and_descriptions |= {"/api/v1/operator/getResult", "/api/services/published/{token}/{index}/{filename}"}
    files_and_descriptions |= {"/api/v1/releases/{job}/files/{index}"}
    assert [name for name in without if name.split()[1] not in files_and_descriptions] == [
        "get /api/aquarius/validation/schema 200"  # a page long
    ]


def test_errors_have_one_of_the_four_shapes() -> None:
    shapes = {"ValidationError", "Refusal", "InvalidOrRefused", "NotOffered", "Unavailable", "StoreError", "Health"}
    shapes |= {"OperatorAbsent", "GraphErrors"}
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            for status, answer in operation["responses"].items():
                if status[0] in "45" and "content" in answer:
                    name = answer["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
                    assert name in shapes, (method, path, status)
                    assert status != "503" or name == "Health" or "Retry-After" in answer["headers"], (method, path)


# --- as it is served -------------------------------------------------------------------------------------------------


async def test_the_document_is_served(world: World) -> None:
    answer = await world.http.get("/spec")
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == json.loads(json.dumps(DOCUMENT))


class Reader(HTMLParser):
    """Collects what a page refers to and where it can be jumped to."""

    def __init__(self) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attributes:
            assert not name.startswith("on"), "no scripts"
            if name == "id":
                self.ids.append(value or "")
            if name in ("href", "src"):
                self.links.append(value or "")


async def test_the_page_is_served_and_needs_nothing_from_elsewhere(world: World) -> None:
    answer = await world.http.get("/api/docs/")
    assert answer.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    reader = Reader()
    reader.feed(answer.text)
    assert not reader.tags & {"script", "link", "img", "iframe", "object", "embed", "form"}
    assert {link for link in reader.links if not link.startswith("#")} == {"../../spec"}
    assert {link[1:] for link in reader.links if link.startswith("#")} <= set(reader.ids)
    assert len(reader.ids) == len(set(reader.ids))
    assert {operation.id for operation in OPERATIONS} <= set(reader.ids)
    assert (await world.http.get("/api/docs")).status_code == 404, "another path, as everywhere"


def test_the_page_escapes_what_the_document_says() -> None:
    odd: Any = json.loads(json.dumps(DOCUMENT).replace("Which endpoints there are", "<script>alert(1)</script>"))
    assert "<script>" not in page(odd)
    assert "&lt;script&gt;" in page(odd)
