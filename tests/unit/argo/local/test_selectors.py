"""Label selectors: what they accept, and what they match."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from argo.local.errors import ApiError
from argo.local.workflows.rows import Row, _where
from argo.local.workflows.selectors import parse_labels
from argo.local.workflows.store import Store
from ocean.kit.digits import int64

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


@pytest.mark.parametrize("text", ["a=(b", "a in 1", "a in (1", "=1", "a=1,", "n>x", "a=1 b=2", "a!",
     "a>²", "a<٣", "a>--5", "a>",
     "a>" + "9" * 5000, "a<9223372036854775808", "a>1_0", "a>1.5", "a>(1", ",", ",,", "!", "a in ()", "a notin", "(",
     "a,," , "x," * 2000 + "x", "x in (" + "y," * 2000 + "y)"],
)  # fmt: skip
def test_refuses(text: str) -> None:
    with pytest.raises(ApiError) as refused:
        parse_labels(text)
    assert refused.value.status == 400


@given(
    st.text(st.sampled_from("ab²٣0129-+_.<>=!(), \t\0in") | st.characters(codec="utf-8"), max_size=12),
    st.text(max_size=6),
)
def test_whatever_is_asked_is_answered_or_refused_with_400(text: str, value: str) -> None:
    with closing(sqlite3.connect(":memory:")) as db:
        db.execute("CREATE TABLE workflow (id INTEGER PRIMARY KEY, name TEXT, finished INTEGER)")
        db.execute("CREATE TABLE label (id INTEGER, key TEXT, value TEXT)")
        db.create_function("int64", 1, lambda stored: int64(stored))
        try:
            wanted = parse_labels(text)
        except ApiError as refused:
            seen = refused.status
        else:
            where, values = _where(wanted, ())
            db.execute(f"SELECT id FROM workflow WHERE {where}", values)  # noqa: S608
            all(item.matches({"a": value, "b": "-7"}) for item in wanted)
            seen = 400
    assert seen == 400


@pytest.mark.parametrize("value", ["5", "-5", "--5", "5abc", "²", "", "9" * 30, "+7", "0x5", "1_0"])
@pytest.mark.parametrize("selector", ["n>4", "n<4", "n>-9"])
def test_the_database_compares_numbers_as_the_selector_does(tmp_path: Path, value: str, selector: str) -> None:
    with Store(tmp_path) as store:
        store.insert(Row("a", "u", 1.0, {"n": value}, {}, {}, {}), {}, {"name": "", "spec": {}})
        with closing(store.reader()) as reader:
            found, _ = reader.select(parse_labels(selector), (), limit=0, offset=0)
    assert bool(found) == all(item.matches({"n": value}) for item in parse_labels(selector))
