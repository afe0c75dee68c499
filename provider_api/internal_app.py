"""The port for the operator's own programs: metrics and health, never where consumers come in.

GET /metrics   Prometheus' text format
GET /healthz   the process answers
GET /readyz    200 if database, Argo and every chain answer, and assets are up to date, else 503; the body says why not
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from provider_api.endpoints.service.health import readiness
from provider_api.http.protocol import protocol_for
from provider_api.http.responses import json_response
from provider_api.services import Services
from provider_api.settings import ServerSettings
from provider_api.telemetry.metrics import CONTENT_TYPE


def internal_app(services: Services) -> Starlette:
    async def metrics(request: Request) -> Response:
        return Response(services.metrics.text(), headers={"Content-Type": CONTENT_TYPE})

    async def live(request: Request) -> Response:
        return json_response({"status": "ok"})

    async def ready(request: Request) -> Response:
        return await readiness(services)

    return Starlette(routes=[Route("/metrics", metrics), Route("/healthz", live), Route("/readyz", ready)])


@asynccontextmanager
async def serving(app: ASGIApp, host: str, port: int) -> AsyncIterator[int]:
    """Serve an application beside the service; the port. Raises OSError for one that is taken."""
    listening = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    config = uvicorn.Config(
        app,
        http=protocol_for(ServerSettings()),
        proxy_headers=False,
        access_log=False,
        server_header=False,
        log_config=None,
        lifespan="off",
    )
    server = _Quiet(config)
    task = asyncio.create_task(server.serve([listening]))
    try:
        yield listening.getsockname()[1]
    finally:
        server.should_exit = True
        await task


class _Quiet(uvicorn.Server):
    """Signals are for the service itself."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
