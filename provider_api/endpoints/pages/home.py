"""The page at `/`, for browsers: what this is, which environments there are, how to start. Clients get JSON there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from argo.client.errors import ArgoError
from provider_api.endpoints.pages.addresses import address_of_service
from provider_api.endpoints.pages.page import HEADERS
from provider_api.pages.rendering import render
from provider_api.services import Services

_HTML: Final = "text/html"
_OTHERS: Final = ("application/json", "*/*")


@dataclass(frozen=True, slots=True)
class EnvironmentView:
    id: str
    about: str
    resources: str
    price: Decimal  # whole fee tokens for a minute
    seconds: int
    running: int
    places: int
    waiting: int


def prefers_html(headers: Headers) -> bool:
    """Whether a client says that it likes HTML better than JSON, and than anything. Browsers do, libraries do not."""
    weights = _weights(headers.get("accept", ""))
    html = weights.get(_HTML, 0.0)
    return html > max(weights.get(other, 0.0) for other in _OTHERS)


def _weights(accept: str) -> dict[str, float]:
    """By media type; what cannot be read weighs nothing."""
    found: dict[str, float] = {}
    for part in accept.split(",")[:50]:
        media, *parameters = (piece.strip().lower() for piece in part.split(";"))
        weight = 1.0
        for name, _, value in (parameter.partition("=") for parameter in parameters):
            if name.strip() == "q":
                try:
                    weight = min(1.0, max(0.0, float(value)))
                except ValueError:
                    weight = 0.0
        found[media] = max(weight, found.get(media, 0.0))
    return found


async def home_page(request: Request, services: Services) -> Response:
    try:
        environments = await _environments(services)
    except ArgoError:
        environments = None
    html = render(
        "home.html",
        request.url.path,
        chains=services.chains.ids(),
        provider=services.keys.address,
        environments=environments,
        url=address_of_service(request, services),
    )
    return HTMLResponse(html, headers={**HEADERS, "Cache-Control": "no-cache", "Vary": "Accept"})


async def _environments(services: Services) -> list[EnvironmentView]:
    """Raises ArgoError."""
    snapshot = await services.environments.current()
    views = []
    for found in snapshot.environments.values():
        jobs = snapshot.jobs.get(found.id, 0)
        views.append(
            EnvironmentView(
                found.id,
                str(found.shown.get("desc", "")),
                _resources(found.shown),
                found.price_per_minute,
                found.max_job_duration,
                min(jobs, found.max_jobs),
                found.max_jobs,
                max(0, jobs - found.max_jobs),
            )
        )
    return views


def _resources(told: Mapping[str, Any]) -> str:
    parts = [f"{told.get('cpuNumber', 0)} CPU", f"{told.get('ramGB', 0)} GB memory", f"{told.get('diskGB', 0)} GB disk"]
    if told.get("gpuNumber"):
        parts.insert(1, f"{told['gpuNumber']} GPU {told.get('gpuType', '')}".strip())
    return ", ".join(part.replace(" ", "\N{NO-BREAK SPACE}") for part in parts)
