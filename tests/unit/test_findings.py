"""What was found wrong under real conditions (tests/findings.toml): each entry is held by tests or decided."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest

from tests.support.tables import ROOT, missing_tests

pytestmark = pytest.mark.unit

TABLE: dict[str, dict[str, Any]] = tomllib.loads((ROOT / "tests" / "findings.toml").read_text(encoding="utf-8"))


def test_entries_have_the_known_fields() -> None:
    known = {"severity", "right", "tests", "decision", "open"}
    assert {name: sorted(entry.keys() - known) for name, entry in TABLE.items() if entry.keys() - known} == {}
    assert {entry["severity"] for entry in TABLE.values()} <= {"A", "B", "C", "D"}


def test_every_entry_has_tests_or_a_decision_or_says_what_is_open() -> None:
    held = ("tests", "decision", "open")
    assert [name for name, entry in TABLE.items() if not any(entry.get(kind) for kind in held)] == []


def test_every_named_test_exists() -> None:
    assert missing_tests(test for entry in TABLE.values() for test in entry["tests"]) == []


def test_every_named_decision_exists() -> None:
    pages = [entry["decision"] for entry in TABLE.values() if "decision" in entry]
    assert [page for page in pages if not (ROOT / page).is_file()] == []
