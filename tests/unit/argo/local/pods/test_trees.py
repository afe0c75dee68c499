from __future__ import annotations

import os
from pathlib import Path

import pytest

from argo.local.pods.trees import NotPlain, read_file, remove_tree, subfolder

pytestmark = pytest.mark.unit


def test_remove_whatever_a_pod_made(tmp_path: Path) -> None:
    top, outside = tmp_path / "top", tmp_path / "outside"
    (top / "closed/inner").mkdir(parents=True)
    outside.mkdir()
    (outside / "kept").touch()
    (top / "link").symlink_to(outside)
    (top / "loop").symlink_to("loop")
    os.mkfifo(top / "fifo")
    (top / b"\xff\n\x1b[2J".decode(errors="surrogateescape")).mkdir()
    (top / "closed/inner/link").symlink_to(outside / "kept")
    (top / "closed/inner").chmod(0)
    (top / "closed").chmod(0)
    remove_tree(top)
    assert not top.exists()
    assert (outside / "kept").exists()
    remove_tree(top)


def test_remove_a_deep_tree(tmp_path: Path) -> None:
    top = tmp_path / "top"
    top.mkdir()
    here = os.open(top, os.O_RDONLY)
    for _ in range(3000):
        os.mkdir("a-level-with-a-long-name", dir_fd=here)
        below = os.open("a-level-with-a-long-name", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    remove_tree(top)
    assert not top.exists()


def test_a_link_in_place_of_the_tree_is_refused(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "link").symlink_to("kept")
    with pytest.raises(OSError, match=r"Not a directory|symbolic links"):
        remove_tree(tmp_path / "link")
    assert (tmp_path / "kept").exists()


def test_subfolder(tmp_path: Path) -> None:
    assert subfolder(tmp_path, "a/b/") == tmp_path / "a/b"
    assert (tmp_path / "a/b").is_dir()
    assert subfolder(tmp_path, "a") == tmp_path / "a"
    (tmp_path / "link").symlink_to("/etc")
    (tmp_path / "file").touch()
    for bad in ("link", "link/ssl", "file", "../x", "a/../../x"):
        with pytest.raises(NotPlain):
            subfolder(tmp_path, bad)


def test_read_file(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a/results.json").write_bytes(b"12345")
    assert read_file(tmp_path, "a/results.json", max_bytes=5) == b"12345"
    assert read_file(tmp_path, "a/other", max_bytes=5) is None
    assert read_file(tmp_path, "b/other", max_bytes=5) is None
    (tmp_path / "link").symlink_to("/etc/passwd")
    (tmp_path / "way").symlink_to("a")
    os.mkfifo(tmp_path / "fifo")
    for name in ("link", "way/results.json", "fifo", "a"):
        with pytest.raises(NotPlain):
            read_file(tmp_path, name, max_bytes=100)
    with pytest.raises(NotPlain, match="larger than 4"):
        read_file(tmp_path, "a/results.json", max_bytes=4)
