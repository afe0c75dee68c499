"""POST encrypt: encrypt anything to this provider's key. Publishers encrypt file lists and documents with it.

Clients compare status (201) and content type (text/plain without charset) exactly.
"""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import Response

from ocean import ecies
from ocean.keys import public_bytes
from provider_api.endpoints.endpoint import endpoint
from provider_api.endpoints.request import ServicesDep
from provider_api.http.errors import Refused
from provider_api.openapi.operation import STRING, TEXT, Answer, Failure, Operation, Parameter


@endpoint(
    Operation(
        "POST",
        "/api/services/encrypt",
        "encrypt",
        "Assets",
        "Encrypt for this service",
        {
            201: Answer(
                "`0x` and hex: ECIES with the service's key of the chain.",
                {"type": "string", "pattern": "^0x[0-9a-f]*$"},
                {"blob": "0x04ba5734d8f7091719471e7f7ed6b9df"},
                media=TEXT,
            )
        },
        {
            400: Failure(
                "Refusal",
                "Another content type, or no chain that the service knows.",
                {
                    "content_type": {"error": "Invalid request content type: should be application/octet-stream"},
                    "no_chain": {"error": "Missing chainId query parameter."},
                },
            )
        },
        text="What a publisher puts into `services[].files`, or a whole DDO.",
        parameters={"chainId": Parameter("Decimal.", "8996", STRING, required=True)},
        bytes_body="The plain bytes.",
        body_required=False,
        examples={"files": '{"datatokenAddress":"0x…","nftAddress":"0x…","files":[]}'},
    )
)
async def encrypt(request: Request, services: ServicesDep) -> Response:
    if request.headers.get("content-type") != "application/octet-stream":
        raise Refused("Invalid request content type: should be application/octet-stream")  # compared by clients
    chain_id = next((value for name, value in request.query_params.multi_items() if name == "chainId"), "")
    if not chain_id:
        raise Refused("Missing chainId query parameter.")
    served = [str(known) for known in services.chains.ids()]
    if chain_id not in served:
        raise Refused(f"Failed to encrypt. The chainId must be one of {', '.join(served)}, not {chain_id[:40]}.")
    await services.control.require("encryptUrl", None)
    key = public_bytes(services.keys.private_key)
    blob = await asyncio.to_thread(ecies.encrypt, key, await request.body())
    return Response("0x" + blob.hex(), 201, {"Content-Type": "text/plain"})
