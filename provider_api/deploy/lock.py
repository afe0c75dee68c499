"""One `c2d serve` for a data folder: a lock that ends with the process, however it ends."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Final

from ocean.kit.digits import is_digits

LOCK_NAME: Final = "c2d.lock"


class FolderInUse(RuntimeError):
    """Another process of this kind works on the folder."""

    def __init__(self, folder: Path, pid: str) -> None:
        process = f" (process {pid})" if is_digits(pid) else ""
        super().__init__(f"{folder} is in use by another c2d{process}: end that one, or name another folder (--data)")


class FolderLock:
    def __init__(self, folder: Path) -> None:
        self._folder, self._path = folder, folder / LOCK_NAME
        self._file: int | None = None

    def require_free(self) -> None:
        """Raises FolderInUse. Takes nothing: a folder that is not there yet is free."""
        if self._path.exists():
            self.take()
            self.release()

    def take(self) -> None:
        """Raises FolderInUse."""
        file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = os.read(file, 20).decode("ascii", "replace").strip()
            os.close(file)
            raise FolderInUse(self._folder, pid) from None
        os.ftruncate(file, 0)
        os.write(file, f"{os.getpid()}\n".encode())
        self._file = file

    def release(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None
