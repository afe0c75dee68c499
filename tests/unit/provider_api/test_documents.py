"""What is taken for the JSON document of a request."""

from __future__ import annotations

import pytest

from provider_api.calls.parameters import MAX_DEPTH, MAX_PARTS, NumberText, parse_json
from provider_api.http.errors import Refused

pytestmark = pytest.mark.unit


def nested(levels: int) -> bytes:
    return b"[" * levels + b"]" * levels


def test_numbers_keep_their_digits() -> None:
    assert parse_json(b'{"a": 1.50, "b": 12345678901234567890}') == {"a": NumberText("1.50"), "b": 12345678901234567890}


def test_as_deep_and_as_large_as_allowed() -> None:
    assert parse_json(nested(MAX_DEPTH)) is not None
    assert parse_json(b"[0" + b",0" * (MAX_PARTS - 1) + b"]") is not None


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"NaN", b"[-Infinity]"])
def test_broken_documents_are_none(body: bytes) -> None:
    assert parse_json(body) is None


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (nested(MAX_DEPTH + 1), "nested too deep"),
        (nested(100_000), "nested too deep"),
        (b"[0" + b",0" * MAX_PARTS + b"]", "too many parts"),
        (b'{"a": ["\\ud800"]}', "not valid Unicode"),
        (b'{"\\ud800": 1}', "not valid Unicode"),
    ],
)
def test_what_cannot_be_worked_with(body: bytes, text: str) -> None:
    with pytest.raises(Refused, match=text):
        parse_json(body)
