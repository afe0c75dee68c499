"""The calls of a metadata store (Aquarius) that clients make, answered by the service itself."""

from __future__ import annotations

from typing import Any, Final

from provider_api.endpoints.descriptions import CHAIN_AWAY
from provider_api.openapi import samples
from provider_api.openapi.operation import Answer, Failure, Operation, Parameter

_PREFIX: Final = "/api/aquarius"
_TAG: Final = "Metadata store"
_DID: Final = {"did": Parameter("The asset.", samples.DID)}
_NOT_FOUND: Final = Failure(
    "StoreError",
    "No such asset, or nothing of it may be shown.",
    {"unknown": {"error": f"Asset DID {samples.DID} not found in Elasticsearch."}},
)
_OBJECT: Final = {"type": "object"}
_DDO: Final[dict[str, Any]] = {
    "id": samples.DID,
    "version": "4.1.0",
    "chainId": 8996,
    "nftAddress": samples.NFT,
    "metadata": {"name": "Rain", "type": "dataset"},
    "services": [],
    "event": {"tx": samples.TX},
}
_HEX32: Final = {"type": "string", "pattern": "^0x[0-9a-f]{64}$"}

OPERATIONS: Final = (
    Operation(
        "GET",
        _PREFIX + "/assets/ddo/{did}",
        "getDdo",
        _TAG,
        "The document of an asset",
        {200: Answer("The DDO with the fields that a store adds.", _OBJECT, {"ddo": _DDO})},
        {404: _NOT_FOUND, 503: CHAIN_AWAY},
        path_parameters=_DID,
    ),
    Operation(
        "GET",
        _PREFIX + "/assets/metadata/{did}",
        "getMetadata",
        _TAG,
        "The section `metadata` of a document",
        {200: Answer("The section.", _OBJECT, {"metadata": _DDO["metadata"]})},
        {404: _NOT_FOUND, 503: CHAIN_AWAY},
        path_parameters=_DID,
    ),
    Operation(
        "POST",
        _PREFIX + "/assets/names",
        "getNames",
        _TAG,
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
    ),
    Operation(
        "POST",
        _PREFIX + "/assets/query",
        "queryAssets",
        _TAG,
        "Search assets",
        {
            200: Answer(
                "The assets that fit, a page of them.",
                {
                    "type": "object",
                    "properties": {
                        "hits": {
                            "type": "object",
                            "properties": {"total": _OBJECT, "hits": {"type": "array", "items": _OBJECT}},
                            "required": ["total", "hits"],
                        },
                        "aggregations": _OBJECT,
                    },
                    "required": ["hits"],
                },
                {
                    "one": {
                        "took": 0,
                        "timed_out": False,
                        "hits": {
                            "total": {"value": 1, "relation": "eq"},
                            "max_score": 1.0,
                            "hits": [{"_index": "assets", "_id": samples.DID, "_score": 1.0, "_source": _DDO}],
                        },
                    }
                },
            )
        },
        {
            400: Failure(
                "StoreError",
                "A part of the query is not understood; the text says which, and what would be.",
                {"unknown": {"error": "`query.nested` is not supported. Supported: bool, exists, ids, match, …"}},
            ),
            503: CHAIN_AWAY,
        },
        text=(
            "The part of Elasticsearch's query language that clients use. Queries: `bool` with `filter`, `must`,"
            " `must_not`, `should` and `minimum_should_match`; `ids`, `term`, `terms`, `match` (whole words), `exists`,"
            " `match_all`. Fields are paths with dots, `_id` is the DID; values are compared without regard to case."
            " Aggregations: `sum`, and `terms` with `sum` below."
        ),
        parameters={
            "query": Parameter("Which assets; all without it.", schema=_OBJECT),
            "from": Parameter("How many are left out at the beginning.", 0, schema={"type": "integer", "minimum": 0}),
            "size": Parameter(
                "How many at most. `from` and `size` reach to 10,000 together.",
                10,
                schema={"type": "integer", "minimum": 0, "maximum": 10_000},
            ),
            "sort": Parameter(
                'Like `{"nft.created": "desc"}`, or a list of such.', schema={"type": ["object", "array", "string"]}
            ),
            "aggs": Parameter("Sums over all that fit, by name.", schema=_OBJECT),
        },
        place="body",
        examples={
            "named": {"query": {"bool": {"filter": [{"ids": {"values": [samples.DID, samples.ALGORITHM_DID]}}]}}},
            "algorithms": {
                "query": {"bool": {"filter": [{"term": {"metadata.type": "algorithm"}}]}},
                "size": 100,
                "sort": {"stats.orders": "desc"},
            },
        },
    ),
    Operation(
        "POST",
        _PREFIX + "/assets/ddo/validate",
        "validateDdo",
        _TAG,
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
    ),
    Operation(
        "GET",
        _PREFIX + "/validation/schema",
        "getSchema",
        _TAG,
        "The JSON schema that documents are validated with",
        {200: Answer("A JSON schema.", _OBJECT)},
        {404: Failure("StoreError", "No such version.", {"unknown": {"error": "Schema version not found."}})},
        parameters={"version": Parameter("Of the document; the newest if absent.", "4.1.0")},
    ),
    Operation(
        "GET",
        _PREFIX + "/chains/list",
        "listChains",
        _TAG,
        "Which chains are indexed",
        {
            200: Answer(
                "`true` by chain id.",
                {"type": "object", "additionalProperties": {"const": True}},
                {"chains": {"8996": True}},
            )
        },
    ),
    Operation(
        "GET",
        _PREFIX + "/chains/status/{chain_id}",
        "getChainStatus",
        _TAG,
        "How far a chain is indexed",
        {
            200: Answer(
                "The newest block looked at; -1 before the first.",
                {"type": "object", "properties": {"last_block": {"type": "integer"}}, "required": ["last_block"]},
                {"status": {"last_block": 1234}},
            )
        },
        {404: Failure("StoreError", "No such chain.", {"unknown": {"error": "Chain 5 is not indexed."}})},
        path_parameters={"chain_id": Parameter("Decimal.", "8996")},
    ),
)
