"""Folders for us alone. Keys, results and databases lie in them, so what is open to others is closed, or refused."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import structlog

log = structlog.get_logger(__name__)

UMASK = 0o077  # of every process that writes below such a folder


class FolderNotOurs(OSError):
    """Somebody else owns the folder, and could read whatever is put there."""

    def __init__(self, folder: Path, owner: int) -> None:
        super().__init__(
            f"{folder} belongs to another user (id {owner}, we are {os.geteuid()}): who owns it could read keys and "
            "results. Choose another folder, or give it to us with chown"
        )


def private_folder(folder: Path) -> None:
    """Make a folder that only we may enter; close one that others may. Raises FolderNotOurs, OSError."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        info = os.fstat(handle)
        if info.st_uid != os.geteuid():
            raise FolderNotOurs(folder, info.st_uid)
        if stat.S_IMODE(info.st_mode) & 0o077:
            os.fchmod(handle, 0o700)
            log.warning("folder_closed_to_others", folder=str(folder), mode_was=f"{stat.S_IMODE(info.st_mode):04o}")
    finally:
        os.close(handle)
