"""The documentation site is built without a warning, needs nothing from elsewhere, and its pictures are those drawn."""

from __future__ import annotations

import html.parser
import logging
import re
import warnings
from pathlib import Path

import pytest
from mkdocs.commands.build import build
from mkdocs.config import load_config

from tools.site import pictures

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[3]
# What a browser fetches by itself. Links that a reader follows may lead elsewhere.
FETCHED = {"script": "src", "img": "src", "link": "href", "iframe": "src", "source": "src", "object": "data"}
OUTSIDE = re.compile(r"(?:https?:)?//")


class Fetches(html.parser.HTMLParser):
    """`addresses`: what a page makes a browser fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if (value := dict(attrs).get(FETCHED.get(tag, ""))) is not None:
            self.addresses.append(value)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As `make docs` builds it: each warning of MkDocs is an error."""
    folder = tmp_path_factory.mktemp("site")
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of MkDocs' own code
        patch.setenv("NO_MKDOCS_2_WARNING", "1")
        config = load_config(str(ROOT / "mkdocs.yml"), site_dir=str(folder))
        assert config.strict
        logging.getLogger("mkdocs").setLevel(logging.WARNING)
        config.plugins.on_startup(command="build", dirty=False)
        build(config)
    return folder


def test_every_page_is_in_it(site: Path) -> None:
    for page in (ROOT / "docs").rglob("*.md"):
        place = page.relative_to(ROOT / "docs").with_suffix(".html")
        assert (site / place).is_file(), place
    assert "computeStart" in (site / "api" / "docs" / "index.html").read_text()
    assert (site / "search" / "search_index.json").stat().st_size > 100_000


def test_files_of_the_project_that_pages_name_are_in_it(site: Path) -> None:
    rules = site / "source" / "provider_api" / "access" / "rules.py.txt"
    assert rules.read_bytes() == (ROOT / "provider_api" / "access" / "rules.py").read_bytes()
    assert 'href="source/provider_api/access/rules.py.txt"' in (site / "map.html").read_text()


def test_nothing_is_fetched_from_elsewhere(site: Path) -> None:
    for page in site.rglob("*.html"):
        fetches = Fetches()
        fetches.feed(page.read_text(encoding="utf-8"))
        assert [each for each in fetches.addresses if OUTSIDE.match(each)] == [], page
    for sheet in site.rglob("*.css"):
        assert re.findall(r"url\(\s*[\"']?(?:https?:)?//[^)]*\)|@import", sheet.read_text(encoding="utf-8")) == [], (
            sheet
        )


def test_the_pictures_are_as_they_are_drawn() -> None:
    found = {path.name: path.read_text(encoding="utf-8") for path in pictures.FOLDER.glob("*.svg")}
    assert found == pictures.drawn(), "run: make render"


@pytest.mark.parametrize("name", pictures.PICTURES)
def test_texts_fit_into_their_boxes(name: str) -> None:
    picture = pictures.PICTURES[name]
    for part in picture.parts:
        if isinstance(part, pictures.Box):
            assert part.holds_its_text(), part.lines
            assert part.x + part.width <= picture.width
            assert part.y + part.height <= picture.height
