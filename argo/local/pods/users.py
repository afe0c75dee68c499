"""Spare user ids: as root, each volume and its pods belong to a user id of their own that nobody else has.

bubblewrap started by plain root maps its inner user to host root (a program inside can then write
/proc/sys/kernel/core_pattern, and a setuid file in its output folder is setuid root outside), so root never starts it.
"""

from __future__ import annotations

import grp
import os
import pwd
import secrets
from collections.abc import Iterable
from pathlib import Path

from ocean.kit.digits import is_digits

SPARE_IDS = range(70000, 80000)


class SpareIdsTaken(OSError):
    """The range of spare user ids is not free on this machine."""


def require_unused(ids: range) -> None:
    """Raises SpareIdsTaken when a user, a group or a delegated range of this machine lies in `ids`."""
    for user in pwd.getpwall():
        if user.pw_uid in ids or user.pw_gid in ids:
            raise SpareIdsTaken(f"user {user.pw_name} has an id within {ids.start}-{ids.stop - 1}")
    for group in grp.getgrall():
        if group.gr_gid in ids:
            raise SpareIdsTaken(f"group {group.gr_name} has an id within {ids.start}-{ids.stop - 1}")
    for file in ("/etc/subuid", "/etc/subgid"):
        for line in _lines(file):
            name, _, rest = line.partition(":")
            first, _, count = rest.partition(":")
            if is_digits(first) and is_digits(count) and int(first) < ids.stop and ids.start < int(first) + int(count):
                raise SpareIdsTaken(f"{file} gives ids within {ids.start}-{ids.stop - 1} to {name}")


def pick(ids: range, taken: Iterable[int]) -> int:
    """An id out of `ids` that is not `taken` and that no process has. Raises SpareIdsTaken when there is none."""
    used = {*taken, *_running()}
    first = secrets.randbelow(len(ids))
    for offset in range(len(ids)):
        candidate = ids[(first + offset) % len(ids)]
        if candidate not in used:
            return candidate
    raise SpareIdsTaken(f"all ids within {ids.start}-{ids.stop - 1} are in use")


def owners(folder: Path) -> set[int]:
    """The user ids that own the entries of a folder."""
    found = set()
    with os.scandir(folder) as entries:
        for entry in entries:
            try:
                found.add(entry.stat(follow_symlinks=False).st_uid)
            except FileNotFoundError:
                continue
    return found


def _running() -> set[int]:
    found = set()
    for name in os.listdir("/proc"):
        if is_digits(name):
            try:
                found.add(os.stat(f"/proc/{name}").st_uid)
            except FileNotFoundError:
                continue
    return found


def _lines(file: str) -> list[str]:
    try:
        return Path(file).read_text().splitlines()
    except FileNotFoundError:
        return []
