"""Digits are ASCII; and nobody asks `str.isdigit` alone, which says yes to what `int` refuses."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocean.kit.digits import int64, is_digits
from tests.support.tables import ROOT

pytestmark = pytest.mark.unit

PACKAGES = ("ocean", "contract", "results", "pods", "workflow_templates", "argo", "provider_api")
LOOSE = {"isdigit", "isdecimal", "isnumeric"}
DIGIT_CLASS = re.compile(r"(?<!\\)(?:\\\\)*\\d")


@given(st.text() | st.from_regex(r"\d+") | st.from_regex(r"[0-9]+"))
def test_what_are_digits_can_be_read(text: str) -> None:
    if is_digits(text):
        assert text.isascii()
        if len(text) < 4000:
            int(text)


@pytest.mark.parametrize(
    ("text", "number"),
    [("0", 0), ("-5", -5), ("+5", 5), ("007", 7), ("9223372036854775807", 2**63 - 1),
     ("-9223372036854775808", -(2**63)),
     ("9223372036854775808", None), ("9" * 5000, None), ("--5", None), ("²", None), ("٣", None), ("1_0", None),
     (" 5", None), ("5\n", None), ("", None), ("-", None), ("1e3", None)],
)  # fmt: skip
def test_numbers_are_those_of_go(text: str, number: int | None) -> None:
    assert int64(text) == number


SOURCES = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]


def loose_calls(tree: ast.AST) -> Iterator[int]:
    """Lines of `x.isdigit()` that are not one condition with `x.isascii()`."""
    guarded = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.BoolOp) and isinstance(node.op, ast.And):
            calls = [
                part for part in node.values if isinstance(part, ast.Call) and isinstance(part.func, ast.Attribute)
            ]
            ascii_only = {ast.dump(c.func.value) for c in calls if c.func.attr == "isascii"}  # type: ignore[attr-defined]
            guarded |= {id(c) for c in calls if ast.dump(c.func.value) in ascii_only}  # type: ignore[attr-defined]
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in LOOSE:
            call = next((n for n in ast.walk(tree) if isinstance(n, ast.Call) and n.func is node), None)
            if call is None or id(call) not in guarded:
                yield node.lineno


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_source_asks_for_digits_loosely(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    assert list(loose_calls(tree)) == [], "use ocean.kit.digits"
    lines = text.splitlines()
    classes = [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and DIGIT_CLASS.search(node.value)
        if "re.ASCII" not in lines[node.lineno - 1]
    ]
    assert classes == [], r"write [0-9]: \d also matches digits that int() reads and other programs do not"


@pytest.mark.parametrize(
    "source", ["x.isdigit()", "x.isascii() or x.isdigit()", "y.isascii() and x.isdigit()", "f(str.isdigit)"]
)
def test_the_rule_sees(source: str) -> None:
    assert list(loose_calls(ast.parse(source)))


def test_the_rule_lets_pass() -> None:
    assert not list(loose_calls(ast.parse("x.isascii() and x.isdigit() and len(x) < 9")))
