"""The JSON schemas of documents that publishers may put on chain, one per version of DDO v4.

Required fields and types are those of Ocean's documentation and of its metadata store; version 4.5.0 adds the store's
bounds of lengths. Unknown fields are free everywhere. Ours beyond the store's shapes: required texts are not empty, and
a field with a fixed set of values, an address, an endpoint or encrypted files must look like one, because nothing else
could ever be served. What no schema can say stands in `ddo_rules`.

Each `description` completes the sentence "<field> must be …".
"""

from __future__ import annotations

from functools import cache
from typing import Any, Final

VERSIONS: Final = ("4.0.0", "4.1.0", "4.3.0", "4.5.0")
_BOUNDED: Final = "4.5.0"
_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

Schema = dict[str, Any]


@cache
def schema_of(version: str) -> Schema:
    """The schema of a version; not to be changed. Raises LookupError for another version than those of VERSIONS."""
    if version not in VERSIONS:
        raise LookupError(f"no schema for version {version}")
    return _document(_Texts(bounded=version == _BOUNDED), version)


class _Texts:
    """Kinds of texts, with bounds where the version has them. `required` ones are never empty."""

    def __init__(self, *, bounded: bool) -> None:
        self.bounded = bounded

    def free(self, low: int = 0, high: int | None = None) -> Schema:
        return {"type": "string", **self._bounds(low, high)}

    def required(self, low: int = 1, high: int | None = None) -> Schema:
        return {"type": "string", "minLength": 1, **self._bounds(low, high)}

    def looking_like(self, pattern: str, description: str, low: int = 0, high: int | None = None) -> Schema:
        return {"type": "string", "pattern": pattern, "description": description, **self._bounds(low, high)}

    def listed(self, item: Schema, high: int | None = None) -> Schema:
        return {"type": "array", "items": item, **({"maxItems": high} if self.bounded and high else {})}

    def _bounds(self, low: int, high: int | None) -> Schema:
        if not self.bounded:
            return {}
        return {**({"minLength": low} if low else {}), **({"maxLength": high} if high is not None else {})}


def _document(texts: _Texts, version: str) -> Schema:
    return {
        "$schema": _DIALECT,
        "title": f"Ocean asset, version {version}",
        **_object(
            {
                "@context": {"type": ["array", "object"]},
                "id": texts.looking_like("^did:op:[0-9a-f]{64}$", "did:op: and 64 lower-case hexadecimal digits"),
                "version": {"const": version},
                "chainId": {"type": "integer", "minimum": 1},
                "nftAddress": _address(texts),
                "metadata": _metadata(texts),
                "services": {
                    "type": "array",
                    "items": _service(texts),
                    **({"maxItems": 64} if texts.bounded else {"minItems": 1}),
                },
                "credentials": _credentials(texts),
            },
            optional={"credentials"},
        ),
    }


def _metadata(texts: _Texts) -> Schema:
    label, address = texts.free(high=256), texts.free(high=512)
    fields = {
        "created": {"type": "string"},
        "updated": {"type": "string"},
        "name": texts.required(4, 512),
        "description": texts.required(10, 7000),
        "author": texts.required(high=256),
        "license": texts.required(high=256),
        "type": {"type": "string", "enum": ["dataset", "algorithm"]},
        "copyrightHolder": texts.free(high=512),
        "contentLanguage": texts.free(high=256),
        "tags": texts.listed(label, 64),
        "categories": texts.listed(label, 64),
        "links": texts.listed(address, 64),
        "additionalInformation": True,
        "algorithm": _algorithm(texts),
    }
    needed = {"name", "description", "author", "license", "type"}
    return {
        **_object(fields, optional=fields.keys() - needed),
        "if": {"properties": {"type": {"const": "algorithm"}}, "required": ["type"]},
        "then": {"required": ["algorithm"]},
    }


