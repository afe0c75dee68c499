"""GET nonce: the last nonce an account has used, as it was written. "1" for a new account; nothing is stored."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from provider_api.fields import Field, address, required
from provider_api.responses import json_response
from provider_api.routes.request import consumer_of, parameters_of, require_not_head, services_of

router = APIRouter()
FIELDS = (Field("userAddress", (required, address)),)


@router.api_route("/api/services/nonce", methods=["GET", "HEAD"])
async def nonce(request: Request) -> Response:
    require_not_head(request)
    given = await parameters_of(request, FIELDS)
    stored = await services_of(request).nonces.find(consumer_of(given, "userAddress"))
    return json_response({"nonce": "1" if stored is None else stored})
