"""What all routes do first: find the services, read and validate parameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import Depends
from starlette.requests import Request

from ocean.addresses import canonical
from provider_api.calls.fields import Field, address, nonce_number, required, text_value, validate
from provider_api.calls.parameters import Input, read_input, read_json_object, unread
from provider_api.calls.signature import signature_or_token, token_of
from provider_api.http.errors import InvalidRequest, NotOffered
from provider_api.services import Services

CONSUMER = Field("consumerAddress", (required, address), bail=True)
NONCE = Field("nonce", (required, nonce_number), bail=True)
SIGNED = "the signature of this request, 0x and 130 hexadecimal digits, or a token in the header AuthToken instead"
SIGNATURE = Field("signature", (signature_or_token, text_value), bail=True, wanted=SIGNED)


async def services_of(request: Request) -> Services:
    """Asynchronous because FastAPI would send a plain function to a thread for each request."""
    services: Services = request.app.state.services
    return services


ServicesDep = Annotated[Services, Depends(services_of)]


async def parameters_of(request: Request, fields: Sequence[Field]) -> Input:
    """Validated parameters. A GET route answers HEAD with 405, but only after the validation, as Ocean Provider does.
    Where parameters are missing because a body could not be read, the answer says why.

    Raises InvalidRequest, Refused, NotOffered.
    """
    query = request.scope["query_string"].decode("utf-8", "replace")
    content_type, token_sent = request.headers.get("content-type", ""), bool(token_of(request))
    body = await request.body()
    given = read_input(query, content_type, body, token_sent=token_sent)
    try:
        validate(fields, given)
    except InvalidRequest as exc:
        reason = unread(query, content_type, body)
        raise InvalidRequest(exc.errors, exc.wanted | ({"body": reason} if reason else {})) from None
    require_not_head(request)
    return given


async def body_parameters_of(request: Request, fields: Sequence[Field]) -> Input:
    """The same for a route that reads its body only: validated like all others, so that a query hides the body, then
    without the query.

    Raises InvalidRequest, Refused.
    """
    given = await parameters_of(request, fields)
    if not given.of_query:
        return given
    body = read_json_object(request.headers.get("content-type", ""), await request.body())
    given = Input(body, given.token_sent)
    validate(fields, given)
    return given


def require_not_head(request: Request) -> None:
    if request.method == "HEAD":
        raise NotOffered(405)


def consumer_of(given: Input, field: str = "consumerAddress") -> str:
    """Canonical address of a validated field."""
    return canonical(given.text(field))


async def require_compute(services: Services) -> None:
    """404 where this service announces no environment at all, as a provider without an operator answers.

    Raises NotOffered, ArgoError.
    """
    snapshot = await services.environments.current()
    if snapshot.complete and not snapshot.environments:
        raise NotOffered(404)
