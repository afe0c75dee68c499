"""GET /spec: the description of the API for programs. GET /api/docs/: the same for people. Both are made once."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from provider_api.endpoints.endpoint import endpoint
from provider_api.openapi.operation import Answer, Operation

# The page needs nothing but its own style, and nobody may put it into a frame.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"


@endpoint(
    Operation(
        "GET",
        "/spec",
        "spec",
        "Service",
        "This description",
        {200: Answer("OpenAPI 3.1.", {"type": "object", "required": ["openapi", "info", "paths"]})},
    )
)
async def spec(request: Request) -> Response:
    return Response(request.app.state.spec, media_type="application/json")


@endpoint(
    Operation(
        "GET",
        "/api/docs/",
        "docs",
        "Service",
        "This description, for people",
        {200: Answer("A page without scripts.", {"type": "string"}, media="text/html")},
    )
)
async def docs(request: Request) -> Response:
    return Response(request.app.state.docs, media_type="text/html", headers={"Content-Security-Policy": _POLICY})
