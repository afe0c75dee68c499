"""GET nonce: the last nonce an account has used. 1 for a new account; nothing is stored.

Clients add 1 to what they read. So it is a number wherever JavaScript holds it exactly: some versions of ocean.js do
not convert a text, and adding to one puts a digit behind it. Beyond that it is the text that was sent.
"""

from __future__ import annotations

from decimal import Decimal

from starlette.requests import Request
from starlette.responses import Response

from provider_api.calls.fields import Field, address, required
from provider_api.endpoints.descriptions import invalid
from provider_api.endpoints.endpoint import endpoint
from provider_api.endpoints.request import ServicesDep, consumer_of, read_call, require_not_head
from provider_api.http.responses import json_response
from provider_api.openapi import samples
from provider_api.openapi.operation import Answer, Operation, Parameter
from provider_api.storage.nonces import number_of

FIELDS = (Field("userAddress", (required, address)),)
_EXACT = 2**53  # from here on JavaScript's numbers are further than 1 from each other


@endpoint(
    Operation(
        "GET",
        "/api/services/nonce",
        "nonce",
        "Accounts",
        "The last nonce of an account",
        {
            200: Answer(
                "A number where JavaScript holds it exactly, else the text that was sent; 1 for an account that has"
                " used none.",
                {"type": "object", "properties": {"nonce": {"type": ["number", "string"]}}, "required": ["nonce"]},
                {"known": {"nonce": 57}, "new": {"nonce": 1}, "clock": {"nonce": "1795405424715548897"}},
            )
        },
        {400: invalid("userAddress")},
        text="Changes nothing. The next signed request must have a greater one.",
        fields=FIELDS,
        parameters={"userAddress": Parameter("The account.", samples.CONSUMER)},
    )
)
async def nonce(request: Request, services: ServicesDep) -> Response:
    require_not_head(request)
    call = await read_call(request, FIELDS)
    stored = await services.nonces.find(consumer_of(call, "userAddress"))
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
