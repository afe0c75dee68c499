"""GET /spec: the description of the API for programs. GET /api/docs/: the same for people. Both are made once."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

router = APIRouter()

# The page needs nothing but its own style, and nobody may put it into a frame.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"


@router.api_route("/spec", methods=["GET", "HEAD"])
async def spec(request: Request) -> Response:
    return Response(request.app.state.spec, media_type="application/json")


@router.api_route("/api/docs/", methods=["GET", "HEAD"])
async def docs(request: Request) -> Response:
    return Response(request.app.state.docs, media_type="text/html", headers={"Content-Security-Policy": _POLICY})
