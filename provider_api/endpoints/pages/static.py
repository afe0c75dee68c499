"""The style, the script and the icon of the pages, from the package."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from provider_api.endpoints.pages.page import HEADERS, Page, page
from provider_api.http.errors import NotOffered
from provider_api.pages.rendering import STATIC, static
from provider_api.services import Services


@page("GET", "/pages/{name}")
async def static_file(request: Request, services: Services) -> Response:
    """Links name the tag of the content (`?v=`), so that a new release is fetched at once."""
    name = request.path_params["name"]
    if name not in STATIC:
        raise NotOffered(404)
    content, tag = static(name)
    headers = {**HEADERS, "Cache-Control": "public, max-age=86400", "ETag": f'"{tag}"'}
    return Response(content, headers=headers, media_type=STATIC[name])


def folder(name: str) -> Page:
    """`/name` leads to `/name/`."""

    @page("GET", f"/{name}")
    async def lead(request: Request, services: Services) -> Response:
        return RedirectResponse(f"{name}/", 308, HEADERS)

    return lead
