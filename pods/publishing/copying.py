"""Copies what an algorithm left to where no algorithm ever was, so that what is judged is what is published.

The algorithm may still be running (a stopped job's release begins while it ends), and every name is its own choice:
files are found and opened as publishing does it, and of each at most as many bytes are copied as it had when it was
found.
"""

from __future__ import annotations

import errno
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from pods.publishing.sources import Source, find_results
from pods.publishing.tree import NotReadable, open_found
from pods.settings import Volume

_CHUNK = 1 << 30  # bytes of one system call
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class NoRoom(Exception):
    """The volume has no room for the copy."""


@dataclass(frozen=True, slots=True)
class Copied:
    files: int
    size: int  # bytes
    left_out: int


def copy_results(volume: Volume, *, max_files: int, max_bytes: int) -> Copied:
    """Copy outputs and logs to `volume.released`, in place of what an earlier attempt left there.

    Raises NoRoom, and OSError, which is worth another try.
    """
    copy = volume.released
    for folder in (copy.outputs, copy.logs):
        empty(folder)
    found = find_results(volume, max_files=max_files, max_bytes=max_bytes)
    try:
        size = sum(_copy(source, copy.root / os.fsdecode(source.path)) for source in found.files)
    except OSError as exc:
        if exc.errno in _FULL:
            raise NoRoom from exc
        raise
    return Copied(len(found.files), size, len(found.left_out))


def empty(folder: Path) -> None:
    """Make the folder, or remove what an earlier attempt left in it; the folder itself may be mounted already."""
    folder.mkdir(parents=True, exist_ok=True)
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path)
            else:
                os.unlink(entry.path)


def _copy(source: Source, target: Path) -> int:
    """Bytes copied; 0 for a file that is no longer what was found."""
    try:
        descriptor = open_found(source.root, source.file)
    except NotReadable:
        return 0
    copied = 0
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as out:
            while copied < source.file.size:
                sent = os.sendfile(out.fileno(), descriptor, copied, min(_CHUNK, source.file.size - copied))
                if sent == 0:  # it has become shorter
                    break
                copied += sent
    finally:
        os.close(descriptor)
    return copied
