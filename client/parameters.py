"""An algorithm's own parameters, as `run` and `try` are given them: what it finds in algoCustomData.json."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from client.exits import Unusable


def read_parameters(pairs: Sequence[str], file: Path | None) -> dict[str, Any]:
    """The object of a JSON file, and over it each `KEY=VALUE`, whose value is JSON if it reads as that, and text
    otherwise. Raises Unusable."""
    found: dict[str, Any] = {}
    if file is not None:
        try:
            read = json.loads(file.read_bytes())
        except (OSError, ValueError, RecursionError) as exc:
            raise Unusable(f"--custom-data {file} cannot be read as JSON: {exc}") from None
        if not isinstance(read, dict):
            raise Unusable(f"--custom-data {file} holds no JSON object, which algorithms expect of algoCustomData.json")
        found |= read
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not key or not equals:
            raise Unusable(f"--param {pair}: KEY=VALUE is expected")
        try:
            found[key] = json.loads(value)
        except (ValueError, RecursionError):
            found[key] = value
    return found
