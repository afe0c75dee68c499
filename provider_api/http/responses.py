"""JSON as Ocean's clients know it: compact, UTF-8, sorted keys, a newline at the end.

The sorted order is visible to consumers: ocean.js reads the first and second key of an error object. Jobs keep the
order of the operator's answer, which the Provider relayed untouched.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from ocean.kit.compact_json import compact_utf8


def json_bytes(value: Any, *, sort_keys: bool = True) -> bytes:
    return compact_utf8(value, sort_keys=sort_keys) + b"\n"


def json_response(
    value: Any, *, status: int = 200, headers: Mapping[str, str] | None = None, sort_keys: bool = True
) -> Response:
    return Response(json_bytes(value, sort_keys=sort_keys), status, dict(headers or {}), media_type="application/json")
