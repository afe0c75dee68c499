"""Tables that lead from a rule to its tests: which of the named tests are not there."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@cache
def _functions(file: str) -> frozenset[str]:
    """Names of the functions of a file below tests/; none if the file is not there."""
    path = ROOT / "tests" / file
    if not path.is_file():
        return frozenset()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def missing_tests(tests: Iterable[str]) -> list[str]:
    """Of tests named as `unit/…/test_file.py::test_name`, the ones that do not exist."""
    named = [(test, *test.partition("::")[::2]) for test in tests]
    return [test for test, file, name in named if name not in _functions(file)]
