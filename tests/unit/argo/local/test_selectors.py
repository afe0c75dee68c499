"""Label selectors: what they accept, and what they match."""

from __future__ import annotations

import pytest

from argo.local.errors import ApiError
from argo.local.selectors import parse_labels

pytestmark = pytest.mark.unit

LABELS = {"a": "1", "b/c.d": "x", "n": "7"}


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("", True),
        ("a=1", True),
        ("a==1", True),
        ("a=2", False),
        ("a!=1", False),
        ("a!=2", True),
        ("missing!=2", True),
        ("a in (1,2)", True),
        ("a in (2, 3)", False),
        ("a notin (1)", False),
        ("missing notin (1)", True),
        ("b/c.d", True),
        ("!b/c.d", False),
        ("missing", False),
        ("!missing", True),
        ("n>6", True),
        ("n<7", False),
        ("a=1,b/c.d=x,n>1", True),
        ("a=1,b/c.d=y", False),
        ("empty=", False),
    ],
)
def test_matches(text: str, matches: bool) -> None:
    assert all(item.matches(LABELS) for item in parse_labels(text)) is matches


@pytest.mark.parametrize("text", ["a=(b", "a in 1", "a in (1", "=1", "a=1,", "n>x", "a=1 b=2", "a!"])
def test_refuses(text: str) -> None:
    with pytest.raises(ApiError) as refused:
        parse_labels(text)
    assert refused.value.status == 400
