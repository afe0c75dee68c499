"""What every page says to the browser: nothing from elsewhere, nothing inline, no frame, no cache."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest

from provider_api.endpoints.pages import PAGES
from tests.support.provider_neighbours import World
from tests.support.signing_in import signed_in

pytestmark = pytest.mark.unit

HTML = {"accept": "text/html"}
JOB = "0" * 32


def pages() -> list[str]:
    paths = [each.path for each in PAGES if each.method == "GET" and each.path not in ("/jobs", "/data")]
    names = {"{name}": "style.css", "{job_id}": JOB, "{index}": "0"}
    filled = ["/"]
    for path in paths:
        for part, value in names.items():
            path = path.replace(part, value)
        filled.append(path)
    return filled


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("path", pages())
async def test_headers(path: str, signed: bool, world: World) -> None:
    if signed:
        await signed_in(world.http, world.consumer)
    answer = await world.http.get(path, headers=HTML)
    policy = answer.headers["content-security-policy"]
    assert "unsafe" not in policy
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
    assert "frame-ancestors 'none'" in policy
    assert "base-uri 'none'" in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "same-origin"
    private = path.startswith(("/jobs/", "/data/"))
    assert (answer.headers["cache-control"] == "no-store") is private
    assert "access-control-allow-credentials" not in answer.headers
    if answer.headers["content-type"].startswith("text/html"):
        assert not re.search(r"<script(?![^>]* src=)|<style|\sstyle=|\son[a-z]+=|javascript:", answer.text)
        links = re.findall(r'(?:href|src|action)="([^"]*)"', answer.text)
        assert links
        assert [link for link in links if link.startswith(("/", "http"))] == [], "all are relative"


async def test_files_of_the_pages(world: World) -> None:
    for name, media in (("style.css", "text/css"), ("pages.js", "text/javascript"), ("icon.svg", "image/svg+xml")):
        answer = await world.http.get(f"/pages/{name}")
        assert (answer.status_code, answer.headers["content-type"].split(";")[0]) == (200, media)
    for name in ("../words.py", "words.py", "x"):
        assert (await world.http.get(f"/pages/{name}")).status_code == 404


async def test_folders_lead_to_their_pages(world: World) -> None:
    for name in ("jobs", "data"):
        answer = await world.http.get(f"/{name}")
        assert (answer.status_code, answer.headers["location"]) == (308, f"{name}/")


def test_the_script_is_short() -> None:
    script = files("provider_api.pages").joinpath("static", "pages.js").read_text()
    assert len(script.splitlines()) <= 200
    for word in ("innerHTML", "insertAdjacentHTML", "document.write", "eval(", "outerHTML"):
        assert word not in script


def test_nothing_in_a_template_is_marked_as_safe() -> None:
    for template in files("provider_api.pages").joinpath("templates").iterdir():
        assert "safe" not in re.findall(r"\|\s*(\w+)", template.read_text()), template.name
        assert "autoescape" not in template.read_text()
