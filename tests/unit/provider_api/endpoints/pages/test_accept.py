"""Who gets the page at `/`, and who the JSON of clients."""

from __future__ import annotations

import pytest
from starlette.datastructures import Headers

from provider_api.endpoints.pages.home import prefers_html
from tests.support.provider_neighbours import World

pytestmark = pytest.mark.unit

CHROME = (
    "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8,"
    "application/signed-exchange;v=b3;q=0.7"
)
BROWSERS = {
    "chrome": CHROME,
    "firefox": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "lynx": "text/html, text/plain, text/sgml, text/css, application/xhtml+xml, */*;q=0.01",
    "only": "text/html",
    "letters": "Text/HTML; Q=0.9, */*; q=0.1",
}
CLIENTS = {
    "nothing": None,
    "empty": "",
    "curl, cross-fetch, ocean.py": "*/*",
    "axios": "application/json, text/plain, */*",
    "json": "application/json",
    "both alike": "text/html, application/json",
    "anything alike": "text/html, */*",
    "json better": "text/html;q=0.8, application/json",
    "not html": "text/html;q=0, */*",
    "unreadable": "text/html;q=much, */*;q=0.1",
    "text": "text/plain",
    "any text": "text/*",
}


@pytest.mark.parametrize("name", BROWSERS)
def test_browsers(name: str) -> None:
    assert prefers_html(Headers({"accept": BROWSERS[name]}))


@pytest.mark.parametrize("name", CLIENTS)
async def test_clients_get_what_they_always_got(name: str, world: World) -> None:
    accept = CLIENTS[name]
    headers = {} if accept is None else {"accept": accept}
    answer = await world.http.get("/", headers=headers)
    plain = await world.http.get("/", headers={"accept": "*/*"})
    assert answer.content == plain.content
    assert answer.headers["content-type"] == "application/json"
    assert "vary" not in answer.headers


async def test_the_page(world: World) -> None:
    answer = await world.http.get("/", headers={"accept": CHROME})
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["vary"] == "Accept"
    assert "small" in answer.text
    assert "2.5 <small>tokens per minute" in answer.text
    world.argo.away = True
    world.services.environments._snapshot = None
    away = await world.http.get("/", headers={"accept": CHROME})
    assert (away.status_code, "does not answer at the moment" in away.text) == (200, True)
