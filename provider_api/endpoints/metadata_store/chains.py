"""GET chains/list and chains/status/ID: which chains are indexed, and how far."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from provider_api.endpoints.metadata_store.answers import answer, refusal
from provider_api.endpoints.metadata_store.assets import GET
from provider_api.endpoints.request import services_of

router = APIRouter(prefix="/chains")


@router.api_route("/list", methods=GET)
async def listed(request: Request) -> Response:
    return answer({str(chain_id): True for chain_id in services_of(request).chains.ids()})


@router.api_route("/status/{chain_id}", methods=GET)
async def status(request: Request, chain_id: str) -> Response:
    """`last_block` is the newest block that was looked at in the background; -1 before the first."""
    for chain in services_of(request).chains.all():
        if chain_id == str(chain.chain_id):
            return answer({"last_block": chain.scanned})
    return refusal(f"Chain {chain_id} is not indexed.", 404)
