"""Handling folders that a pod wrote to: it chose every name, mode and kind of entry, so nothing is followed.

Measured of such folders: links to /etc, fifos that block an open for ever, folders of mode 000, thousands of levels
(os.walk stops silently, shutil.rmtree runs out of stack or descriptors), names that are no text.
"""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY


class NotPlain(OSError):
    """A folder or file of a pod is not what it should be: a link, a special file, or too large."""


def subfolder(volume: Path, sub_path: str) -> Path:
    """A folder below a volume, made (with the volume's owner) where it is missing. For a mount's `subPath`.

    Raises NotPlain when a link or a file is in the way, or the path leads out.
    """
    names = [name for name in sub_path.split("/") if name not in ("", ".")]
    if ".." in names:
        raise NotPlain(f"the path {sub_path!r} leads out of its volume")
    here = os.open(volume, _FOLDER)
    try:
        owner = os.fstat(here)
        for name in names:
            try:
                os.mkdir(name, 0o755, dir_fd=here)
                made = True
            except FileExistsError:
                made = False
            try:
                below = os.open(name, _FOLDER, dir_fd=here)
            except OSError as exc:
                raise NotPlain(f"{name!r} in {sub_path!r} is not a folder") from exc
            os.close(here)
            here = below
            if made and owner.st_uid != os.geteuid():
                os.fchown(here, owner.st_uid, owner.st_gid)
    finally:
        os.close(here)
    return volume.joinpath(*names)


def close_to_others(parent: Path, name: str) -> None:
    """Make an entry of a folder ours, and closed to everybody else. Links and what is gone are left alone."""
    handle = os.open(parent / name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        if stat.S_ISLNK(os.fstat(handle).st_mode):
            return
        place = f"/proc/self/fd/{handle}"
        os.chown(place, os.geteuid(), os.getegid())
        os.chmod(place, 0o700 if stat.S_ISDIR(os.fstat(handle).st_mode) else 0o600)
    finally:
        os.close(handle)


def read_file(folder: Path, name: str, *, max_bytes: int) -> bytes | None:
    """The content of a regular file that a pod may have written below `folder`, or None where there is nothing.

    Raises NotPlain for a link, a special file or more than `max_bytes`.
    """
    here = os.open(folder, _FOLDER)
    try:
        *way, last = [part for part in name.split("/") if part not in ("", ".")]
        try:
            for part in way:
                below = os.open(part, _FOLDER, dir_fd=here)
                os.close(here)
                here = below
            fd = os.open(last, _FILE, dir_fd=here)
        except FileNotFoundError:
            return None
        except OSError as exc:
            raise NotPlain(f"{name!r} cannot be read: {exc.strerror}") from exc
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            os.close(fd)
            raise NotPlain(f"{name!r} is not a regular file")
        with open(fd, "rb") as file:
            content = file.read(max_bytes + 1)
        if len(content) > max_bytes:
            raise NotPlain(f"{name!r} is larger than {max_bytes} bytes")
        return content
    finally:
        os.close(here)


def remove_tree(path: Path) -> None:
    """Remove a folder and all below it, on its own file system only. Nothing there is no error.

    Needs no memory or descriptors for deep trees: full folders are moved up to the top before they are emptied.
    """
    try:
        top = os.open(path, _FOLDER)
    except FileNotFoundError:
        return
    try:
        device = os.fstat(top).st_dev
        moved, prefix = 0, b".removing-%s-" % secrets.token_hex(8).encode()
        while names := os.listdir(b"/proc/self/fd/%d" % top):
            for name in names:
                if _unlinked(top, name):
                    continue
                below = _open_folder(top, name, device)
                try:
                    for inner in os.listdir(b"/proc/self/fd/%d" % below):
                        if not _unlinked(below, inner):
                            moved += 1
                            _make_usable(below, inner)
                            os.rename(inner, prefix + b"%d" % moved, src_dir_fd=below, dst_dir_fd=top)
                finally:
                    os.close(below)
                os.rmdir(name, dir_fd=top)
    finally:
        os.close(top)
    path.rmdir()


def _unlinked(folder: int, name: bytes) -> bool:
    """Remove an entry that is no folder, or an empty one. False: a folder with content."""
    if not stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
        os.unlink(name, dir_fd=folder)
        return True
    try:
        os.rmdir(name, dir_fd=folder)
    except OSError:
        return False
    return True


def _make_usable(folder: int, name: bytes) -> None:
    """An ordinary user must be able to read and write a folder in order to empty or to move it."""
    handle = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    try:
        os.chmod(f"/proc/self/fd/{handle}", 0o700)
    finally:
        os.close(handle)


def _open_folder(folder: int, name: bytes, device: int) -> int:
    _make_usable(folder, name)
    fd = os.open(name, _FOLDER, dir_fd=folder)
    if os.fstat(fd).st_dev != device:
        os.close(fd)
        raise NotPlain("another file system is mounted below the folder to remove")
    return fd
