"""The output section of a request: shall the outputs become an asset, and what is said of it?

Clients send this section with all kinds of content: some send `publishOutput: true` with every start, as a constant
that nobody chose. So that flag alone asks for nothing. An asset is asked for by the flag together with `metadata` that
has a name, in an environment that makes assets; only then is `metadata` looked at, and must be right. Whatever else
stands in the section neither makes an asset nor refuses a start.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from contract.job_spec import AssetMetadata
from ocean.kit.object_or_text import object_or_text
from provider_api.environments.environment import Environment

_EXPECTED = {
    "extra_forbidden": "one of name, description, author, license, tags, categories, service",
    "string_type": "text",
    "string_too_short": "text that is not empty",
    "list_type": "a list of texts",
    "literal_error": "access or compute",
}


class OutputInvalid(ValueError):
    """`place` within the section, and what should be there."""

    def __init__(self, place: str, expected: str) -> None:
        super().__init__(f"{place}: {expected}")
        self.place, self.expected = place, expected


def output_section(output: Any) -> Any:
    """The section as a value; it may come as JSON text, and blanks are no section. Raises TextIsNotJson."""
    return None if isinstance(output, str) and not output.strip() else object_or_text(output)


def wanted_asset(environment: Environment | None, output: Any) -> AssetMetadata | None:
    """What the asset shall be; None where there shall be none. Raises OutputInvalid, TextIsNotJson."""
    section = output_section(output)
    if environment is None or environment.publication_chain is None or not isinstance(section, Mapping):
        return None
    metadata = section.get("metadata")
    if section.get("publishOutput") is not True or not _is_named(metadata):
        return None
    try:
        return AssetMetadata.model_validate(metadata)
    except ValidationError as exc:
        error = exc.errors(include_url=False, include_input=False)[0]
        place = ".".join(["metadata", *map(str, error["loc"])])[:100]
        raise OutputInvalid(place, _EXPECTED.get(error["type"], error["msg"])) from None


def _is_named(metadata: Any) -> bool:
    name = metadata.get("name") if isinstance(metadata, Mapping) else None
    return isinstance(name, str) and bool(name.strip())
