"""Each refusal of the verifier is needed: with any one of them taken out, some case of the tables is judged wrongly."""

from __future__ import annotations

import ast
import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import pytest

from tests.support.clients import ROOT
from tests.support.passports import SIGNER, passport_bytes
from tests.unit.records.test_verify import BROKEN_ENVELOPES, FILES, UNVERIFIED

pytestmark = pytest.mark.unit

MODULES = ("statement", "envelope", "passport", "verify")
REFUSALS = ("StatementInvalid", "NotVerified")
# Taken out, nothing is judged otherwise: an order without a number in its passport is only met when a chain is asked,
# which tests/integration/service/test_passport.py does; what is larger than 64 MiB is refused to spare memory.
NOT_IN_THE_TABLES = {"verify.py: agreed_order", "verify.py: require_paid", "statement.py: read_object: larger"}


def path_of(module: str) -> Path:
    return ROOT / "records" / f"{module}.py"


class _Refusals(ast.NodeVisitor):
    """Where the module refuses something, by function and by the beginning of what is said."""

    def __init__(self) -> None:
        self.found: list[tuple[str, int]] = []
        self._function = ""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._function = node.name
        self.generic_visit(node)

    def visit_Raise(self, node: ast.Raise) -> None:
        call = node.exc
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in REFUSALS:
            self.found.append((self._function, node.lineno))


def mutants() -> Iterator[tuple[str, int, str]]:
    """Module, line of the refusal that is taken out, and its name."""
    for module in MODULES:
        visitor = _Refusals()
        visitor.visit(ast.parse(path_of(module).read_text()))
        for function, line in visitor.found:
            yield module, line, f"{module}.py: {function}"


class _Without(ast.NodeTransformer):
    def __init__(self, line: int) -> None:
        self._line = line

    def visit_Raise(self, node: ast.Raise) -> ast.stmt:
        return ast.copy_location(ast.Pass(), node) if node.lineno == self._line else node


@contextmanager
def mutated(module: str, line: int) -> Iterator[ModuleType]:
    """The verifier, with the refusal in that line taken out, as modules of their own."""
    names = [f"records.{each}" for each in MODULES]
    kept = {name: sys.modules.pop(name) for name in names if name in sys.modules}
    try:
        for each, name in zip(MODULES, names, strict=True):
            made = ModuleType(name)
            made.__file__ = str(path_of(each))
            sys.modules[name] = made
            tree = ast.parse(path_of(each).read_text())
            tree = ast.fix_missing_locations(_Without(line).visit(tree)) if each == module else tree
            exec(compile(tree, str(path_of(each)), "exec"), made.__dict__)  # noqa: S102
        yield sys.modules["records.verify"]
    finally:
        for name in names:
            sys.modules.pop(name, None)
        sys.modules.update(kept)


def first_wrong(verifier: ModuleType) -> str:
    """The first case of the tables that is not judged as it should be; "" if there is none."""

    def refused(rule: int, judge: object) -> bool:
        try:
            judge()  # type: ignore[operator]
        except Exception as exc:  # noqa: BLE001  a mutant may fail in any way
            return type(exc).__name__ == "NotVerified" and getattr(exc, "rule", 0) == rule
        return False

    for what, (rule, encoded) in BROKEN_ENVELOPES.items():
        if not refused(rule, lambda encoded=encoded: verifier.read_passport(encoded)):
            return what
    good = verifier.read_passport(passport_bytes())
    for what, (rule, files, trusted) in UNVERIFIED.items():
        if not refused(rule, lambda files=files, trusted=trusted: verifier.verify(good, files, trusted)):
            return what
    return "" if verifier.verify(good, FILES, [SIGNER]).signer == SIGNER else "good"


MUTANTS = list(mutants())


@pytest.mark.parametrize(("module", "line", "name"), MUTANTS, ids=[f"{name}:{line}" for _, line, name in MUTANTS])
def test_without_one_refusal_something_is_judged_wrongly(module: str, line: int, name: str) -> None:
    with mutated(module, line) as verifier:
        wrong = first_wrong(verifier)
    text = path_of(module).read_text().splitlines()[line - 1]
    excused = name in NOT_IN_THE_TABLES or (f"{name}: larger" in NOT_IN_THE_TABLES and "larger" in text)
    assert bool(wrong) != excused, wrong or text.strip()


def test_as_it_is_nothing_is_judged_wrongly() -> None:
    assert first_wrong(importlib.import_module("records.verify")) == ""
    assert len(MUTANTS) >= 20
