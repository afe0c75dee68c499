"""One rule for what comes as a value or as its JSON text."""

from __future__ import annotations

from typing import Any

import pytest

from ocean.kit.object_or_text import TextIsNotJson, object_or_text

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("value", [None, {}, {"a": "{}"}, [1], 7, True, 1.5])
def test_what_is_no_text_stays(value: Any) -> None:
    assert object_or_text(value) is value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("null", None),
        ("{}", {}),
        (' {"a": [1]}\n', {"a": [1]}),
        ("[]", []),
        ("7", 7),
        ('""', ""),
        ('"{}"', "{}"),
    ],
)
def test_a_text_stands_for_its_value(text: str, value: Any) -> None:
    assert object_or_text(text) == value


@pytest.mark.parametrize("text", [" ", "{", "a", "\u00a0{}", "[" * 100_000])
def test_other_text(text: str) -> None:
    with pytest.raises(TextIsNotJson):
        object_or_text(text)
