"""JSON as the metadata store writes it: keys in the publisher's order, everything beyond ASCII escaped.

Documents come from strangers; escapes can spell every text that JSON can hold, also halves of surrogate pairs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from ocean.kit.compact_json import compact_json


def answer(value: Any, status: int = 200) -> Response:
    return Response(compact_json(value), status, media_type="application/json")


def refusal(error: str, status: int = 400, *, wanted: Mapping[str, str] | None = None) -> Response:
    """`{"error": text}`, and where a store's text does not say what is allowed `"wanted": {field: text}`."""
    return answer({"error": error} | ({"wanted": wanted} if wanted else {}), status)
