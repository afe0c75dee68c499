"""What all pages have in common: how they are registered, answered, and kept from other sites.

Pages are for browsers, so they are no part of the API's description. Their errors are pages too, and no page is kept
in a cache or shown in a frame; nothing in them comes from elsewhere, and no script or style stands in the page itself.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from provider_api.endpoints.request import services_of
from provider_api.http.errors import ApiError, Refused
from provider_api.http.last_resort import told
from provider_api.http.origins import is_same_origin
from provider_api.pages.rendering import render
from provider_api.services import Services

Route = Callable[[Request, Services], Awaitable[Response]]

HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_PLACES: Final = re.compile(r"(jobs|data)/([0-9a-f]{32})?")
PRIVATE: Final = {**HEADERS, "Cache-Control": "no-store"}


@dataclass(frozen=True, slots=True)
class Page:
    method: str
    path: str
    route: Callable[[Request], Awaitable[Response]]


class SignInNeeded(ApiError):
    """The page is for somebody who is signed in."""

    status = 401

    def __init__(self) -> None:
        super().__init__("Sign in to see this page.")


def page(method: str, path: str) -> Callable[[Route], Page]:
    """The function below answers this page. What changes something (POST) is refused unless one of our own pages asks
    for it."""

    def made(route: Route) -> Page:
        async def answered(request: Request) -> Response:
            services = await services_of(request)
            try:
                if method == "POST":
                    _require_own_page(request, services)
                return await route(request, services)
            except Exception as exc:  # noqa: BLE001  (the last resort of pages, as that of the API)
                return _trouble(request, told(exc, request.scope, services.settings.limits.retry_after_seconds))

        return Page(method, path, answered)

    return made


def shown(request: Request, template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    """A page that nobody else may see."""
    return HTMLResponse(render(template, request.url.path, **values), status, PRIVATE)


def see_other(location: str) -> RedirectResponse:
    """After a change. `location` is relative: a proxy may have put the service below a path."""
    return RedirectResponse(location, 303, PRIVATE)


def sign_in_page(request: Request, path: str, *, said: str = "", status: int = 200) -> HTMLResponse:
    """`path`: where to go afterwards; `said`: why it did not work.

    Browsers leave the cookie (SameSite=Strict) out of a request that follows a link of another site, but not out of the
    next one, which is our own page's: so the page asks once more by itself.
    """
    foreign = request.headers.get("sec-fetch-site") == "cross-site" and "again" not in request.query_params
    return shown(request, "sign_in.html", status=status, next=way_back(path), said=said, again=foreign)


def way_back(path: str) -> str:
    """Where somebody goes after signing in: to a page of ours, relative to the service's address."""
    return path if _PLACES.fullmatch(path) else "jobs/"


def _require_own_page(request: Request, services: Services) -> None:
    """Raises Refused."""
    if not is_same_origin(request.headers, services.settings.server.public_urls):
        raise Refused("This was asked for by another site, so nothing was done.", 403)


def _trouble(request: Request, error: ApiError) -> Response:
    if isinstance(error, SignInNeeded):
        answer: Response = sign_in_page(request, request.url.path[1:], status=error.status)
    else:
        answer = shown(request, "message.html", status=error.status, said=error.body().get("error", str(error)))
    answer.headers.update(error.headers())
    return answer
