"""GET /health/live: the process answers. GET /health/ready: its neighbours do too, so it can do its work."""

from __future__ import annotations

import asyncio

import structlog
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from provider_api.responses import json_response
from provider_api.routes.request import services_of
from provider_api.services import Services

log = structlog.get_logger(__name__)
router = APIRouter()

READY_SECONDS = 5.0


@router.api_route("/health/live", methods=["GET", "HEAD"])
async def live(request: Request) -> Response:
    return json_response({"status": "ok"})


@router.api_route("/health/ready", methods=["GET", "HEAD"])
async def ready(request: Request) -> Response:
    """200 if database, Argo and every chain answer, else 503; the body says which one does not."""
    return await readiness(services_of(request))


async def readiness(services: Services) -> Response:
    checks = await _checks(services)
    good = all(answer == "ok" for answer in checks.values())
    return json_response({"checks": checks, "status": "ok" if good else "unavailable"}, status=200 if good else 503)


async def _checks(services: Services) -> dict[str, str]:
    questions = {
        "storage": services.nonces.find("0x" + "0" * 40),
        "argo": services.environments.current(),
        **{f"chain {chain.chain_id}": chain.head() for chain in services.chains.all()},
    }
    answers = await asyncio.gather(
        *(asyncio.wait_for(question, READY_SECONDS) for question in questions.values()), return_exceptions=True
    )
    found = {}
    for name, answer in zip(questions, answers, strict=True):
        found[name] = "unavailable" if isinstance(answer, BaseException) else "ok"
        if isinstance(answer, BaseException):
            log.warning("not_ready", neighbour=name, error=type(answer).__name__)
    return found
