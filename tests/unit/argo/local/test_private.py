"""Folders that keys and results lie in: closed to others, or refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from argo.local.private import FolderNotOurs, private_folder
from provider_api.deploy.folder import DataFolder

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("mode", [0o755, 0o777, 0o1777, 0o750, 0o711, 0o701])
def test_a_folder_that_is_open_is_closed(tmp_path: Path, mode: int) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    folder.chmod(mode)
    private_folder(folder)
    assert folder.stat().st_mode & 0o7777 == 0o700


def test_all_of_a_data_folder_is_closed(tmp_path: Path) -> None:
    made = DataFolder(tmp_path / "data")
    for path in (made.root, made.chain, made.argo, made.templates, made.secrets, made.logs):
        path.mkdir(exist_ok=True, parents=True)
        path.chmod(0o755)
    made.make()
    for path in (made.root, made.chain, made.argo, made.templates, made.secrets, made.logs, made.results):
        assert path.stat().st_mode & 0o077 == 0, path


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_folder_of_somebody_else_is_refused_and_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir(mode=0o755)
    os.chown(folder, 12345, 12345)
    with pytest.raises(FolderNotOurs, match="12345"):
        private_folder(folder)
    assert folder.stat().st_mode & 0o777 == 0o755


def test_a_file_in_its_place_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "data").touch()
    with pytest.raises(OSError, match="exists"):
        private_folder(tmp_path / "data")
