"""The volume as an algorithm finds it: folders, modes, and the small files in them.

Modes are set, not left to the umask, because the algorithm may run as any user: inputs, DDOs and transformations are
readable by all, outputs and logs writable by all. (Ocean Provider meant 0777 and got 01411 by a slip, so images with an
ordinary user could not write their outputs.)
"""

from __future__ import annotations

import shutil
from pathlib import Path

from pods.settings import Volume

READABLE_FOLDER, WRITABLE_FOLDER = 0o755, 0o777
READABLE_FILE, WRITABLE_FILE, PROGRAM_FILE = 0o644, 0o666, 0o755


def prepare_volume(volume: Volume) -> None:
    """All folders, empty, whatever an earlier attempt left in them, and the empty `logs/algorithm.log`.

    `adminlogs` is kept: the log of the earlier attempt is in it.
    """
    for folder, mode in (
        (volume.inputs, READABLE_FOLDER),
        (volume.ddos, READABLE_FOLDER),
        (volume.transformations, READABLE_FOLDER),
        (volume.start, READABLE_FOLDER),
        (volume.outputs, WRITABLE_FOLDER),
        (volume.logs, WRITABLE_FOLDER),
    ):
        if folder.is_symlink() or folder.is_file():
            folder.unlink()
        elif folder.exists():
            shutil.rmtree(folder)
        make_folder(folder, mode)
    for folder in (volume.publication, volume.record):
        if folder.exists():
            shutil.rmtree(folder)
    write_file(volume.logs / "algorithm.log", b"", WRITABLE_FILE)


def make_folder(path: Path, mode: int = READABLE_FOLDER) -> None:
    path.mkdir()
    path.chmod(mode)


def write_file(path: Path, content: bytes, mode: int = READABLE_FILE) -> None:
    path.write_bytes(content)
    path.chmod(mode)
