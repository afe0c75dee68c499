"""GET /health/live: the process answers. GET /health/ready: its neighbours do too, so it can do its work."""

from __future__ import annotations

from starlette.responses import Response

from provider_api.endpoints.endpoint import endpoint
from provider_api.endpoints.request import ServicesDep
from provider_api.http.responses import json_response
from provider_api.openapi.components import ref
from provider_api.openapi.operation import Answer, Operation
from provider_api.services import Services


@endpoint(
    Operation(
        "GET",
        "/health/live",
        "live",
        "Service",
        "The process answers",
        {200: Answer("It does.", ref("Health"), {"ok": {"status": "ok"}})},
    )
)
async def live() -> Response:
    return json_response({"status": "ok"})


@endpoint(
    Operation(
        "GET",
        "/health/ready",
        "ready",
        "Service",
        "Database, Argo and every chain answer, and all assets are up to date, as known some seconds ago",
        {
            200: Answer(
                "All do.",
                ref("Health"),
                {"ok": {"checks": {"argo": "ok", "chain 8996": "ok", "storage": "ok"}, "status": "ok"}},
            ),
            503: Answer(
                "One does not.",
                ref("Health"),
                {
                    "away": {
                        "checks": {"argo": "unavailable", "chain 8996": "ok", "storage": "ok"},
                        "status": "unavailable",
                    }
                },
            ),
        },
    )
)
async def ready(services: ServicesDep) -> Response:
    """200 if database, Argo and every chain answer and all assets are up to date, else 503; the body says what is not.
    It is what was known some seconds ago."""
    return await readiness(services)


async def readiness(services: Services) -> Response:
    checks = await services.readiness.checks()
    good = all(answer == "ok" for answer in checks.values())
    return json_response({"checks": checks, "status": "ok" if good else "unavailable"}, status=200 if good else 503)
