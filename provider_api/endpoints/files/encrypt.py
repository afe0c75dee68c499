"""POST encrypt: encrypt anything to this provider's key. Publishers encrypt file lists and documents with it.

Clients compare status (201) and content type (text/plain without charset) exactly.
"""

from __future__ import annotations

import asyncio

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from ocean import ecies
from ocean.keys import public_bytes
from provider_api.endpoints.request import services_of
from provider_api.http.errors import Refused

router = APIRouter()


@router.post("/api/services/encrypt")
async def encrypt(request: Request) -> Response:
    if request.headers.get("content-type") != "application/octet-stream":
        raise Refused("Invalid request content type: should be application/octet-stream")  # compared by clients
    chain_id = next((value for name, value in request.query_params.multi_items() if name == "chainId"), "")
    if not chain_id:
        raise Refused("Missing chainId query parameter.")
    services = services_of(request)
    served = [str(known) for known in services.chains.ids()]
    if chain_id not in served:
        raise Refused(f"Failed to encrypt. The chainId must be one of {', '.join(served)}, not {chain_id[:40]}.")
    await services.control.require("encryptUrl", None)
    key = public_bytes(services.keys.private_key)
    blob = await asyncio.to_thread(ecies.encrypt, key, await request.body())
    return Response("0x" + blob.hex(), 201, {"Content-Type": "text/plain"})
