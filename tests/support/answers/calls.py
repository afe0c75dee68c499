"""One request of a table, and the short ways to write one down."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
BYTES = "application/octet-stream"


@dataclass(frozen=True)
class Call:
    """`line`: METHOD /path, as in the description of the API but with values in the path. `body` goes out as it is."""

    line: str
    query: Mapping[str, Any] | str = ""
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    compared: bool = True  # False: the body is long, and compared by a test of its own

    @property
    def method(self) -> str:
        return self.line.split(" ", 1)[0]

    @property
    def path(self) -> str:
        return self.line.split(" ", 1)[1]


Table = Mapping[str, Call]


def asked(line: str, query: Mapping[str, Any] | str = "", **headers: str) -> Call:
    """Parameters in the address. Names of headers are written with `_`."""
    return Call(line, query, headers=_headers(headers))


def sent(line: str, value: Any, query: Mapping[str, Any] | str = "", **headers: str) -> Call:
    """Parameters as a JSON body."""
    body = json.dumps(value, separators=(",", ":")).encode()
    return Call(line, query, body, {"content-type": JSON} | _headers(headers))


def raw(line: str, body: bytes, kind: str = JSON, query: Mapping[str, Any] | str = "", **headers: str) -> Call:
    """A body as it is; `kind`: its content type, "" for none."""
    return Call(line, query, body, ({"content-type": kind} if kind else {}) | _headers(headers))


def without(values: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name not in names}


def unread(line: str, whole: Mapping[str, Any]) -> Table:
    """Bodies that are not read as the parameters of a call. `whole`: parameters that it would take."""
    text = json.dumps(whole).encode()
    return {
        "a body that is no JSON": raw(line, b'{"a": '),
        "a body that is a list": sent(line, [whole]),
        "a body that is a text": sent(line, "text"),
        "a body nested too deep": raw(line, b'{"a":' * 70 + b"1" + b"}" * 70),
        "a body with half a character": raw(line, b'{"a": "\\ud800"}'),
        "a form": raw(line, b"a=1&b=2", FORM),
        "JSON without its type": raw(line, text, ""),
        "JSON as text": raw(line, text, "text/plain"),
        "a query that hides the body": sent(line, whole, {"x": "1"}),
        "no body": asked(line),
    }


def mostly_unread(line: str, whole: Mapping[str, Any]) -> Table:
    """Some of them, for calls that read bodies as all do."""
    names = ("a body that is no JSON", "a body that is a list", "a form", "a query that hides the body")
    return {name: call for name, call in unread(line, whole).items() if name in names}


def _headers(given: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in given.items()}
