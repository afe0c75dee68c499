"""Files that are the answer of a GraphQL server. User data become the query's variables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

from ocean.files.kind import HEADERS, File, Member, headers_json, headers_of, text_of
from ocean.files.requests import Fetch, Gateways, required_object


@dataclass(frozen=True, slots=True)
class GraphqlFile(File):
    """The JSON answer of a GraphQL server."""

    type: ClassVar[str] = "graphql"
    members: ClassVar[tuple[Member, ...]] = (
        Member("url", "of the GraphQL server"),
        Member("query", "Of a GraphQL file"),
        HEADERS,
    )

    url: str = field(repr=False)
    query: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False, hash=False)

    @classmethod
    def parse(cls, obj: Mapping[str, Any]) -> Self:
        url = text_of(obj, "url", "missing graphql endpoint")
        return cls(url, text_of(obj, "query", "missing graphql query"), headers_of(obj))

    def to_json(self) -> dict[str, Any]:
        return {"type": self.type, "url": self.url, "query": self.query} | headers_json(self.headers)

    def request(self, gateways: Gateways, userdata: Any = None) -> Fetch:
        variables = required_object(userdata)
        body: dict[str, Any] = {"query": self.query}
        if variables:
            body["variables"] = variables
        return Fetch(self.url, "POST", self.headers, body)
