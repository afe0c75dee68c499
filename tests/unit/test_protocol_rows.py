"""The table of the protocol's rules and weaknesses (tests/protocol_rows.toml): every row has tests, and they exist."""

from __future__ import annotations

import tomllib

import pytest

from tests.support.tables import ROOT, missing_tests

pytestmark = pytest.mark.unit

TABLE = ROOT / "tests" / "protocol_rows.toml"


def rows() -> list[tuple[str, str, list[str]]]:
    """(section, rule, tests) of every row."""
    sections = tomllib.loads(TABLE.read_text(encoding="utf-8"))["section"]
    return [(section["name"], rule, tests) for section in sections for rule, tests in section["rows"].items()]


def test_every_row_has_a_test() -> None:
    assert [f"{section}: {rule}" for section, rule, tests in rows() if not tests] == []


def test_every_named_test_exists() -> None:
    assert missing_tests(test for _, _, tests in rows() for test in tests) == []
