"""POST assets/ddo/validate and GET validation/schema: may this document be published?

The body is the document's exact bytes, those that the publisher will hash. A good document is answered with a proof,
the provider's signature of that hash, which `setMetaData` takes; a bad one with every field that is wrong.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from ocean.ddo_rules import VersionMissing, errors_of
from ocean.ddo_schema import VERSIONS, schema_of
from ocean.kit.bounded_json import no_constant
from ocean.metadata_proof import prove
from provider_api.endpoints.endpoint import endpoint
from provider_api.endpoints.metadata_store.answers import answer, refusal
from provider_api.endpoints.request import ServicesDep
from provider_api.openapi import samples
from provider_api.openapi.operation import OBJECT, Answer, Failure, Operation, Parameter

_CONTENT = "application/octet-stream"
_HEX32: Final = {"type": "string", "pattern": "^0x[0-9a-f]{64}$"}


@endpoint(
    Operation(
        "POST",
        "/api/aquarius/assets/ddo/validate",
        "validateDdo",
        "Metadata store",
        "May this document be published?",
        {
            200: Answer(
                "Yes. The service's signature of the document's hash, for `setMetaData`.",
                {
                    "type": "object",
                    "properties": {
                        "hash": _HEX32,
                        "publicKey": {"type": "string"},
                        "v": {"enum": [27, 28]},
                        "r": {"type": "array", "items": _HEX32},
                        "s": {"type": "array", "items": _HEX32},
                    },
                    "required": ["hash", "publicKey", "v", "r", "s"],
                },
                {
                    "proof": {
                        "hash": "0x" + "1c" * 32,
                        "publicKey": samples.PROVIDER,
                        "v": 27,
                        "r": ["0x" + "2c" * 32],
                        "s": ["0x" + "33" * 32],
                    }
                },
            )
        },
        {
            400: Failure(
                "StoreError",
                "No, with every field that is wrong; or no JSON, or another content type.",
                {
                    "fields": {"errors": {"nftAddress": "missing or invalid"}},
                    "version": [{"message": "no version provided for DDO."}],
                },
            ),
        },
        bytes_body="The exact bytes of the document, which are to be hashed.",
        body_required=False,
        examples={"ddo": '{"id":"did:op:…","version":"4.1.0"}'},
    )
)
async def validate(request: Request, services: ServicesDep) -> Response:
    """200 with a proof. 400: `{"error"}` for another content type or no JSON, `[{"message"}]` without a version,
    `{"errors": {field: text}}` for a document that breaks a rule."""
    if request.headers.get("content-type") != _CONTENT:
        return refusal(f"Invalid request content type: should be {_CONTENT}")
    body = await request.body()
    if len(body) > services.settings.metadata.max_document_bytes:
        return refusal(f"The document is larger than {services.settings.metadata.max_document_bytes} bytes.", 413)
    try:
        errors = await asyncio.to_thread(_errors_of, body)
    except _NotJson:
        return refusal("Invalid request body: should be a JSON document in UTF-8")
    except VersionMissing:
        return answer([{"message": "no version provided for DDO."}], 400)
    if errors:
        return answer({"errors": errors}, 400)
    proof = await asyncio.to_thread(prove, body, services.keys.private_key)
    return answer(
        {
            "hash": "0x" + proof.digest.hex(),
            "publicKey": proof.validator,
            "v": proof.v,
            "r": ["0x" + proof.r.hex()],
            "s": ["0x" + proof.s.hex()],
        }
    )


@endpoint(
    Operation(
        "GET",
        "/api/aquarius/validation/schema",
        "getSchema",
        "Metadata store",
        "The JSON schema that documents are validated with",
        {200: Answer("A JSON schema.", OBJECT)},
        {404: Failure("StoreError", "No such version.", {"unknown": {"error": "Schema version not found."}})},
        parameters={"version": Parameter("Of the document; the newest if absent.", "4.1.0")},
    )
)
async def schema(request: Request) -> Response:
    """The JSON schema of `version`, by default the newest. What no schema can say is checked by validate alone."""
    version = request.query_params.get("version", VERSIONS[-1])
    return answer(schema_of(version)) if version in VERSIONS else refusal("Schema version not found.", 404)


class _NotJson(ValueError):
    """The body is no JSON text in UTF-8."""


def _errors_of(body: bytes) -> dict[str, str]:
    """Raises _NotJson, VersionMissing."""
    try:
        document: Any = json.loads(body.decode("utf-8"), parse_constant=no_constant)
    except (ValueError, RecursionError) as exc:
        raise _NotJson from exc
    return errors_of(document)
