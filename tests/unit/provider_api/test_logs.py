"""No line of the log is longer than a line may be, and no secret shows, whoever wrote what is in it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provider_api.telemetry.logs import bound

pytestmark = pytest.mark.unit

LONGEST_LINE = 80_000
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.binary(max_size=5000),
    lambda inner: st.lists(inner, max_size=80) | st.dictionaries(st.text(), inner, max_size=80),
    max_leaves=30,
)
SECRET = "0x" + "5e" * 65


def written(**fields: Any) -> str:
    return json.dumps(bound(None, "info", dict(fields)), default=str)


@pytest.mark.parametrize(
    "value",
    [
        "did:op:" + "x" * 3_000_000,
        "\n" * 3_000_000,
        ["x" * 100_000] * 1000,
        {"x" * 100_000: {"y": "z" * 100_000}},
        [[[[[["x" * 100_000]]]]]],
        b"x" * 3_000_000,
        10**9000,
        tuple(range(100_000)),
    ],
    ids=range(8),
)
def test_long_values(value: Any) -> None:
    assert len(written(event="asset_not_found", did=value)) < LONGEST_LINE


@given(VALUES)
def test_any_value(value: Any) -> None:
    assert len(written(event="x", value=value)) < 60 * LONGEST_LINE


def test_short_values_stay_as_they_are() -> None:
    fields = {"event": "job_submitted", "job_id": "ab" * 16, "count": 3, "seconds": 0.25, "none": None, "on": True}
    assert bound(None, "info", dict(fields)) == fields


@pytest.mark.parametrize("before", [0, 10, 900, 990, 3900, 3990, 4000])
def test_a_secret_is_hidden_wherever_the_cut_is(before: int) -> None:
    for secret in (SECRET, "https://files.example/x?key=" + "s3cr3t" * 30):
        text = written(event="x", text="-" * (before - 1) + " " + secret + " " + "y" * 5000)
        assert secret[:40] not in text
        assert "5e5e5e" not in text
        assert "s3cr3t" not in text
    assert "5e5e5e" not in written(event="x", inner={"deep": ["see " + SECRET]})


def test_a_trace_is_kept_longer() -> None:
    event = bound(None, "error", {"event": "x", "exception": "frame " * 1000})
    assert event["exception"] == "frame " * 1000
