"""The table of the protocol's rules and weaknesses (tests/protocol_rows.toml): every row has tests, and they exist."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parents[2]
TABLE = ROOT / "tests" / "protocol_rows.toml"


def rows() -> list[tuple[str, str, list[str]]]:
    """(section, rule, tests) of every row."""
    sections = tomllib.loads(TABLE.read_text(encoding="utf-8"))["section"]
    return [(section["name"], rule, tests) for section in sections for rule, tests in section["rows"].items()]


def functions(path: Path) -> set[str]:
    """Names of the test functions of a file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_every_row_has_a_test() -> None:
    assert [f"{section}: {rule}" for section, rule, tests in rows() if not tests] == []


def test_every_named_test_exists() -> None:
    known: dict[str, set[str]] = {}
    missing = []
    for _, _, tests in rows():
        for test in tests:
            file, _, name = test.partition("::")
            path = ROOT / "tests" / file
            if file not in known:
                known[file] = functions(path) if path.is_file() else set()
            if name not in known[file]:
                missing.append(test)
    assert missing == []
