"""Expressions, substitution, quantities: the small languages of a template."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from argo.local.spec import quantities
from argo.local.spec.expressions import ExpressionInvalid, parse
from argo.local.spec.substitution import UnknownTag, substitute, tags
from workflow_templates.steps import _tries

pytestmark = pytest.mark.unit

RETRY = str(_tries().expression)
DEADLINE = "Pod was active on the node longer than the specified deadline"


@pytest.mark.parametrize(
    ("status", "code", "message", "again"),
    [
        ("Error", "-1", "pod deleted", True),
        ("Error", "75", "", True),
        ("Failed", "75", "main: Error (exit code 75)", True),
        ("Failed", "137", "main: Error (exit code 137)", True),
        ("Failed", "143", "Pod was terminated in response to imminent node shutdown.", True),
        ("Failed", "-1", "The node was low on resource: memory.", True),
        ("Failed", "137", DEADLINE, False),
        ("Failed", "-1", DEADLINE, False),
        ("Failed", "-1", "timeout", False),
        ("Failed", "1", "main: Error (exit code 1)", False),
        ("Failed", "31", "main: Error (exit code 31)", False),
    ],
)
def test_the_retry_expression_of_our_templates(status: str, code: str, message: str, again: bool) -> None:
    values = {"lastRetry.status": status, "lastRetry.exitCode": code, "lastRetry.message": message}
    assert parse(RETRY).evaluate(values.__getitem__) is again


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1 == 1 && !(2 < 1)", True),
        ("'a' != \"a\"", False),
        ("x || y && z", True),
        ("(x || y) && z", False),
        ("asInt('12') >= 12", True),
        ("'a word' contains 'or' && !('a' contains 'word')", True),
        ("contained", False),
        ("3", 3),
    ],
)
def test_evaluates(text: str, value: object) -> None:
    assert parse(text).evaluate(lambda name: name == "x") == value


def test_names_may_have_dashes_and_dots() -> None:
    assert list(parse("my-task.Succeeded || b_2").names()) == ["my-task.Succeeded", "b_2"]


@pytest.mark.parametrize(
    "text", ["", "a ||", "(a", "a b", "a + 1", "env('HOME')", "a == 'x", "sprig.upper('x')", "a ? b : c"]
)
def test_refuses_to_parse(text: str) -> None:
    with pytest.raises(ExpressionInvalid):
        parse(text)


@pytest.mark.parametrize("text", ["asInt('x') == 1", "'a' < 1"])
def test_refuses_to_evaluate(text: str) -> None:
    with pytest.raises(ExpressionInvalid):
        parse(text).evaluate(str)


def test_values_are_literal_text() -> None:
    scope = {"a": "{{b}} {{=1+1}}", "b": "no"}
    assert substitute("x {{a}} {{ b }} y", scope) == "x {{b}} {{=1+1}} no y"


@given(st.text())
def test_no_value_is_ever_looked_at_again(value: str) -> None:
    assert substitute("<{{a}}>", {"a": value}) == f"<{value}>"


def test_an_unknown_tag_is_an_error() -> None:
    with pytest.raises(UnknownTag):
        substitute("{{nope}}", {})


def test_tags_are_found_everywhere() -> None:
    value = {"{{k}}": ["{{ a }}", {"b": "x{{c}}{{=d}}"}], "n": 1}
    assert sorted(tags(value)) == ["=d", "a", "c", "k"]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("64Mi", 64 << 20),
        ("1Gi", 1 << 30),
        ("500m", Decimal("0.5")),
        ("2", 2),
        (3, 3),
        ("1.5Gi", 3 << 29),
        ("5k", 5000),
    ],
)
def test_quantities(text: str | int, number: Decimal | int) -> None:
    assert quantities.quantity(text) == number


@pytest.mark.parametrize(
    ("text", "number"), [("1s", 1), ("1m30s", 90), ("2h", 7200), ("500ms", 0.5), ("12", 12), (7, 7)]
)
def test_durations(text: str | int, number: float) -> None:
    assert quantities.seconds(text) == number


@pytest.mark.parametrize("text", ["", "x", "1y", "-1s", "1s x"])
def test_what_is_no_number(text: str) -> None:
    with pytest.raises(ValueError, match="not a"):
        quantities.seconds(text)
    with pytest.raises(ValueError, match="not a"):
        quantities.quantity(text)
