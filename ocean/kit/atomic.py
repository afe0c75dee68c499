"""Files that are there whole or not at all: whoever reads one sees the old content or the new, never a part.

The content goes into a hidden file beside it first. `mode` is cut by the umask, as for any new file. `durable`: what
was written outlives a loss of power; that waits for the disk twice. Both raise OSError, and leave nothing behind then.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Final

SECRET: Final = 0o600
PLAIN: Final = 0o666


def replace_file(path: Path, content: str | bytes, *, mode: int = PLAIN, durable: bool = False) -> None:
    """Write the file, over one that may be there. The last of several writers at once wins."""
    scratch = _scratch(path)
    try:
        _write(scratch, content, mode, durable)
        scratch.replace(path)
    except BaseException:
        scratch.unlink(missing_ok=True)
        raise
    if durable:
        _sync_folder(path.parent)


def make_file(path: Path, content: str | bytes, *, mode: int = PLAIN, durable: bool = False) -> None:
    """Write the file unless there is one. The first of several processes at once wins, its file stays."""
    scratch = _scratch(path)
    try:
        _write(scratch, content, mode, durable)
        with contextlib.suppress(FileExistsError):
            os.link(scratch, path)
    finally:
        scratch.unlink(missing_ok=True)
    if durable:
        _sync_folder(path.parent)


def _scratch(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}")


def _write(scratch: Path, content: str | bytes, mode: int, durable: bool) -> None:
    data = content.encode() if isinstance(content, str) else content
    with os.fdopen(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as file:
        file.write(data)
        if durable:
            file.flush()
            os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    """A name, too, is on the disk only when its folder is."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
