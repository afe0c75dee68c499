"""JSON as Ocean's clients know it: compact, UTF-8, sorted keys, a newline at the end.

The sorted order is visible to consumers: ocean.js reads the first and second key of an error object. Jobs keep the
order of the operator's answer, which the Provider relayed untouched.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from starlette.responses import Response


def json_bytes(value: Any, *, sort_keys: bool = True) -> bytes:
    return json.dumps(value, sort_keys=sort_keys, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


def json_response(
    value: Any, *, status: int = 200, headers: Mapping[str, str] | None = None, sort_keys: bool = True
) -> Response:
    return Response(json_bytes(value, sort_keys=sort_keys), status, dict(headers or {}), media_type="application/json")
