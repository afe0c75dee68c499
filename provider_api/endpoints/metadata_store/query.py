"""POST assets/query: a search over all assets, as clients of the store write it.

Who names the assets gets them as they are at this moment, as from `assets/ddo`; other searches read the catalogue.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from ocean.did import is_did
from ocean.kit.bounded_json import JsonUnbounded, read_bounded
from ocean.kit.together import together
from provider_api.endpoints.descriptions import CHAIN_AWAY
from provider_api.endpoints.endpoint import endpoint
from provider_api.endpoints.metadata_store.answers import answer, refusal
from provider_api.endpoints.metadata_store.matching import QueryUnsupported
from provider_api.endpoints.metadata_store.search import Search
from provider_api.endpoints.request import ServicesDep
from provider_api.openapi import samples
from provider_api.openapi.operation import OBJECT, Answer, Failure, Operation, Parameter
from provider_api.services import Services

MAX_BODY_BYTES = 1024 * 1024


@endpoint(
    Operation(
        "POST",
        "/api/aquarius/assets/query",
        "queryAssets",
        "Metadata store",
        "Search assets",
        {
            200: Answer(
                "The assets that fit, a page of them.",
                {
                    "type": "object",
                    "properties": {
                        "hits": {
                            "type": "object",
                            "properties": {"total": OBJECT, "hits": {"type": "array", "items": OBJECT}},
                            "required": ["total", "hits"],
                        },
                        "aggregations": OBJECT,
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
                            "hits": [{"_index": "assets", "_id": samples.DID, "_score": 1.0, "_source": samples.DDO}],
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
            "query": Parameter("Which assets; all without it.", schema=OBJECT),
            "from": Parameter("How many are left out at the beginning.", 0, schema={"type": "integer", "minimum": 0}),
            "size": Parameter(
                "How many at most. `from` and `size` reach to 10,000 together.",
                10,
                schema={"type": "integer", "minimum": 0, "maximum": 10_000},
            ),
            "sort": Parameter(
                'Like `{"nft.created": "desc"}`, or a list of such.', schema={"type": ["object", "array", "string"]}
            ),
            "aggs": Parameter("Sums over all that fit, by name.", schema=OBJECT),
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
    )
)
async def query(request: Request, services: ServicesDep) -> Response:
    """200 with `{"hits": {"total": {"value"}, "hits": [{"_source": asset}]}}`; 400 says what is not understood."""
    body = await request.body()
    if len(body) > MAX_BODY_BYTES:
        return refusal(f"A query may have at most {MAX_BODY_BYTES} bytes.", 413)
    try:
        given = read_bounded(body)
        search = await asyncio.to_thread(Search.of, given)
    except (JsonUnbounded, RecursionError):
        return refusal("The query is nested too deeply, or has too many values.")
    except QueryUnsupported as exc:
        return refusal(str(exc))
    except ValueError:
        return refusal("The body must be a JSON object.")
    documents = await _documents(services, search)
    return await asyncio.to_thread(lambda: answer(search.answer(documents)))


async def _documents(services: Services, search: Search) -> list[Mapping[str, Any]]:
    """All that may fit. Raises ChainUnavailable, NeighbourAway."""
    if search.ids is None or len(search.ids) > services.settings.limits.list_limit:
        return await services.catalogues.documents()
    named = sorted(did for did in search.ids if is_did(did))
    found = await together(*(services.chains.resolve(did) for did in named))
    return [each[1].shared() for each in found if each is not None]
