"""GET nonce: the last nonce an account has used. 1 for a new account; nothing is stored.

Clients add 1 to what they read. So it is a number wherever JavaScript holds it exactly: some versions of ocean.js do
not convert a text, and adding to one puts a digit behind it. Beyond that it is the text that was sent.
"""

from __future__ import annotations

from decimal import Decimal

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from provider_api.calls.fields import Field, address, required
from provider_api.endpoints.request import consumer_of, parameters_of, require_not_head, services_of
from provider_api.http.responses import json_response
from provider_api.storage.nonces import number_of

router = APIRouter()
FIELDS = (Field("userAddress", (required, address)),)
_EXACT = 2**53  # from here on JavaScript's numbers are further than 1 from each other


@router.api_route("/api/services/nonce", methods=["GET", "HEAD"])
async def nonce(request: Request) -> Response:
    require_not_head(request)
    given = await parameters_of(request, FIELDS)
    stored = await services_of(request).nonces.find(consumer_of(given, "userAddress"))
    return json_response({"nonce": shown(stored)})


def shown(stored: str | None) -> int | float | str:
    """What is told of a stored nonce."""
    if stored is None:
        return 1
    number = number_of(stored)
    if number >= _EXACT:
        return stored
    if number == number.to_integral_value():
        return int(number)
    return float(number) if Decimal(float(number)) == number else stored
