"""Values as HTML forms and JavaScript libraries send them, for every type of parameter."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocean.form_values import ValueUnreadable, read_value
from ocean.parameters import ParameterRefused, completed, problems, so_far

pytestmark = pytest.mark.unit

OPTIONS = ("a", "1", "two words", "2.5", "true")
REFUSED = ValueUnreadable
NOT_GIVEN = (None, [], [None], {"value": None}, {"value": None, "label": ""})

READ: dict[str, list[tuple[Any, Any]]] = {
    "text": [
        ("v", "v"), ("", ""), (" ", " "), ("null", "null"), (12, "12"), (1.5, "1.5"), (True, "true"), (False, "false"),
        (["v"], "v"), ({"value": "v", "label": "V"}, "v"), (["a", "b"], REFUSED), ({"a": 1}, REFUSED), (0, "0"),
        (math.inf, REFUSED), ([""], ""),
    ],
    "number": [
        (12, 12), (0, 0), (-1, -1), (1.5, 1.5), ("12", 12), (" 12 ", 12), ("-3", -3), ("+4", 4), ("1.5", 1.5),
        (".5", 0.5), ("5.", 5.0), ("1e3", 1000.0), ("0", 0), ("007", 7), ("\u00a012\n", 12), (["12"], 12),
        ([7], 7), ({"value": "3", "label": "three"}, 3), ("9" * 30, int("9" * 30)), ("", None), ("  ", None),
        ("null", None), ("undefined", None), ([""], None), ("1,5", REFUSED), ("1 000", REFUSED), ("12px", REFUSED),
        ("NaN", REFUSED), ("Infinity", REFUSED), ("inf", REFUSED), ("1e999", REFUSED), ("0x10", REFUSED),
        ("1_000", REFUSED), ("²", REFUSED), ("١٢", REFUSED), (math.nan, REFUSED), (math.inf, REFUSED),
        (True, REFUSED), (False, REFUSED), ([1, 2], REFUSED), ({"a": 1}, REFUSED), ("9" * 5000, REFUSED),
    ],
    "boolean": [
        (True, True), (False, False), ("true", True), ("false", False), ("True", True), ("FALSE", False), ("on", True),
        ("off", False), ("yes", True), ("no", False), ("1", True), ("0", False), (1, True), (0, False), (" on ", True),
        (["on"], True), ([False], False), ({"value": True}, True), ("", None), (" ", None), ("undefined", None),
        ("null", None), ("maybe", REFUSED), ("2", REFUSED), (2, REFUSED), (0.5, REFUSED), ([True, False], REFUSED),
        ({"on": True}, REFUSED),
    ],
    "select": [
        ("a", "a"), (" a ", "a"), (["a"], "a"), ({"value": "a", "label": "A"}, "a"), ([{"value": "a"}], "a"), (1, "1"),
        (1.0, "1"), ("two words", "two words"), (2.5, "2.5"), (True, "true"), ("", None), (" ", None), ("null", None),
        ("undefined", None), ("b", REFUSED), ("A", REFUSED), (3, REFUSED), (["a", "1"], REFUSED), ({"a": 1}, REFUSED),
        (False, REFUSED),
    ],
}  # fmt: skip
CASES = [(kind, value, expected) for kind, rows in READ.items() for value, expected in rows]
CASES += [(kind, value, None) for kind in READ for value in NOT_GIVEN]


@pytest.mark.parametrize(("kind", "value", "expected"), CASES)
def test_what_is_read(kind: str, value: Any, expected: Any) -> None:
    before = repr(value)
    if expected is REFUSED:
        with pytest.raises(ValueUnreadable):
            read_value(kind, value, OPTIONS)
    else:
        found = read_value(kind, value, OPTIONS)
        assert (found, type(found)) == (expected, type(expected))
    assert repr(value) == before


@pytest.mark.parametrize("value", [None, "", 5, [1], {"value": 1}])
def test_other_types_are_as_they_are(value: Any) -> None:
    assert read_value("colour", value) == value


def definition(kind: str, **more: Any) -> dict[str, Any]:
    return {"name": "p", "type": kind, "options": [{option: option} for option in OPTIONS], **more}


GOOD = {"text": "d", "number": "5", "boolean": "false", "select": "a"}
READ_DEFAULT: dict[str, Any] = {"text": "d", "number": 5, "boolean": False, "select": "a"}
EMPTY = (*NOT_GIVEN, "", [""])


@pytest.mark.parametrize("kind", GOOD)
@pytest.mark.parametrize("empty", EMPTY, ids=repr)
def test_nothing_given(kind: str, empty: Any) -> None:
    """However a form says it: the default, else nothing; only what is required and has no default is missing."""
    for given_ in ({"p": empty}, {}, None, json.dumps({"p": empty})):
        for required in (False, True):
            definitions = [definition(kind, required=required, default=GOOD[kind])]
            assert completed(definitions, given_) == {"p": READ_DEFAULT[kind]}
        assert completed([definition(kind, required=False)], given_) in ({}, {"p": ""})
        for default in ({}, {"default": ""}, {"default": None}):
            with pytest.raises(ParameterRefused, match=r"^missing:p$"):
                completed([definition(kind, required=True, **default)], given_)


@pytest.mark.parametrize("default", ["x", [1, 2], {"a": 1}, "", None])
def test_a_default_that_does_not_fit_is_none(default: Any) -> None:
    wanted = [definition("number", required=True, default=default)]
    with pytest.raises(ParameterRefused, match="missing:p"):
        completed(wanted, {})
    assert completed([definition("number", default=default)], {}) == {}


@pytest.mark.parametrize(
    ("kind", "allowed"),
    [("number", "a number"), ("boolean", "true or false"), ("select", "one of a, 1, two words, 2.5, true")],
)
def test_a_refusal_names_parameter_and_what_is_allowed_and_never_the_value(kind: str, allowed: str) -> None:
    secret = "sk-do-not-show-me"
    with pytest.raises(ParameterRefused) as refused:
        completed([definition(kind)], {"p": secret})
    assert (str(refused.value), refused.value.allowed) == ("invalid:p", allowed)
    assert secret not in repr(refused.value)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["value", "label", "a"]), inner),
    max_leaves=6,
)
_TYPES = {"text": str, "number": (int, float), "boolean": bool, "select": str}


@given(st.sampled_from(sorted(_TYPES)), _JSON, st.booleans(), _JSON)
def test_what_is_accepted_is_of_the_type(kind: str, value: Any, required: bool, default: Any) -> None:
    definitions = [definition(kind, required=required, default=default)]
    refused = problems(definitions, {"p": value})
    lenient = so_far(definitions, {"p": value})
    if refused:
        with pytest.raises(ParameterRefused, match=str(refused[0])):
            completed(definitions, {"p": value})
        return
    found = completed(definitions, {"p": value})
    assert lenient == found
    if "p" in found:
        assert isinstance(found["p"], _TYPES[kind])
        json.dumps(found, allow_nan=False)
        assert completed(definitions, found) == found, "once read, it is read the same"


@given(st.integers() | st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_come_through_their_text(number: float) -> None:
    for spelled in (str(number), f" {number}\t", [str(number)], json.dumps(number)):
        assert completed([definition("number")], {"p": spelled}) == {"p": number}


@given(st.lists(st.sampled_from(sorted(GOOD)), min_size=1, max_size=5), st.data())
def test_every_problem_is_told(kinds: list[str], data: st.DataObject) -> None:
    definitions = [definition(kind, required=True) | {"name": f"p{n}"} for n, kind in enumerate(kinds)]
    sent = {f"p{n}": GOOD[kind] for n, kind in enumerate(kinds) if data.draw(st.booleans())}
    missing = [f"missing:p{n}" for n in range(len(kinds)) if f"p{n}" not in sent]
    assert [str(problem) for problem in problems(definitions, sent)] == missing
    assert so_far(definitions, sent).keys() == sent.keys()
