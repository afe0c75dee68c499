"""What all routes do first: find the services, read the call and validate its parameters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

from fastapi import Depends
from starlette.requests import Request

from ocean.addresses import canonical
from provider_api.calls.fields import Field, address, nonce_number, required, text_value, validate
from provider_api.calls.parameters import Call, read_json_object, read_parameters, unread
from provider_api.calls.session import token_of
from provider_api.calls.signature import signature_or_token
from provider_api.http.errors import InvalidRequest, NotOffered
from provider_api.openapi.operation import Operation
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


async def read_call(request: Request, fields: Sequence[Field], *, session: bool = False) -> Call:
    """The call with validated parameters; those in its path are among them, so that a typed signature covers them.
    `session`: a page's may stand for the header AuthToken. A GET route answers HEAD with 405, but only after the
    validation, as Ocean Provider does. Where parameters are missing because a body could not be read, the answer says
    why.

    Raises InvalidRequest, Refused, NotOffered.
    """
    query = request.scope["query_string"].decode("utf-8", "replace")
    content_type, body = request.headers.get("content-type", ""), await request.body()
    route = f"{request.method} {request.scope['route'].path}"
    token = token_of(request) if session else request.headers.get("authtoken", "")
    values, of_query = read_parameters(query, content_type, body)
    call = Call({**values, **request.path_params}, of_query, route, token)
    try:
        validate(fields, call)
    except InvalidRequest as exc:
        reason = unread(query, content_type, body)
        raise InvalidRequest(exc.errors, exc.wanted | ({"body": reason} if reason else {})) from None
    require_not_head(request)
    return call


async def read_body_call(request: Request, fields: Sequence[Field]) -> Call:
    """The same for a route that reads its body only: validated like all others, so that a query hides the body, then
    without the query.

    Raises InvalidRequest, Refused.
    """
    call = await read_call(request, fields)
    if not call.of_query:
        return call
    body = read_json_object(request.headers.get("content-type", ""), await request.body())
    call = replace(call, values=body, of_query=False)
    validate(fields, call)
    return call


async def _described_call(request: Request) -> Call:
    operation: Operation = request.app.state.operations[request.scope["endpoint"]]
    return await read_call(request, operation.fields)


CallDep = Annotated[Call, Depends(_described_call)]  # with the fields that the route's description has


def require_not_head(request: Request) -> None:
    if request.method == "HEAD":
        raise NotOffered(405)


def consumer_of(call: Call, field: str = "consumerAddress") -> str:
    """Canonical address of a validated field."""
    return canonical(call.text(field))


async def require_compute(services: Services) -> None:
    """404 where this service announces no environment at all, as a provider without an operator answers.

    Raises NotOffered, ArgoError.
    """
    snapshot = await services.environments.current()
    if snapshot.complete and not snapshot.environments:
        raise NotOffered(404)
