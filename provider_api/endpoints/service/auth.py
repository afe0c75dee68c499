"""Tokens: GET createAuthToken makes one, DELETE deleteAuthToken takes it out of use, DELETE auth-tokens (ours) all that
an account has. All must be signed.

The plain text that is signed covers address and nonce only (clients cannot change that); so the nonce is used up, and a
token has a longest lifetime. The typed form covers everything, and a setting may demand it.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from ocean import signing
from provider_api.calls.fields import Field, NearFuture, address, integer, required, text_value
from provider_api.calls.parameters import Call
from provider_api.calls.signature import Caller, Signed, signature_given, stale
from provider_api.calls.tokens import TokenRefused
from provider_api.endpoints.descriptions import NONCE_PARAMETER, signature, signed
from provider_api.endpoints.endpoint import endpoint
from provider_api.endpoints.request import NONCE, CallDep, ServicesDep, read_call
from provider_api.http.errors import Refused
from provider_api.http.responses import json_response
from provider_api.openapi import samples
from provider_api.openapi.operation import Answer, Operation, Parameter
from provider_api.services import Services
from provider_api.storage.nonces import NonceRefused

ADDRESS = Field("address", (required, address), bail=True)
SIGNATURE = Field("signature", (signature_given, text_value))
DELETE = (ADDRESS, Field("token", (required, text_value), bail=True), NONCE, SIGNATURE)
DELETE_ALL = (ADDRESS, NONCE, SIGNATURE)
_ADDRESS: Final = Parameter("The account.", samples.CONSUMER)


def create_fields(limit_seconds: int) -> tuple[Field, ...]:
    """`limit_seconds`: longest lifetime of a token."""
    wanted = f"Unix seconds, later than now and at most {limit_seconds} s ahead"
    expiration = Field("expiration", (required, integer, NearFuture(limit_seconds)), bail=True, wanted=wanted)
    return (ADDRESS, expiration, NONCE, SIGNATURE)


@endpoint(
    Operation(
        "GET",
        "/api/services/createAuthToken",
        "create_auth_token",
        "Accounts",
        "A token that stands for signatures",
        {
            200: Answer(
                "A compact JWS; the same address and expiration give the same token.",
                {"type": "object", "properties": {"token": {"type": "string"}}, "required": ["token"]},
                {"token": {"token": samples.TOKEN}},
            )
        },
        {400: signed("address")},
        text="For `decrypt`, `download`, `computeResult` and `compute`, in the header `AuthToken`. Nonces stay required"
        " there. A token that was deactivated comes back to life when it is created again.",
        fields=create_fields(0),
        parameters={
            "address": _ADDRESS,
            "expiration": Parameter(
                "Unix seconds, not further away than the service allows.", str(samples.MOMENT + 3600)
            ),
            "nonce": NONCE_PARAMETER,
            "signature": signature("address + nonce", token=False),
        },
    )
)
async def create_auth_token(request: Request, services: ServicesDep) -> Response:
    call = await read_call(request, create_fields(services.settings.limits.token_seconds))
    owner = call.text("address")
    signer = await _signer(services, call)
    try:
        token = await services.tokens.create(owner, int(call.text("expiration")), call.text("nonce"), signer.text)
    except NonceRefused as exc:
        raise stale(exc) from None
    return json_response({"token": token})


@endpoint(
    Operation(
        "DELETE",
        "/api/services/deleteAuthToken",
        "delete_auth_token",
        "Accounts",
        "Take a token out of use",
        {
            200: Answer(
                "It is.",
                {"type": "object", "properties": {"success": {"type": "string"}}, "required": ["success"]},
                {"done": {"success": "Token has been deactivated."}},
            )
        },
        {400: signed("address", expired={"error": "Token is expired."}, invalid={"error": "Token is invalid."})},
        fields=DELETE,
        parameters={
            "address": _ADDRESS,
            "token": Parameter("The token.", samples.TOKEN),
            "nonce": NONCE_PARAMETER,
            "signature": signature("address + nonce", token=False),
        },
    )
)
async def delete_auth_token(call: CallDep, services: ServicesDep) -> Response:
    signer = await _signer(services, call)
    try:
        await services.tokens.delete(call.text("token"), signer.address, call.text("nonce"), signer.text)
    except NonceRefused as exc:
        raise stale(exc) from None
    except TokenRefused as exc:
        raise Refused(str(exc)) from None
    return json_response({"success": "Token has been deactivated."})


@endpoint(
    Operation(
        "DELETE",
        "/api/v1/auth-tokens",
        "delete_all_auth_tokens",
        "Accounts",
        "Take all tokens of an account out of use",
        {
            200: Answer(
                "They are, whoever has them. Tokens that are made from now on are other ones.",
                {"type": "object", "properties": {"success": {"type": "string"}}, "required": ["success"]},
                {"done": {"success": "All tokens have been deactivated."}},
            )
        },
        {400: signed("address")},
        text="An addition of this service.",
        fields=DELETE_ALL,
        parameters={
            "address": _ADDRESS,
            "nonce": NONCE_PARAMETER,
            "signature": signature("address + nonce", token=False),
        },
    )
)
async def delete_all_auth_tokens(call: CallDep, services: ServicesDep) -> Response:
    """Whatever was made so far, also what nobody remembers."""
    signer = await _signer(services, call)
    try:
        await services.tokens.delete_all(signer.address, call.text("nonce"), signer.text)
    except NonceRefused as exc:
        raise stale(exc) from None
    return json_response({"success": "All tokens have been deactivated."})


async def _signer(services: Services, call: Call) -> Caller:
    """Raises InvalidRequest, ChainUnavailable."""
    owner = call.text("address")
    return await services.callers.require_signer(call, Signed(partial(signing.token_message, owner), by="address"))
