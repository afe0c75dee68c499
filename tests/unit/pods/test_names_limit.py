"""All names of a job's results together have a length: they are in its manifest, which is read as a whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from contract.manifest import Manifest, ResultFile
from pods.publishing import tree

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("name", ["a", "ü", '"', "\\", "\x01", "\x7f"])
def test_names_beyond_the_limit_are_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(tree, "MAX_NAMES_CHARACTERS", 6000)
    for number in range(100):
        (tmp_path / f"{name * 100}{number:03}").touch()
    kept, skipped = tree.find_files(tmp_path, max_files=1000)
    assert len(kept) + len(skipped) == 100
    assert {entry.reason for entry in skipped} == {"too_many"}
    assert kept
    assert [file.path for file in kept] == sorted(file.path for file in kept)
    shown = [f"outputs/{file.path.decode('utf-8', 'backslashreplace')}" for file in kept]
    files = tuple(
        ResultFile(index=place, path=path, filename="", filesize=0, sha256="", type="output", content_type="", key="")
        for place, path in enumerate(shown)
    )
    encoded = Manifest(job_id="", created=0, complete=True, files=files).encoded()
    assert len(encoded) < 6000 + 200 * len(kept) + 200


def test_usual_trees_are_whole(tmp_path: Path) -> None:
    for number in range(2000):
        (tmp_path / f"image-of-the-station-{number:06}.png").touch()
    kept, skipped = tree.find_files(tmp_path, max_files=10_000)
    assert (len(kept), skipped) == (2000, [])
