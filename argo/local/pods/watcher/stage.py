"""Sources of a pod where its spare user reaches them: a small private mount namespace, as root only.

The pod's user may enter neither the server's data folder nor /root, where Python perhaps lives, and bubblewrap opens
all sources as that user. So the watcher unshares its mounts and binds every source under /tmp of its own. Nothing of it
is seen by other processes, and it ends with the watcher. Mounts reach us from the machine, but not the other way.
"""

from __future__ import annotations

import ctypes
import os
import stat

TYPE_CHECKING = False  # `typing` costs more time than all the rest of the watcher
if TYPE_CHECKING:
    from typing import Any

_NEW_MOUNTS, _BIND, _RECURSIVE, _SLAVE, _NOSUID, _NODEV = 0x20000, 0x1000, 0x4000, 0x80000, 0x2, 0x4
_PLACE = "/tmp"  # noqa: S108  (exists everywhere; covered in our own namespace only)
_REACHABLE = ("/usr", "/etc", "/bin", "/sbin", "/lib", "/lib64", "/lib32", "/libx32")
COPIED_BYTES = 8 << 20


def open_plain(path: str) -> int:
    """A handle of an absolute path without following any link on the way. Raises OSError."""
    if not path.startswith("/"):
        raise OSError(f"a mount's source needs an absolute path: {path!r}")
    here = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    for part in path.split("/"):
        if not part:
            continue
        below = -1
        try:
            below = os.open(part, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=here)
            if stat.S_ISLNK(os.fstat(below).st_mode):
                os.close(below)
                raise OSError(f"a mount's source leads through a link: {part!r}")
        finally:
            os.close(here)
        here = below
    return here


class Stage:
    """Places for sources, asked for by their path. Make it before the pod's first program, once."""

    ROOT = f"{_PLACE}/root"  # for a pod's writable root, in a namespace of its own

    def __init__(self, containers: list[dict[str, Any]], user: int) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._user = user
        self._places: dict[str, str] = {}
        plain = {m[0]: m[2] for c in containers for m in c["inside"]["mounts"]}
        trusted = {b[0] for c in containers for b in c["inside"]["binds"]}
        trusted |= {c["inside"]["root"] for c in containers if c["inside"].get("root")}
        trusted = {path for path in trusted if f"/{path.split('/')[1]}" not in _REACHABLE}
        self._call(self._libc.unshare(_NEW_MOUNTS), "unshare")
        self._mount(None, "/", None, _RECURSIVE | _SLAVE, None)
        handles = {path: open_plain(path) for path in plain}
        handles |= {path: os.open(path, os.O_PATH | os.O_CLOEXEC) for path in trusted - set(plain)}
        self._mount("tmpfs", _PLACE, "tmpfs", _NOSUID | _NODEV, f"size={COPIED_BYTES},mode=0711")
        for number, (path, handle) in enumerate(handles.items()):
            self._places[path] = place = f"{_PLACE}/{number}"
            info = os.fstat(handle)
            if plain.get(path) and self._unreadable(info):
                self._copy(handle, place)
            else:
                if stat.S_ISDIR(info.st_mode):
                    os.mkdir(place, 0o755)
                else:
                    os.close(os.open(place, os.O_CREAT | os.O_CLOEXEC, 0o644))
                self._mount(f"/proc/self/fd/{handle}", place, None, _BIND, None)
            os.close(handle)

    def source(self, path: str) -> str:
        return self._places.get(path, path)

    def _unreadable(self, info: os.stat_result) -> bool:
        """Closed to everybody but the server: a Secret or an artifact. The pod could not read it where it lies."""
        return info.st_uid != self._user and not info.st_mode & 0o077

    def _copy(self, handle: int, place: str) -> None:
        """Copy a file, or the files of a folder, into the private memory file system, for the pod's user only."""
        origin = f"/proc/self/fd/{handle}"
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            os.mkdir(place, 0o500)
            os.chown(place, self._user, self._user)
            for name in os.listdir(origin):
                inner = os.open(f"{origin}/{name}", os.O_PATH | os.O_CLOEXEC)
                try:
                    if not stat.S_ISREG(os.fstat(inner).st_mode):
                        raise OSError(f"only plain files can be handed over: {name!r}")
                    self._copy(inner, f"{place}/{name}")
                finally:
                    os.close(inner)
            return
        out = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o400)
        with open(out, "wb") as target, open(origin, "rb") as data:
            os.fchown(out, self._user, self._user)
            while block := data.read(1 << 16):
                target.write(block)

    def _mount(self, what: str | None, where: str, kind: str | None, flags: int, text: str | None) -> None:
        words = [word.encode() if word is not None else None for word in (what, where, kind, text)]
        result = self._libc.mount(words[0], words[1], words[2], ctypes.c_ulong(flags), words[3])
        self._call(result, f"mount on {where}")

    @staticmethod
    def _call(result: int, what: str) -> None:
        if result:
            number = ctypes.get_errno()
            raise OSError(number, f"{what}: {os.strerror(number)}")
