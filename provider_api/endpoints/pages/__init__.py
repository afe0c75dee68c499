"""Pages for people, at `/`, `/jobs/` and `/data/`: thin routes like those of the API, whose functions they call."""

from __future__ import annotations

from typing import Final

from starlette.applications import Starlette

from provider_api.endpoints.pages import data, jobs, session, static
from provider_api.endpoints.pages.page import Page

PAGES: Final[tuple[Page, ...]] = (
    static.folder("jobs"),
    static.folder("data"),
    static.static_file,
    session.sign_in_text,
    session.sign_in,
    session.sign_out,
    jobs.jobs,
    jobs.token,
    jobs.job,
    jobs.file,
    jobs.stop,
    jobs.delete,
    data.data,
    data.release,
    data.release_file,
    data.statement,
)


def add_pages(app: Starlette) -> None:
    """On the application's own router, as the API's routes are; the page at `/` is chosen by the route of the API."""
    for each in PAGES:
        app.add_route(each.path, each.route, methods=[each.method], include_in_schema=False)
