"""Looks through a folder in which other programs write and delete at the same time; `Path.rglob` fails there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path


def paths_in(folder: Path) -> Iterator[Path]:
    """Yields every file and folder below `folder`; one that is deleted meanwhile is left out, with all below it."""
    for parent, folders, files in os.walk(folder, onerror=_unless_removed):
        for name in (*folders, *files):
            yield Path(parent, name)


def _unless_removed(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error
