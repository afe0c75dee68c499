"""Documentation that leads somewhere and says what is: links, names of settings, statuses; generated pages."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest
import typer

from contract.argo_releases import RELEASES
from provider_api.cli import app
from provider_api.cli.settings_page import settings_page
from provider_api.doctor.checks import ITEMS
from provider_api.endpoints.operations import OPERATIONS
from provider_api.jobs.status import TEXTS, Reason
from provider_api.openapi import document_text
from provider_api.settings import known_names
from records.decision import REFUSED, RELEASED
from records.trust import TRUSTED, WITHDRAWN

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[2]
HOW_TO = ROOT / "docs" / "how-to"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), *sorted((ROOT / "examples").rglob("*.md"))]


_READ_THE_ENVIRONMENT = ("contract/conftest.py", "support/deployed.py", "support/service.py")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)", page.read_text())
    missing = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_settings_that_are_named_exist(page: Path) -> None:
    """A setting of the service, what the tests of a deployment read, or an owner's verdict."""
    tests = "".join((ROOT / "tests" / path).read_text() for path in _READ_THE_ENVIRONMENT)
    of_tests = set(re.findall(r"os\.environ(?:\.get\(|\[)\"(C2D_[A-Z0-9_]+)", tests))
    assert len(of_tests) == 7
    named = {name.removesuffix("__") for name in re.findall(r"\bC2D_[A-Z][A-Z0-9_]*", page.read_text())}
    assert named <= {*known_names(), *of_tests, RELEASED, REFUSED, TRUSTED, WITHDRAWN}


def test_every_how_to_is_on_the_first_page() -> None:
    readme = (ROOT / "README.md").read_text()
    assert [page.name for page in HOW_TO.glob("*.md") if f"docs/how-to/{page.name})" not in readme] == []


def test_the_tables_of_statuses_and_reasons_are_complete() -> None:
    text = (HOW_TO / "consume.md").read_text()
    rows = {int(number): name for number, name in re.findall(r"^\| (\d+) \| (.+?) \|", text, re.MULTILINE)}
    assert rows == TEXTS
    cells = re.findall(r"^\| ((?:`[a-z_]+`(?:, )?)+) \| (\d+) \|", text, re.MULTILINE)
    reasons = {reason for cell, number in cells if int(number) in TEXTS for reason in re.findall(r"[a-z_]+", cell)}
    assert reasons == set(get_args(Reason)) - {""}


def test_each_line_of_the_doctor_is_explained() -> None:
    rows = re.findall(r"^\| `([a-z-]+)` \| (.{20,}) \| (.+) \|$", (HOW_TO / "doctor.md").read_text(), re.MULTILINE)
    assert [name for name, _, _ in rows] == [item.name for item in ITEMS]


def test_the_doctors_options_are_those_that_it_has() -> None:
    table = [line for line in (HOW_TO / "doctor.md").read_text().splitlines() if line.startswith("| `--")]
    named = {option for line in table for option in re.findall(r"`(--[a-z-]+)`", line.split("|")[1])}
    command = typer.main.get_command(app).commands["doctor"]  # type: ignore[attr-defined]
    assert named == {option for parameter in command.params for option in parameter.opts}


def test_the_page_of_settings_is_what_the_settings_say() -> None:
    assert (ROOT / "docs" / "reference" / "settings.md").read_text() == settings_page(), "run: make render"


def test_the_openapi_file_is_what_the_service_says() -> None:
    assert (ROOT / "docs" / "reference" / "openapi.json").read_text() == document_text(OPERATIONS), "run: make render"


def test_the_page_of_argos_releases_has_all_of_them() -> None:
    """A difference stands in the table where the data have one, and the newest release has none."""
    text = (ROOT / "docs" / "reference" / "argo-releases.md").read_text()
    rows = re.findall(r"^\| (4\.\d+) \| (v[\d.]+) \| (.+) \| (.+) \| (.+) \| (.+) \|$", text, re.MULTILINE)
    assert [row[:2] for row in rows] == [(release.name, release.tried) for release in reversed(RELEASES)]
    for release, row in zip(reversed(RELEASES), rows, strict=True):
        facts = (
            release.pending_timeout,
            release.stop_waits_for_exit_handler,
            release.stops_what_waits,
            release.connects_to_archive_again is RELEASES[-1].connects_to_archive_again,
        )
        assert [cell == newest for cell, newest in zip(row[2:], rows[0][2:], strict=True)] == list(facts)
