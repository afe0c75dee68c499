"""GET /: which endpoints there are. Clients ask for it before nearly every call, so it is made once, as bytes. A
browser, which says that it likes HTML best, gets a page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from provider_api.endpoints.endpoint import endpoint
from provider_api.endpoints.pages.home import home_page, prefers_html
from provider_api.endpoints.request import ServicesDep
from provider_api.http.responses import json_bytes
from provider_api.openapi import samples
from provider_api.openapi.components import ref
from provider_api.openapi.operation import Answer, Operation
from provider_api.services import Services

PREFIX = "/api/services/"
VERSION = "2.1.6"  # of Ocean's Provider, whose interface this is

# Exactly these: a client's test counts them. Names and methods are fixed; two of the names are snake_case.
ENDPOINTS = {
    "computeDelete": ["DELETE", PREFIX + "compute"],
    "computeEnvironments": ["GET", PREFIX + "computeEnvironments"],
    "computeResult": ["GET", PREFIX + "computeResult"],
    "computeStart": ["POST", PREFIX + "compute"],
    "computeStatus": ["GET", PREFIX + "compute"],
    "computeStop": ["PUT", PREFIX + "compute"],
    "create_auth_token": ["GET", PREFIX + "createAuthToken"],
    "decrypt": ["POST", PREFIX + "decrypt"],
    "delete_auth_token": ["DELETE", PREFIX + "deleteAuthToken"],
    "download": ["GET", PREFIX + "download"],
    "encrypt": ["POST", PREFIX + "encrypt"],
    "fileinfo": ["POST", PREFIX + "fileinfo"],
    "initialize": ["GET", PREFIX + "initialize"],
    "initializeCompute": ["POST", PREFIX + "initializeCompute"],
    "nonce": ["GET", PREFIX + "nonce"],
    "validateContainer": ["POST", PREFIX + "validateContainer"],
}


def document(services: Services) -> bytes:
    """The root document of this service."""
    return json_bytes(_document(services.chains.ids(), services.keys.address))


def _document(chain_ids: Sequence[int], provider: str) -> dict[str, Any]:
    return {
        "chainIds": chain_ids,
        "providerAddresses": {str(chain_id): provider for chain_id in chain_ids},
        "serviceEndpoints": ENDPOINTS,
        "software": "Provider",
        "version": VERSION,
    }


@endpoint(
    Operation(
        "GET",
        "/",
        "root",
        "Service",
        "Which endpoints there are",
        {200: Answer("The endpoints.", ref("Root"), {"root": _document([8996], samples.PROVIDER)})},
        text="Clients take method and path of every call from here. Who likes `text/html` better than JSON and than"
        " anything, as browsers do, gets a page for people instead.",
    )
)
async def root(request: Request, services: ServicesDep) -> Response:
    if prefers_html(request.headers):
        return await home_page(request, services)
    return Response(request.app.state.root, media_type="application/json")
