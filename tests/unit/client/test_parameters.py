"""Parameters of an algorithm, as options and files give them."""

from __future__ import annotations

from pathlib import Path

import pytest

from client.exits import Unusable
from client.parameters import read_parameters

pytestmark = pytest.mark.unit


def test_options_go_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "custom.json"
    file.write_text('{"a": 1, "b": [2]}')
    found = read_parameters(["a=x", "c=null", 'd={"e":1}', "f=", "g=x=y"], file)
    assert found == {"a": "x", "b": [2], "c": None, "d": {"e": 1}, "f": "", "g": "x=y"}
    assert read_parameters((), None) == {}


@pytest.mark.parametrize("pair", ["x", "=x", ""])
def test_options_that_are_none(pair: str) -> None:
    with pytest.raises(Unusable, match="KEY=VALUE is expected"):
        read_parameters([pair], None)


@pytest.mark.parametrize("content", [b"", b"[1]", b"{", b"\xff", b"[" * 100_000, b"7"])
def test_files_that_are_none(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "custom.json"
    file.write_bytes(content)
    with pytest.raises(Unusable, match="--custom-data"):
        read_parameters((), file)
    with pytest.raises(Unusable, match="--custom-data"):
        read_parameters((), tmp_path / "absent")
