"""What is left in a result store that is a folder. Publishing pods of many jobs write to one volume, and whoever fills
it takes from all others their logs and manifests.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path

from results.store import Store


class Room:
    """Counts every byte that will be written: in a store a hole of a sparse file is as long as it looks."""

    def __init__(self, store: Store, folder: str, reserve_bytes: int) -> None:
        """`folder`: the job's in the store. It may be a mount of its own, while the store's root is the pod's."""
        self._folder: Path | None = None
        if store.local_folder is not None and reserve_bytes > 0:
            place = store.local_folder / folder
            self._folder = next(each for each in (place, *place.parents) if each.is_dir())
        self._reserve = reserve_bytes
        self._lock = threading.Lock()
        self._taken = 0  # of files that are being written, and so are not yet missed

    def take(self, size: int) -> bool:
        """Whether so many bytes may be written now. Whoever was told so gives them back when they are written."""
        if self._folder is None or size == 0:
            return True
        with self._lock:
            now = os.statvfs(self._folder)
            if now.f_bavail * now.f_frsize - self._taken - size < self._reserve:
                return False
            self._taken += size
            return True

    def give_back(self, size: int) -> None:
        with self._lock:
            self._taken = max(0, self._taken - size)
