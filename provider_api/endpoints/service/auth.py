"""Tokens: GET createAuthToken makes one, DELETE deleteAuthToken takes it out of use, DELETE auth-tokens (ours) all that
an account has. All must be signed.

The plain text that is signed covers address and nonce only (clients cannot change that); so the nonce is used up, and a
token has a longest lifetime. The typed form covers everything, and a setting may demand it.
"""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from ocean import signing
from provider_api.calls.fields import Field, NearFuture, address, integer, required, text_value
from provider_api.calls.parameters import Input
from provider_api.calls.signature import Caller, signature_given, stale
from provider_api.calls.tokens import TokenRefused
from provider_api.endpoints.request import NONCE, parameters_of, services_of
from provider_api.http.errors import Refused
from provider_api.http.responses import json_response
from provider_api.services import Services
from provider_api.storage.nonces import NonceRefused

router = APIRouter()

ADDRESS = Field("address", (required, address), bail=True)
SIGNATURE = Field("signature", (signature_given, text_value))
DELETE = (ADDRESS, Field("token", (required, text_value), bail=True), NONCE, SIGNATURE)
DELETE_ALL = (ADDRESS, NONCE, SIGNATURE)


def create_fields(limit_seconds: int) -> tuple[Field, ...]:
    """`limit_seconds`: longest lifetime of a token."""
    wanted = f"Unix seconds, later than now and at most {limit_seconds} s ahead"
    expiration = Field("expiration", (required, integer, NearFuture(limit_seconds)), bail=True, wanted=wanted)
    return (ADDRESS, expiration, NONCE, SIGNATURE)


@router.api_route("/api/services/createAuthToken", methods=["GET", "HEAD"])
async def create_auth_token(request: Request) -> Response:
    services = services_of(request)
    given = await parameters_of(request, create_fields(services.settings.limits.token_seconds))
    owner = given.text("address")
    signer = await _signer(request, services, given)
    try:
        token = await services.tokens.create(owner, int(given.text("expiration")), given.text("nonce"), signer.text)
    except NonceRefused as exc:
        raise stale(exc) from None
    return json_response({"token": token})


@router.delete("/api/services/deleteAuthToken")
async def delete_auth_token(request: Request) -> Response:
    services = services_of(request)
    given = await parameters_of(request, DELETE)
    signer = await _signer(request, services, given)
    try:
        await services.tokens.delete(given.text("token"), signer.address, given.text("nonce"), signer.text)
    except NonceRefused as exc:
        raise stale(exc) from None
    except TokenRefused as exc:
        raise Refused(str(exc)) from None
    return json_response({"success": "Token has been deactivated."})


@router.delete("/api/v1/auth-tokens")
async def delete_all_auth_tokens(request: Request) -> Response:
    """Whatever was made so far, also what nobody remembers."""
    services = services_of(request)
    given = await parameters_of(request, DELETE_ALL)
    signer = await _signer(request, services, given)
    try:
        await services.tokens.delete_all(signer.address, given.text("nonce"), signer.text)
    except NonceRefused as exc:
        raise stale(exc) from None
    return json_response({"success": "All tokens have been deactivated."})


async def _signer(request: Request, services: Services, given: Input) -> Caller:
    """Raises InvalidRequest, ChainUnavailable."""
    owner = given.text("address")
    return await services.callers.require_signer(
        request, given, lambda nonce: signing.token_message(owner, nonce), "address"
    )
