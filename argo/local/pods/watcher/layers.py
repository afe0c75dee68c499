"""A writable root over the folder of an unpacked image: overlayfs, what is written lies in memory of the pod's own.

Called in the child that becomes bubblewrap (which has no overlays with a size), in a mount namespace of that child:
nobody else sees the mounts, and they go with the pod. The image's folder is never written to. As an ordinary user the
child makes a user namespace for it, in which it is nobody but itself; as root it lays the overlay itself and shows the
files of whoever unpacked the image as the pod's own, where the file system can (an id-mapped mount). Decision 38.

What is mounted in the pod is made here before anything is merged: an image may hold a link in the place of a folder,
and bubblewrap would follow it.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal

TYPE_CHECKING = False  # `typing` costs more time than all the rest of the watcher
if TYPE_CHECKING:
    from collections.abc import Mapping

_NEW_USER, _NEW_MOUNTS = 0x10000000, 0x20000
_BIND, _RECURSIVE, _PRIVATE, _NOSUID, _NODEV = 0x1000, 0x4000, 0x40000, 0x2, 0x4
_OPEN_TREE, _MOVE_MOUNT, _MOUNT_SETATTR = 428, 429, 442  # the same on all machines that the system call filter knows
_CLONE_TREE, _EMPTY_PATH, _FROM_EMPTY_PATH, _IDMAP = 1, 0x1000, 0x4, 0x100000
_LAST_ID = (1 << 32) - 2
_ENTRY_BYTES = 4096  # each entry counts with so much, so that a limit of bytes is one of entries too
MERGED = "merged"
MOUNT_POINTS = ("/tmp", "/proc", "/dev")  # noqa: S108  (inside)


class NoWritableRoot(OSError):
    """This machine cannot lay one. Its text is told as the reason why the pod did not start."""

    def __str__(self) -> str:
        reason = self.args[0] if len(self.args) == 1 else super().__str__()
        return (
            f"a writable root over an unpacked image cannot be made on this machine ({reason}); it needs overlayfs, "
            "and user namespaces unless the server is root; an environment without `scratch_root` does without it"
        )


def lay(image: str, place: str, targets: Mapping[str, bool], *, size: int, user: int | None) -> None:
    """Make `place`/merged the root of a pod that may write `size` bytes. Raises NoWritableRoot.

    `targets`: what will be mounted there, path -> whether it is a folder. `user`: whom the pod will run as (None: us).
    """
    try:
        _Layers(image, place, user).lay(targets, size)
    except NoWritableRoot:
        raise
    except OSError as exc:
        raise NoWritableRoot(str(exc)) from exc


class _Layers:
    def __init__(self, image: str, place: str, user: int | None) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._image, self._place, self._user = image, place, user

    def lay(self, targets: Mapping[str, bool], size: int) -> None:
        os.umask(0o022)
        if self._user is None:
            self._enter_namespaces()
        else:
            self._call(self._libc.unshare(_NEW_MOUNTS), "unshare")
        self._mount(None, "/", None, _RECURSIVE | _PRIVATE, None)
        os.makedirs(self._place, mode=0o711, exist_ok=True)
        entries = 1024 + size // _ENTRY_BYTES
        self._mount("tmpfs", self._place, "tmpfs", _NOSUID | _NODEV, f"size={size},nr_inodes={entries},mode=0711")
        os.chdir(self._place)  # names below it need no escaping, and tell nothing inside the pod
        for name in ("lower", "upper", "work", MERGED):
            os.mkdir(name)
        self._make_points(targets)
        if self._user is None or not self._mapped(self._user):
            self._mount(self._image, "lower", None, _BIND | _RECURSIVE, None)
        text = "lowerdir=lower,upperdir=upper,workdir=work" + (",userxattr" if self._user is None else "")
        self._mount("overlay", MERGED, "overlay", _NOSUID | _NODEV, text)
        os.chdir("/")

    def _enter_namespaces(self) -> None:
        user, group = os.geteuid(), os.getegid()
        self._call(self._libc.unshare(_NEW_USER | _NEW_MOUNTS), "unshare")
        for name, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
            with open(f"/proc/self/{name}", "w") as file:
                file.write(text)

    def _make_points(self, targets: Mapping[str, bool]) -> None:
        """In the upper layer, where an entry hides whatever the image has in its place."""
        self._own("upper")
        for target, is_folder in sorted(targets.items()):
            here = "upper"
            parts = target.strip("/").split("/")
            for number, part in enumerate(parts):
                here = f"{here}/{part}"
                if os.path.lexists(here):
                    continue
                if is_folder or number < len(parts) - 1:
                    os.mkdir(here)
                else:
                    os.close(os.open(here, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644))
                self._own(here)

    def _own(self, path: str) -> None:
        if self._user is not None:
            os.chown(path, self._user, self._user)

    # -- as root: the image's files as the pod's own

    def _mapped(self, user: int) -> bool:
        """Mount the image as "lower", what its folder's owner owns shown as the pod's; False where that cannot be."""
        owner = os.stat(self._image)
        try:
            names = self._user_namespace(_mapping(owner.st_uid, user), _mapping(owner.st_gid, user))
        except OSError:
            return False
        try:
            tree = self._libc.syscall(_OPEN_TREE, -100, self._image.encode(), _CLONE_TREE | os.O_CLOEXEC)
            if tree < 0:
                return False
            try:
                attributes = (ctypes.c_uint64 * 4)(_IDMAP, 0, 0, names)  # struct mount_attr
                if self._libc.syscall(_MOUNT_SETATTR, tree, b"", _EMPTY_PATH, ctypes.byref(attributes), 32):
                    return False  # not every file system can
                moved = self._libc.syscall(_MOVE_MOUNT, tree, b"", -100, b"lower", _FROM_EMPTY_PATH)
                return not moved
            finally:
                os.close(tree)
        finally:
            os.close(names)

    def _user_namespace(self, users: str, groups: str) -> int:
        """A handle of a new user namespace with these maps. No process stays in it."""
        told, tell = os.pipe()
        child = os.fork()
        if not child:
            try:
                os.write(tell, b"y" if not self._libc.unshare(_NEW_USER) else b"n")
                signal.pause()
            finally:
                os._exit(0)
        try:
            if os.read(told, 1) != b"y":
                raise NoWritableRoot("no user namespaces")
            for name, text in (("uid_map", users), ("gid_map", groups)):
                with open(f"/proc/{child}/{name}", "w") as file:
                    file.write(text)
            return os.open(f"/proc/{child}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
        finally:
            os.close(told)
            os.close(tell)
            with contextlib.suppress(OSError):
                os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)

    def _mount(self, what: str | None, where: str, kind: str | None, flags: int, text: str | None) -> None:
        words = [os.fsencode(word) if word is not None else None for word in (what, where, kind, text)]
        result = self._libc.mount(words[0], words[1], words[2], ctypes.c_ulong(flags), words[3])
        self._call(result, f"mount of {kind or 'the image'}")

    @staticmethod
    def _call(result: int, what: str) -> None:
        if result:
            raise NoWritableRoot(f"{what}: {os.strerror(ctypes.get_errno())}")


def _mapping(owner: int, user: int) -> str:
    """Ids on the disk -> ids that are seen: the owner's is the user's, all others stay (the user's own is nobody's)."""
    first, second = sorted((owner, user))
    ranges = [(0, first - 1), (first + 1, second - 1), (second + 1, _LAST_ID)]
    same = [f"{low} {low} {high - low + 1}\n" for low, high in ranges if low <= high]
    return "".join([f"{owner} {user} 1\n", *same])
