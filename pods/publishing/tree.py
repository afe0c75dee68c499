"""Finds and opens the files that an algorithm left behind, without trusting a single name of them.

An algorithm can leave links to anywhere, fifos (opening one blocks for ever), devices, sockets, unreadable folders,
thousands of levels, millions of names, sparse files of a terabyte, and may still be running and swapping a folder for a
link while we look. So: every part of a path is opened on its own, relative to the folder before it, never following a
link and never blocking; what is open is checked, not what was listed.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

MAX_DEPTH = 64
MAX_PATH_BYTES = 1024
MAX_NAMES_CHARACTERS = 1024 * 1024  # of all paths together, as the manifest writes them: it is read as a whole
ENTRIES_PER_FILE = 10  # entries looked at for each file that may be published, folders and oddities included

_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY


@dataclass(frozen=True, slots=True)
class Found:
    """A regular file, as it was when it was seen. `path`: bytes, relative to the folder that was searched."""

    path: bytes
    size: int
    identity: tuple[int, int]  # device, inode


@dataclass(frozen=True, slots=True)
class Skipped:
    path: bytes
    reason: str


class NotReadable(Exception):
    """A file that was found can no longer be opened as what it was. `reason` as in `manifest.LeftOut`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def find_files(root: Path, *, max_files: int) -> tuple[list[Found], list[Skipped]]:
    """All regular files below `root`, sorted by the bytes of their path, and what else there was.

    A missing root is empty. At most `max_files` are returned, and of hard links the first name only.
    """
    found: list[Found] = []
    skipped: list[Skipped] = []
    for count, entry in enumerate(_walk(root)):
        if count >= max_files * ENTRIES_PER_FILE:
            skipped.append(Skipped(b"", "too_many"))
            break
        if isinstance(entry, Found):
            found.append(entry)
        else:
            skipped.append(entry)
    found.sort(key=lambda file: file.path)
    kept: list[Found] = []
    seen: set[tuple[int, int]] = set()
    names = 0
    for file in found:
        if file.identity in seen:
            skipped.append(Skipped(file.path, "hard_link"))
            continue
        names += _written_characters(file.path)
        if len(kept) >= max_files or names > MAX_NAMES_CHARACTERS:
            skipped.append(Skipped(file.path, "too_many"))
        else:
            seen.add(file.identity)
            kept.append(file)
    skipped.sort(key=lambda entry: entry.path)
    return kept, skipped


def _written_characters(path: bytes) -> int:
    """An odd byte is written as four characters, and its text needs more in JSON."""
    return sum(1 if 0x20 <= byte < 0x7F and byte not in b'"\\' else 6 for byte in path)


def open_found(root: Path, file: Found) -> int:
    """A descriptor of the file, which is the one that was found. Raises NotReadable."""
    *folders, name = file.path.split(b"/")
    opened: list[int] = []
    try:
        opened.append(os.open(root, _FLAGS | os.O_DIRECTORY))
        for folder in folders:
            opened.append(os.open(folder, _FLAGS | os.O_DIRECTORY, dir_fd=opened[-1]))
        descriptor = os.open(name, _FLAGS, dir_fd=opened[-1])
    except PermissionError:
        raise NotReadable("unreadable") from None
    except OSError:
        raise NotReadable("changed") from None
    finally:
        for number in opened:
            os.close(number)
    now = os.fstat(descriptor)
    if not stat.S_ISREG(now.st_mode) or (now.st_dev, now.st_ino) != file.identity:
        os.close(descriptor)
        raise NotReadable("changed")
    return descriptor


def _walk(root: Path) -> Iterator[Found | Skipped]:
    """Depth first, with a stack of our own: one open folder per level."""
    try:
        top = os.open(root, _FLAGS | os.O_DIRECTORY)
    except FileNotFoundError:
        return
    except OSError:
        yield Skipped(b"", "unreadable")
        return
    stack = [(top, os.scandir(top), b"")]
    try:
        while stack:
            folder, names, prefix = stack[-1]
            entry = next(names, None)
            if entry is None:
                names.close()
                os.close(folder)
                stack.pop()
                continue
            name = os.fsencode(entry.name)
            path = prefix + name
            if len(path) > MAX_PATH_BYTES:
                yield Skipped(path[:MAX_PATH_BYTES], "name_too_long")
                continue
            try:
                seen = os.stat(name, dir_fd=folder, follow_symlinks=False)
            except OSError:
                yield Skipped(path, "changed")
                continue
            if stat.S_ISREG(seen.st_mode):
                yield Found(path, seen.st_size, (seen.st_dev, seen.st_ino))
            elif not stat.S_ISDIR(seen.st_mode):
                yield Skipped(path, "link" if stat.S_ISLNK(seen.st_mode) else "special_file")
            elif len(stack) >= MAX_DEPTH:
                yield Skipped(path, "too_deep")
            else:
                try:
                    below = os.open(name, _FLAGS | os.O_DIRECTORY, dir_fd=folder)
                except OSError as exc:
                    yield Skipped(path, "unreadable" if isinstance(exc, PermissionError) else "changed")
                    continue
                stack.append((below, os.scandir(below), path + b"/"))
    finally:
        for folder, names, _ in stack:
            names.close()
            os.close(folder)
