"""JSON as the metadata store writes it: keys in the publisher's order, everything beyond ASCII escaped.

Documents come from strangers; escapes can spell every text that JSON can hold, also halves of surrogate pairs.
"""

from __future__ import annotations

import json
from typing import Any

from starlette.responses import Response


def answer(value: Any, status: int = 200) -> Response:
    return Response(json.dumps(value, separators=(",", ":")), status, media_type="application/json")


def refusal(error: str, status: int = 400) -> Response:
    """`{"error": text}`."""
    return answer({"error": error}, status)
