"""GET /health/live: the process answers. GET /health/ready: its neighbours do too, so it can do its work."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from provider_api.endpoints.request import services_of
from provider_api.http.responses import json_response
from provider_api.services import Services

router = APIRouter()


@router.api_route("/health/live", methods=["GET", "HEAD"])
async def live(request: Request) -> Response:
    return json_response({"status": "ok"})


@router.api_route("/health/ready", methods=["GET", "HEAD"])
async def ready(request: Request) -> Response:
    """200 if database, Argo and every chain answer and all assets are up to date, else 503; the body says what is not.
    It is what was known some seconds ago."""
    return await readiness(services_of(request))


async def readiness(services: Services) -> Response:
    checks = await services.readiness.checks()
    good = all(answer == "ok" for answer in checks.values())
    return json_response({"checks": checks, "status": "ok" if good else "unavailable"}, status=200 if good else 503)
