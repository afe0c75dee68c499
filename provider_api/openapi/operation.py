"""One endpoint as the description of the API tells it. Parameters come from the route's own table of fields."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from provider_api.calls.fields import Field

Schema = Mapping[str, Any]

ANY: Final[Schema] = {}
STRING: Final[Schema] = {"type": "string"}
OBJECT: Final[Schema] = {"type": "object"}

JSON = "application/json"
TEXT = "text/plain"
BYTES = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Parameter:
    """What the route's table does not say of a field: its meaning, an example, a schema where rules give none.

    `required` is for fields that stand in no table.
    """

    text: str
    example: Any = None
    schema: Schema | None = None
    required: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """A good answer. `examples` by name; `headers` by name with their texts. No schema: no body."""

    text: str
    schema: Schema | None = None
    examples: Mapping[str, Any] = field(default_factory=dict)
    media: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Failure:
    """An error answer: its shape (a name in the components) and what it means here."""

    shape: Literal[
        "ValidationError",
        "Refusal",
        "InvalidOrRefused",
        "NotOffered",
        "Unavailable",
        "StoreError",
        "GraphErrors",
        "OperatorAbsent",
    ]
    text: str
    examples: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Operation:
    """`fields`: the route's own table. `parameters`: what to say about them, and those that no rule looks at.

    `place`: where the parameters are described. Most endpoints read both query and body (see the introduction); the
    description shows the place that clients use.
    """

    method: str
    path: str
    id: str
    tag: str
    summary: str
    answers: Mapping[int, Answer]
    failures: Mapping[int, Failure] = field(default_factory=dict)
    text: str = ""
    fields: Sequence[Field] = ()
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    place: Literal["query", "body"] = "query"
    request_headers: Mapping[str, Parameter] = field(default_factory=dict)
    path_parameters: Mapping[str, Parameter] = field(default_factory=dict)
    bytes_body: str = ""
    """What a body of plain bytes is, for the endpoints that take one."""
    body_required: bool = True
    examples: Mapping[str, Any] = field(default_factory=dict)
    """Whole bodies by name."""
