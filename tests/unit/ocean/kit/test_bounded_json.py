"""A stranger's JSON is small, flat, and JSON."""

from __future__ import annotations

import json

import pytest

from ocean.kit.bounded_json import MAX_DEPTH, MAX_VALUES, JsonUnbounded, levels, no_constant, read_bounded

pytestmark = pytest.mark.unit


def nested(depth: int) -> str:
    return "[" * depth + "]" * depth


def test_what_is_read() -> None:
    assert read_bounded(b'{"a": [1, 2.5, null]}') == {"a": [1, 2.5, None]}
    assert read_bounded(nested(MAX_DEPTH))


@pytest.mark.parametrize(
    "text", [nested(MAX_DEPTH + 2), nested(100_000), json.dumps([0] * MAX_VALUES), "1e999", "NaN", '{"a": [-Infinity]}']
)
def test_what_is_too_much(text: str) -> None:
    with pytest.raises(JsonUnbounded):
        read_bounded(text)


@pytest.mark.parametrize("text", ["", "{", b"\xff", "'a'"])
def test_what_is_no_json(text: str | bytes) -> None:
    with pytest.raises(ValueError, match=r".") as raised:
        read_bounded(text)
    assert not isinstance(raised.value, JsonUnbounded)


@pytest.mark.parametrize("text", ["NaN", "[-Infinity]"])
def test_constants_that_only_python_has(text: str) -> None:
    with pytest.raises(ValueError, match="not JSON"):
        json.loads(text, parse_constant=no_constant)


def test_levels() -> None:
    value = {"a": [1, {"b": 2}], "c": "d"}
    assert list(levels(value, max_depth=3)) == [[value], [[1, {"b": 2}], "d"], [1, {"b": 2}], [2]]
    named = list(levels(value, max_depth=3, with_names=True))
    assert named == [[value], [[1, {"b": 2}], "d", "a", "c"], [1, {"b": 2}], [2, "b"]]
    with pytest.raises(JsonUnbounded, match="deeply"):
        list(levels(value, max_depth=2))
