"""The table of long tests names tests that there are."""

import re
from pathlib import Path

import pytest

from tests.support.lanes import LONG, is_long

TESTS = Path(__file__).parents[1]


@pytest.mark.parametrize("pattern", LONG)
def test_it_names_a_test(pattern: str) -> None:
    file, _, name = pattern.replace("\\", "").partition("::")
    path = TESTS / file
    assert path.exists(), "no such file or folder"
    if name.startswith("test_"):
        assert re.search(rf"def {name.split('.*')[0]}", path.read_text()), "no such test in it"


def test_others_are_not_long() -> None:
    assert is_long("tests/integration/service/clients/test_ocean_js.py::test_x[3.0.4]")
    assert not is_long("tests/integration/service/clients/test_ocean_js.py::test_x[3.4.6]")
    assert not is_long("tests/unit/test_lanes.py::test_others_are_not_long")
