"""The service's own address as its pages write it into commands, and that of Argo's pages."""

from __future__ import annotations

from urllib.parse import quote

from starlette.requests import Request

from provider_api.http.origins import origin_of
from provider_api.services import Services


def address_of_service(request: Request, services: Services) -> str:
    """The first public address; where none is set, that which this request was sent to."""
    public = services.settings.server.public_urls
    if public:
        return public[0]
    asked = origin_of(f"http://{request.headers.get('host', '')}")
    return str(asked) if asked is not None else "http://localhost"


def argo_page(services: Services, job_id: str) -> str:
    """Where Argo shows a job's graph; "" where the settings name no such place."""
    settings = services.settings
    server = settings.argo_servers.get(job_id[:2], settings.argo)
    if not server.ui_url:
        return ""
    return f"{server.ui_url.rstrip('/')}/workflows/{quote(server.namespace)}/{job_id}"
