"""JSON without blanks between its parts, as JavaScript's `JSON.stringify` writes it: what is signed, digested or sent.

Keys stay in their order unless they are to be sorted.
"""

from __future__ import annotations

import json
from typing import Any


def compact_json(value: Any, *, ascii_only: bool = True, sort_keys: bool = False) -> str:
    """`ascii_only`: other letters are escaped. Escapes can spell every text, also halves of surrogate pairs."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=ascii_only, sort_keys=sort_keys)


def compact_utf8(value: Any, *, sort_keys: bool = False) -> bytes:
    """Nothing is escaped. Raises UnicodeEncodeError for text that is none (half a surrogate pair)."""
    return compact_json(value, ascii_only=False, sort_keys=sort_keys).encode()
