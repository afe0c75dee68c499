"""The application: `create_app(settings)` builds it, its lifespan opens and closes everything it uses."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import structlog
from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match
from starlette.types import ASGIApp

from provider_api import openapi
from provider_api.endpoints.jobs import published
from provider_api.endpoints.operations import OPERATIONS, add_routes
from provider_api.endpoints.pages import add_pages
from provider_api.endpoints.service import root
from provider_api.endpoints.service.internal import internal_app
from provider_api.http.errors import ApiError, NotOffered, render
from provider_api.http.last_resort import CatchAll
from provider_api.http.responses import json_bytes
from provider_api.http.serving import serving
from provider_api.http.transport import Transport
from provider_api.services import OpenNeighbours, open_neighbours, open_services
from provider_api.settings import Settings
from provider_api.strangers.budget import Budget
from provider_api.strangers.gate import StrangersGate
from provider_api.telemetry.metrics import Metrics
from provider_api.telemetry.tracing import open_tracer

log = structlog.get_logger(__name__)


def create_app(settings: Settings, neighbours: OpenNeighbours = open_neighbours) -> ASGIApp:
    """The ASGI application of the Provider API. `neighbours` opens whoever it talks to. Raises TracingMissing."""

    metrics, tracer = Metrics(), open_tracer(settings.tracing)
    budget = Budget(settings, metrics)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            stack.push_async_callback(asyncio.to_thread, tracer.close)
            services = await stack.enter_async_context(open_services(settings, neighbours, metrics, tracer))
            app.state.services = services
            app.state.root = root.document(services)
            described = openapi.document(OPERATIONS)
            app.state.spec = json_bytes(described, sort_keys=False)
            app.state.docs = openapi.page(described)
            if settings.metrics.port is not None:
                internal = internal_app(services)
                await stack.enter_async_context(serving(internal, settings.server.host, settings.metrics.port))
            if settings.publication.port is not None:
                files = published.files_app(services)
                await stack.enter_async_context(serving(files, settings.server.host, settings.publication.port))
            log.info("service_ready", chains=services.chains.ids(), provider=services.keys.address)
            yield

    app = FastAPI(
        title="Compute-to-Data Provider",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
    )
    add_routes(app)
    add_pages(app)
    app.add_middleware(StrangersGate, budget=budget, proxies=bool(settings.server.trusted_proxies))
    app.add_middleware(CatchAll, retry_after_seconds=settings.limits.retry_after_seconds)
    app.add_exception_handler(ApiError, _render)
    app.add_exception_handler(HTTPException, _render_http)
    return Transport(app, settings.server.max_body_bytes, metrics, tracer, log_requests=settings.log.requests)


async def _render(request: Request, error: Exception) -> Response:
    if not isinstance(error, ApiError):
        raise error
    if isinstance(error, NotOffered) and error.status == 405:
        return render(NotOffered(405, _allowed(request)))
    return render(error)


async def _render_http(request: Request, error: Exception) -> Response:
    """Unknown paths and wrong methods, which the router finds."""
    if not isinstance(error, HTTPException):
        raise error
    return render(NotOffered(405, _allowed(request)) if error.status_code == 405 else NotOffered(404))


def _allowed(request: Request) -> str:
    """The methods that the path of a request has. HEAD is not among them: it is mostly answered with 405."""

    def exists(method: str) -> bool:
        scope = {**request.scope, "method": method}
        return any(route.matches(scope)[0] is Match.FULL for route in request.app.router.routes)

    return ", ".join(method for method in ("DELETE", "GET", "PATCH", "POST", "PUT") if exists(method))
