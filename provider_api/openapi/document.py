"""The OpenAPI document: what `GET /spec` answers and docs/reference/openapi.json holds."""

from __future__ import annotations

import json
from importlib import metadata
from typing import Any

from provider_api.endpoints.operations import OPERATIONS
from provider_api.openapi.assemble import paths
from provider_api.openapi.components import SCHEMAS
from provider_api.openapi.introduction import INTRODUCTION, TAGS


def document() -> dict[str, Any]:
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
        "paths": paths(OPERATIONS),
        "components": {"schemas": dict(SCHEMAS)},
    }


def document_text() -> str:
    """For people and for comparing: one line for each value."""
    return json.dumps(document(), indent=1, ensure_ascii=False) + "\n"
