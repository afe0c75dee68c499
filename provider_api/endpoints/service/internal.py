"""The port for the operator's own programs: metrics and health, never where consumers come in.

GET /metrics   Prometheus' text format
GET /healthz   the process answers
GET /readyz    200 if database, Argo and every chain answer, and assets are up to date, else 503; the body says why not
"""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from provider_api.endpoints.service.health import readiness
from provider_api.http.responses import json_response
from provider_api.services import Services
from provider_api.telemetry.metrics import CONTENT_TYPE


def internal_app(services: Services) -> Starlette:
    async def metrics(request: Request) -> Response:
        return Response(services.metrics.text(), headers={"Content-Type": CONTENT_TYPE})

    async def live(request: Request) -> Response:
        return json_response({"status": "ok"})

    async def ready(request: Request) -> Response:
        return await readiness(services)

    return Starlette(routes=[Route("/metrics", metrics), Route("/healthz", live), Route("/readyz", ready)])
