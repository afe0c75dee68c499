"""GET chains/list and chains/status/ID: which chains are indexed, and how far."""

from __future__ import annotations

from starlette.responses import Response

from provider_api.endpoints.endpoint import endpoint
from provider_api.endpoints.metadata_store.answers import answer, refusal
from provider_api.endpoints.request import ServicesDep
from provider_api.openapi.operation import Answer, Failure, Operation, Parameter


@endpoint(
    Operation(
        "GET",
        "/api/aquarius/chains/list",
        "listChains",
        "Metadata store",
        "Which chains are indexed",
        {
            200: Answer(
                "`true` by chain id.",
                {"type": "object", "additionalProperties": {"const": True}},
                {"chains": {"8996": True}},
            )
        },
    )
)
async def listed(services: ServicesDep) -> Response:
    return answer({str(chain_id): True for chain_id in services.chains.ids()})


@endpoint(
    Operation(
        "GET",
        "/api/aquarius/chains/status/{chain_id}",
        "getChainStatus",
        "Metadata store",
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
    )
)
async def status(services: ServicesDep, chain_id: str) -> Response:
    """`last_block` is the newest block that was looked at in the background; -1 before the first."""
    for chain in services.chains.all():
        if chain_id == str(chain.chain_id):
            return answer({"last_block": chain.scanned})
    return refusal(f"Chain {chain_id} is not indexed.", 404)
