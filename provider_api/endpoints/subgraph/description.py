"""The questions that clients ask a subgraph."""

from __future__ import annotations

from typing import Any, Final

from provider_api.endpoints.descriptions import away
from provider_api.endpoints.subgraph.route import OF_CHAIN, PATH
from provider_api.openapi import samples
from provider_api.openapi.operation import Answer, Failure, Operation, Parameter

_OBJECT: Final = {"type": "object"}
_QUERY: Final = "query ($id: ID!) { token(id: $id) { symbol fixedRateExchanges { price active } } }"
_TOKEN: Final = {"symbol": "DT", "fixedRateExchanges": [{"price": "2.5", "active": True}]}
_TEXT: Final = (
    "GraphQL. The fields are those of Ocean's subgraph that nautilus and the Pontus-X portal read: `token`, `orders`,"
    " `nftUpdates`, `opc`, `opcs`, `_meta`; the schema can be asked for. An answer holds for the block that the chain"
    " has when it is asked. A question that is refused is answered with 200 and `errors`."
)
_AWAY: Final = away("The blockchain node does not answer at the moment.")


def _operation(path: str, id_: str, summary: str, **more: Any) -> Operation:
    failures = {
        400: Failure(
            "GraphErrors",
            "The body is no question.",
            {
                "body": {
                    "errors": [{"message": 'The body must be a JSON object like {"query": "…", "variables": {…}}.'}]
                }
            },
        ),
        503: Failure(
            "GraphErrors",
            _AWAY.text,
            {"away": {"errors": [{"message": "The blockchain node does not answer at the moment."}]}},
            _AWAY.headers,
        ),
    }
    if path != PATH:
        message = "This chain is not served. Served: 8996."
        failures[404] = Failure("GraphErrors", "No such chain here.", {"chain": {"errors": [{"message": message}]}})
    return Operation(
        "POST",
        path,
        id_,
        "Subgraph",
        summary,
        {
            200: Answer(
                "`data`, or `errors`.",
                {"type": "object", "properties": {"data": {}, "errors": {"type": "array", "items": _OBJECT}}},
                {
                    "price": {"data": {"token": _TOKEN}},
                    "refused": {"errors": [{"message": "Cannot query field 'cost' on type 'Token'."}]},
                },
            )
        },
        failures,
        text=_TEXT,
        parameters={
            "query": Parameter("The question.", schema={"type": "string"}, required=True),
            "variables": Parameter("Values of its variables.", schema={"type": ["object", "null"]}),
            "operationName": Parameter("Which of several operations.", schema={"type": ["string", "null"]}),
        },
        place="body",
        examples={"price": {"query": _QUERY, "variables": {"id": samples.NFT.lower()}}},
        **more,
    )


OPERATIONS: Final = (
    _operation(PATH, "askSubgraph", "Ask about the first chain"),
    _operation(
        OF_CHAIN + PATH,
        "askSubgraphOfChain",
        "Ask about one of several chains",
        path_parameters={"chain_id": Parameter("The chain.", "8996")},
    ),
)
