"""Amounts of descriptions, as numbers."""

from __future__ import annotations

import pytest

from workflow_templates.quantities import mib, milli

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(("quantity", "thousandths"), [("1", 1000), ("16", 16_000), ("500m", 500)])
def test_processors(quantity: str, thousandths: int) -> None:
    assert milli(quantity) == thousandths


@pytest.mark.parametrize(
    ("quantity", "mebibytes"),
    [("512Mi", 512), ("2Gi", 2048), ("1024Ki", 1), ("1025Ki", 2), ("1Ki", 1), ("1", 1), ("1048577", 2)],
)
def test_bytes_are_rounded_up(quantity: str, mebibytes: int) -> None:
    assert mib(quantity) == mebibytes
