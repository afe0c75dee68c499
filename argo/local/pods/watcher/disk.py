"""What a pod's volumes take of the disk, looked at while it runs: file systems have no limit for a folder.

Counted are the blocks of each file once, whatever its names (a sparse file counts with what it really has), at least
4096 bytes for each entry, so that a limit of bytes is one of files too, and what processes of the pod keep open after
they have removed it. Looks take at most a twentieth of the time.
"""

from __future__ import annotations

import os
import stat
import time

from . import memory

TYPE_CHECKING = False  # `typing` costs more time than all the rest of the watcher
if TYPE_CHECKING:
    from typing import Any

LOOK_SECONDS = 1.0
ENTRY_BYTES = 4096
DEEPEST = 400  # levels of folders; more cannot be measured, and nobody needs them
_BLOCK = 512
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Disk:
    """`volumes`: [{"path", "bytes", "name", "limit"}], the last as the manifest says it.

    Make it before the stage is set, which covers places of the machine. Raises OSError.
    """

    def __init__(self, volumes: list[dict[str, Any]]) -> None:
        self._volumes = [(volume, os.open(volume["path"], _FOLDER)) for volume in volumes]
        self.next_look = time.monotonic() + LOOK_SECONDS if volumes else None

    def look_now(self) -> None:
        """The next question is answered by a look, whenever the last one was."""
        if self.next_look is not None:
            self.next_look = 0.0

    def exceeded(self, root: int) -> str:
        """The limit that the pod has exceeded, in the words of a cluster; "" where there is none, or before its time.

        All processes of the pod are below `root`.
        """
        begin = time.monotonic()
        if self.next_look is None or begin < self.next_look:
            return ""
        removed = removed_files(root)
        found = ""
        for volume, folder in self._volumes:
            if used_bytes(folder, volume["bytes"], removed) > volume["bytes"]:
                found = f'Usage of EmptyDir volume "{volume["name"]}" exceeds the limit "{volume["limit"]}"'
        now = time.monotonic()
        self.next_look = now + max(LOOK_SECONDS, 20 * (now - begin))
        return found


def used_bytes(folder: int, enough: int, removed: dict[tuple[int, int], int]) -> int:
    """What lies in an open folder, counted until it is more than `enough`."""
    top = os.dup(folder)
    device = os.fstat(top).st_dev
    total = sum(size for (where, _), size in removed.items() if where == device)
    seen: set[int] = set()
    waiting = [(top, os.listdir(top))]
    try:
        while waiting and total <= enough:
            here, names = waiting[-1]
            if not names:
                os.close(here)
                waiting.pop()
                continue
            name = names.pop()
            try:
                info = os.stat(name, dir_fd=here, follow_symlinks=False)
                if info.st_dev != device or info.st_ino in seen:
                    continue
                if info.st_nlink > 1:
                    seen.add(info.st_ino)
                total += max(info.st_blocks * _BLOCK, ENTRY_BYTES)
                if stat.S_ISDIR(info.st_mode):
                    if len(waiting) > DEEPEST:
                        return enough + 1
                    below = os.open(name, _FOLDER, dir_fd=here)
                    waiting.append((below, os.listdir(below)))
            except OSError:
                continue  # gone in this moment, or closed to us as well
    finally:
        for here, _ in waiting:
            os.close(here)
    return total


def removed_files(root: int) -> dict[tuple[int, int], int]:
    """(device, inode) -> bytes of files without a name that a process and all below it have open."""
    found: dict[tuple[int, int], int] = {}
    for pid in memory.processes(root):
        try:
            names = os.listdir(f"/proc/{pid}/fd")
        except OSError:
            continue
        for name in names:
            try:
                info = os.stat(f"/proc/{pid}/fd/{name}")
            except OSError:
                continue
            if stat.S_ISREG(info.st_mode) and not info.st_nlink:
                found[info.st_dev, info.st_ino] = info.st_blocks * _BLOCK
    return found
