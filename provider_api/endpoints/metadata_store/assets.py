"""GET assets/ddo/DID, GET assets/metadata/DID, POST assets/names: documents, with the fields that a store adds.

Clients that have just published poll the first until it answers, or until `event.tx` is their transaction: an answer
takes every block into account that the chain has at that moment. ocean.py knows an asset that is not there by the
words of the 404.
"""

from __future__ import annotations

import json
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from ocean.ddo import DDO
from ocean.did import is_did
from ocean.kit.together import together
from provider_api.endpoints.descriptions import CHAIN_AWAY
from provider_api.endpoints.endpoint import endpoint
from provider_api.endpoints.metadata_store.answers import answer, refusal
from provider_api.endpoints.request import ServicesDep
from provider_api.openapi import samples
from provider_api.openapi.operation import OBJECT, Answer, Failure, Operation, Parameter
from provider_api.services import Services

_NOT_FOUND = "Asset DID {did} not found in Elasticsearch."  # to the letter

_DID: Final = {"did": Parameter("The asset.", samples.DID)}
_UNKNOWN: Final = Failure(
    "StoreError",
    "No such asset, or nothing of it may be shown.",
    {"unknown": {"error": f"Asset DID {samples.DID} not found in Elasticsearch."}},
)


@endpoint(
    Operation(
        "GET",
        "/api/aquarius/assets/ddo/{did}",
        "getDdo",
        "Metadata store",
        "The document of an asset",
        {200: Answer("The DDO with the fields that a store adds.", OBJECT, {"ddo": samples.DDO})},
        {404: _UNKNOWN, 503: CHAIN_AWAY},
        path_parameters=_DID,
    )
)
async def document(services: ServicesDep, did: str) -> Response:
    ddo = await _find(services, did)
    return _not_found(services, did) if ddo is None else answer(ddo.shared())


@endpoint(
    Operation(
        "GET",
        "/api/aquarius/assets/metadata/{did}",
        "getMetadata",
        "Metadata store",
        "The section `metadata` of a document",
        {200: Answer("The section.", OBJECT, {"metadata": samples.DDO["metadata"]})},
        {404: _UNKNOWN, 503: CHAIN_AWAY},
        path_parameters=_DID,
    )
)
async def metadata(services: ServicesDep, did: str) -> Response:
    """Of a deprecated or revoked asset nothing is left to show."""
    ddo = await _find(services, did)
    if ddo is None:
        return _not_found(services, did)
    return _not_shown(did) if ddo.metadata is None else answer(ddo.shared()["metadata"])


@endpoint(
    Operation(
        "POST",
        "/api/aquarius/assets/names",
        "getNames",
        "Metadata store",
        "Names of assets",
        {
            200: Answer(
                "Name by DID, empty for what is not there.",
                {"type": "object", "additionalProperties": {"type": "string"}},
                {"names": {samples.DID: "Rain"}},
            )
        },
        {
            400: Failure(
                "StoreError",
                "No list of DIDs, or too long a list.",
                {"empty": {"error": "`didList` is required in the request payload, a list that is not empty."}},
            ),
            503: CHAIN_AWAY,
        },
        parameters={
            "didList": Parameter(
                "DIDs; not more than the service takes.",
                schema={
                    "type": "array",
                    "minItems": 1,
                    "items": {"type": "string", "pattern": "^did:op:[0-9a-f]{64}$"},
                },
                required=True,
            )
        },
        place="body",
        examples={"two": {"didList": [samples.DID, samples.ALGORITHM_DID]}},
    )
)
async def names(request: Request, services: ServicesDep) -> Response:
    """Body `{"didList": [did, …]}`; answers `{did: name}`, "" for what is not found. At most `limits.list_limit`."""
    try:
        given = json.loads(await request.body())
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict):
        return refusal("Invalid payload. The request could not be converted into a dict.")
    listed = given.get("didList")
    if not isinstance(listed, list) or not listed:
        return refusal("`didList` is required in the request payload, a list that is not empty.")
    if len(listed) > services.settings.limits.list_limit:
        return refusal(f"`didList` may have at most {services.settings.limits.list_limit} entries.")
    if not all(is_did(did) for did in listed):
        return refusal("`didList` must hold DIDs only.")
    found = await together(*(_find(services, did) for did in listed))
    return answer({did: _name(ddo) for did, ddo in zip(listed, found, strict=True)})


async def _find(services: Services, did: str) -> DDO | None:
    """Raises ChainUnavailable."""
    if not is_did(did):
        return None  # whatever it is, it does not reach the log
    found = await services.chains.resolve(did)
    return None if found is None else found[1]


def _name(ddo: DDO | None) -> str:
    return ddo.metadata.name if ddo is not None and ddo.metadata is not None else ""


def _not_found(services: Services, did: str) -> Response:
    if is_did(did):
        chains = ", ".join(map(str, sorted(services.chains.ids())))
        wanted = f"an asset that is published on a chain served here: {chains}; of one just published ask again"
    else:
        wanted = "did:op: and 64 lower-case hexadecimal digits"
    return refusal(_NOT_FOUND.format(did=did), 404, wanted={"did": wanted})


def _not_shown(did: str) -> Response:
    wanted = "an asset in state 0, 4 or 5; this one's owner has ended, deprecated or revoked it"
    return refusal(_NOT_FOUND.format(did=did), 404, wanted={"did": wanted})
