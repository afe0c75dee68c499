import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from ocean.kit.atomic import SECRET, make_file, replace_file

WRITERS = [replace_file, make_file]


@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize("durable", [True, False])
def test_the_content_and_no_other_file(write: Callable[..., None], durable: bool, tmp_path: Path) -> None:
    write(tmp_path / "a", "Grüße\n", durable=durable)
    write(tmp_path / "b", b"\x00\xff", durable=durable)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a": "Grüße\n".encode(), "b": b"\x00\xff"}


@pytest.mark.parametrize("write", WRITERS)
def test_a_secret_is_for_its_owner_only(write: Callable[..., None], tmp_path: Path) -> None:
    write(tmp_path / "secret", "x", mode=SECRET)
    write(tmp_path / "plain", "x")
    umask = os.umask(0)
    os.umask(umask)
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("secret", "plain")]
    assert modes == [0o600 & ~umask, 0o666 & ~umask]


def test_the_last_replaces_and_the_first_makes(tmp_path: Path) -> None:
    for content in ("first", "second"):
        replace_file(tmp_path / "replaced", content)
        make_file(tmp_path / "made", content)
    assert ((tmp_path / "replaced").read_text(), (tmp_path / "made").read_text()) == ("second", "first")
    assert len(list(tmp_path.iterdir())) == 2


def test_what_cannot_be_written_leaves_the_old_file_and_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "file"
    replace_file(path, "old")
    with pytest.raises(UnicodeEncodeError):
        replace_file(path, "\ud800")
    (tmp_path / "folder").mkdir()
    with pytest.raises(IsADirectoryError):
        replace_file(tmp_path / "folder", "new")
    assert path.read_text() == "old"
    assert {path.name for path in tmp_path.iterdir()} == {"file", "folder"}


@pytest.mark.parametrize("write", WRITERS)
def test_only_what_is_durable_waits_for_the_disk(
    write: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[bool] = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(stat.S_ISDIR(os.fstat(descriptor).st_mode)))
    write(tmp_path / "a", "x")
    assert synced == []
    write(tmp_path / "b", "x", durable=True)
    assert synced == [False, True], "the file, then its folder"
