"""Where parameters come from.

If the URL has any query parameter, the query is the whole input and the body is ignored; otherwise the JSON body is,
and only with a JSON content type. Broken JSON counts as an empty object. Of a repeated query key the first value wins.
Query values are text, JSON values keep their type, numbers keep the digits they were sent with.

A document may be as large as a body may be, but not of arbitrarily many parts: one of four million bytes and as many
numbers would keep the service from everybody else for a second.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from ocean.kit.bounded_json import JsonUnbounded, levels, no_constant
from ocean.kit.compact_json import compact_json
from provider_api.http.errors import Refused

MAX_DEPTH = 64  # levels, with the document itself as the first
MAX_PARTS = 200_000  # commas and opening brackets of a document
MAX_QUERY_PARAMETERS = 1000


class NumberText(str):
    """A JSON number with a fraction or an exponent, exactly as it was written."""

    __slots__ = ()


def parse_json(body: bytes) -> Any:
    """A JSON value without loss: integers of any length, other numbers as their text.

    None for broken JSON. Raises Refused (400) for what is JSON but cannot be worked with: nested too deep, too many
    parts, or text that is no Unicode.
    """
    if sum(body.count(mark) for mark in (b",", b"[", b"{")) > MAX_PARTS:
        raise Refused("The JSON document has too many parts.")
    try:
        value = json.loads(body, parse_float=NumberText, parse_constant=no_constant)
    except RecursionError:
        raise Refused("The JSON document is nested too deep.") from None
    except ValueError:
        return None
    _require_sane(value)
    return value


def _require_sane(value: Any) -> None:
    try:
        for level in levels(value, max_depth=MAX_DEPTH - 1, with_names=True):
            if any(isinstance(item, str) and not _is_unicode(item) for item in level):
                raise Refused("The JSON document contains text that is not valid Unicode.")
    except JsonUnbounded:
        raise Refused("The JSON document is nested too deep.") from None


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class Call:
    """One request as those see it who judge what is asked, and by whom. `calls/signature.py` proves the caller.

    Dotted names of parameters reach into nested JSON objects.
    """

    values: Mapping[str, Any]
    of_query: bool = False  # the values are of the query, not of a body
    route: str = ""  # method and path as signatures of the typed form name them: "PUT /api/services/compute"
    token: str = ""  # the header AuthToken, which may stand for a signature

    def get(self, name: str) -> Any:
        """The value, None if absent. A query cannot nest, so a dotted name is looked up as it stands there too."""
        if name in self.values:
            return self.values[name]
        value: Any = self.values
        for part in name.split("."):
            if not isinstance(value, Mapping):
                return None
            value = value.get(part)
        return value

    def text(self, name: str) -> str:
        """The value as it is signed: text as it is, numbers as written, "" if absent."""
        value = self.get(name)
        return "" if value is None else as_text(value)


def read_parameters(query: str, content_type: str, body: bytes) -> tuple[dict[str, Any], bool]:
    """The parameters of a request, and whether they are of its query. Raises Refused for too many of them, and for a
    JSON body that is no object."""
    if query.count("&") >= MAX_QUERY_PARAMETERS:
        raise Refused("The query has too many parameters.")
    values: dict[str, Any] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        # JavaScript prints great numbers as 1.5e+23, and clients do not escape the plus sign
        values.setdefault(name, value.replace(" ", "+") if name == "nonce" else value)
    return (values, True) if values else (read_json_object(content_type, body), False)


def _is_json(content_type: str) -> bool:
    kind = content_type.partition(";")[0].strip().lower()
    return kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))


def read_json_object(content_type: str, body: bytes) -> dict[str, Any]:
    """The JSON body alone; {} if absent or broken. Raises Refused (400) if it is JSON but no object."""
    if not _is_json(content_type) or not body:
        return {}
    value = parse_json(body)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Refused("The JSON document must be an object.")
    return value


def unread(query: str, content_type: str, body: bytes) -> str:
    """Why a body is not read, "" if it is, or if there is none."""
    if not body.strip():
        return ""
    if parse_qsl(query, keep_blank_values=True):
        return "not read, because the address has parameters: send all of them in the body, or all in the address"
    if not _is_json(content_type):
        kind = content_type.partition(";")[0].strip()[:100] or "none"
        return f"JSON with the header Content-Type: application/json; its type was {kind}"
    try:
        json.loads(body)
    except RecursionError:
        return ""
    except ValueError as exc:
        place = f" (line {exc.lineno}, column {exc.colno})" if isinstance(exc, json.JSONDecodeError) else ""
        return f"a JSON object; what was sent is no JSON{place}"
    return ""


def plain(value: Any) -> Any:
    """The value with ordinary numbers, for content that is handed on instead of being signed."""
    if isinstance(value, NumberText):
        return float(value)
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list) else value


def as_text(value: Any) -> str:
    """A scalar as text; containers as compact JSON."""
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bool) or value is None or isinstance(value, dict | list):
        return compact_json(value)
    return str(value)


def is_present(value: Any) -> bool:
    """Present and not empty; 0 and false are values."""
    if isinstance(value, bool) or (isinstance(value, int | float) and value == 0):
        return True
    return bool(value)
