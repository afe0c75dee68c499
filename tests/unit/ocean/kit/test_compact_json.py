"""Compact JSON is written in one place."""

from __future__ import annotations

import ast

import pytest

from ocean.kit.compact_json import compact_json, compact_utf8
from tests.support.tables import ROOT

pytestmark = pytest.mark.unit

PACKAGES = ("ocean", "contract", "results", "pods", "workflow_templates", "argo", "provider_api")
# The bytes that others have published are made again, in several ways.
MAY_CHOOSE = {"ocean/kit/compact_json.py", "ocean/chain/store.py"}
VALUE = {"b": [1, 2.5, None, True], "a": "é"}


def test_what_it_looks_like() -> None:
    assert compact_json(VALUE) == r'{"b":[1,2.5,null,true],"a":"\u00e9"}'
    assert compact_utf8(VALUE).decode() == '{"b":[1,2.5,null,true],"a":"é"}'
    assert compact_utf8(VALUE, sort_keys=True).decode() == '{"a":"é","b":[1,2.5,null,true]}'


def test_half_a_surrogate_pair_has_escapes_only() -> None:
    assert compact_json("\ud800").encode() == rb'"\ud800"'
    with pytest.raises(UnicodeEncodeError):
        compact_utf8("\ud800")


def test_nobody_else_chooses_separators() -> None:
    found = {
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.keyword) and node.arg == "separators"
    }
    assert found == MAY_CHOOSE
