"""Documentation that leads somewhere: every relative link of the pages points to something that exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from provider_api.cli.settings_page import settings_page
from provider_api.openapi import document_text

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), *sorted((ROOT / "examples").rglob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)", page.read_text())
    missing = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert missing == []


def test_the_page_of_settings_is_what_the_settings_say() -> None:
    assert (ROOT / "docs" / "reference" / "settings.md").read_text() == settings_page(), "run: make render"


def test_the_openapi_file_is_what_the_service_says() -> None:
    assert (ROOT / "docs" / "reference" / "openapi.json").read_text() == document_text(), "run: make render"
