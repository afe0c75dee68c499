"""The folder of one rehearsal: made at its start, and gone with all that ran in it at its end, however that comes.

What a rehearsal left that was killed with SIGKILL, its folder and pods, is removed by the next one of the same user:
whoever lives holds the lock of its folder.
"""

from __future__ import annotations

import os
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import structlog

from argo.local.pods import Images, SandboxRuntime, remove_tree
from provider_api.deploy.folder import DataFolder
from provider_api.deploy.lock import LOCK_NAME, FolderInUse, FolderLock

log = structlog.get_logger(__name__)
_PREFIX: Final = "c2d-try-"
YOUNG_SECONDS: Final = 60.0


@contextmanager
def temporary_place() -> Iterator[DataFolder]:
    """Raises OSError where none can be made."""
    _sweep()
    folder = DataFolder(Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.geteuid()}-")).resolve())
    lock = FolderLock(folder.root)
    lock.take()
    try:
        folder.make()
        yield folder
    finally:
        _remove(folder)
        lock.release()


def _sweep() -> None:
    """Remove what lies there without an owner; what is very young may be about to get one."""
    for path in Path(tempfile.gettempdir()).glob(f"{_PREFIX}{os.geteuid()}-*"):
        try:
            if not _is_left(path):
                continue
            lock = FolderLock(path)
            lock.take()
            _remove(DataFolder(path.resolve()))
            lock.release()
        except FolderInUse:
            continue
        except OSError as trouble:
            log.warning("rehearsal_not_removed", folder=str(path), reason=str(trouble))


def _is_left(path: Path) -> bool:
    facts = path.lstat()
    ours = stat.S_ISDIR(facts.st_mode) and facts.st_uid == os.geteuid()
    return ours and time.time() - facts.st_mtime > YOUNG_SECONDS and (path / LOCK_NAME).exists()


def _remove(folder: DataFolder) -> None:
    """End the pods that still run, then remove everything."""
    runtime, pods = SandboxRuntime(Images(())), folder.argo / "pods"
    for pod in sorted(pods.iterdir()) if pods.is_dir() else ():
        runtime.remove(pod)
    remove_tree(folder.root)