def _algorithm(texts: _Texts) -> Schema:
    container = _object(
        {
            "entrypoint": texts.required(3, 256),
            "image": texts.required(1, 256),
            "tag": texts.required(1, 256),
            "checksum": texts.looking_like("^sha256:", "an image digest, sha256: and hexadecimal digits", 7, 512),
        }
    )
    fields = {
        "language": texts.free(high=256),
        "version": texts.free(high=256),
        "container": container,
        "consumerParameters": _parameters(texts, 64),
    }
    return _object(fields, optional=fields.keys() - {"container"})


def _parameters(texts: _Texts, high: int | None = None) -> Schema:
    """Their defaults are texts in the store's schema; numbers and booleans are in the documentation."""
    fields = {
        "name": texts.required(high=256),
        "type": {"type": "string", "enum": ["text", "number", "boolean", "select"]},
        "label": texts.free(high=256),
        "description": texts.free(high=7000),
        "required": {"type": "boolean"},
        "default": {"type": ["string", "number", "boolean"], **({"maxLength": 256} if texts.bounded else {})},
        "options": {
            "type": "array",
            "items": {"type": ["object", "string"], **({"maxLength": 256} if texts.bounded else {})},
        },
    }
    parameter = {
        **_object(fields, optional={"options"}),
        "if": {"properties": {"type": {"const": "select"}}, "required": ["type"]},
        "then": {"required": ["options"]},
    }
    return texts.listed(parameter, high)


def _service(texts: _Texts) -> Schema:
    fields = {
        "id": texts.required(high=256),
        "type": texts.required(high=256),
        "name": texts.free(4, 256),
        "description": texts.free(10, 7000),
        "datatokenAddress": _address(texts),
        "serviceEndpoint": texts.looking_like("^https?://[^/]", "an http or https address", 10, 2048),
        "files": texts.looking_like("^(0x)?[0-9a-fA-F]+$", "encrypted, as hexadecimal digits", high=8192),
        "timeout": {"type": "integer", "minimum": 0},
        "compute": _compute(texts),
        "consumerParameters": _parameters(texts),
        "additionalInformation": True,
    }
    free = {"name", "description", "compute", "consumerParameters", "additionalInformation"}
    return {
        **_object(fields, optional=free),
        "if": {"properties": {"type": {"const": "compute"}}, "required": ["type"]},
        "then": {"required": ["compute"]},
    }


def _compute(texts: _Texts) -> Schema:
    """`*` in either list means everybody; null lists are those of an older client."""
    trusted = _object(
        {
            "did": texts.required(high=256),
            "filesChecksum": texts.free(high=1024),
            "containerSectionChecksum": texts.free(high=1024),
        }
    )
    anybody = {"const": "*"}
    publisher = texts.free(high=256)
    fields = {
        "allowRawAlgorithm": {"type": "boolean"},
        "allowNetworkAccess": {"type": "boolean"},
        "publisherTrustedAlgorithms": {
            "type": ["array", "null"],
            "items": {"if": {"type": "string"}, "then": anybody, "else": trusted},
        },
        "publisherTrustedAlgorithmPublishers": {"type": ["array", "null"], "items": publisher},
    }
    return _object(fields, optional={"publisherTrustedAlgorithms", "publisherTrustedAlgorithmPublishers"})


def _credentials(texts: _Texts) -> Schema:
    entry = _object(
        {
            "type": texts.required(high=256),
            "values": {"type": "array", "items": texts.free(high=1024), "minItems": 1},
        }
    )
    entries = texts.listed(entry)
    return _object({"allow": entries, "deny": entries}, optional={"allow", "deny"})


def _address(texts: _Texts) -> Schema:
    return texts.looking_like("^0x[0-9a-fA-F]{40}$", "an address, 0x and 40 hexadecimal digits")


def _object(fields: Schema, optional: Any = ()) -> Schema:
    return {"type": "object", "properties": fields, "required": [name for name in fields if name not in optional]}
