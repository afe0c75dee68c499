"""The OpenAPI document: what `GET /spec` answers and docs/reference/openapi.json holds."""

from __future__ import annotations

import json
from collections.abc import Iterable
from importlib import metadata
from typing import Any

from provider_api.openapi.assemble import paths
from provider_api.openapi.components import SCHEMAS
from provider_api.openapi.introduction import INTRODUCTION, TAGS
from provider_api.openapi.operation import Operation


def document(operations: Iterable[Operation]) -> dict[str, Any]:
    """The same for every deployment."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Compute-to-Data Provider",
            "version": metadata.version("compute-to-data"),
            "summary": "Run algorithms next to private data, release only results.",
            "description": INTRODUCTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "tags": [{"name": name, "description": text} for name, text in TAGS.items()],
        "paths": paths(operations),
        "components": {"schemas": dict(SCHEMAS)},
    }


def document_text(operations: Iterable[Operation]) -> str:
    """For people and for comparing: one line for each value."""
    return json.dumps(document(operations), indent=1, ensure_ascii=False) + "\n"
