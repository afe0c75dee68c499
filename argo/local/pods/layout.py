"""What the inside of a pod's file system is made of, for each kind of image: a plain value for the watcher."""

from __future__ import annotations

import glob
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from argo.local.pods.images import Image
from argo.local.pods.interpreter import interpreter
from argo.local.pods.runtime import Container

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_MERGED = ("bin", "sbin", "lib", "lib64", "lib32", "libx32")  # beside /usr: links where it is merged, else folders
_ETC = ("alternatives", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime", "mime.types")
_ETC_NETWORK = ("resolv.conf", "hosts", "nsswitch.conf", "gai.conf", "services", "protocols", "ca-certificates", "pki")
_ETC_RUNTIMES = ("java*", "fonts", "R")  # where distributions keep parts of what lies below /usr
_OWN_ETC = {
    "/etc/passwd": "root:x:0:0::/:/bin/false\npod:x:1000:1000::/tmp:/bin/sh\n",
    "/etc/group": "root:x:0:\npod:x:1000:\n",
}
_OWN_HOSTS = {"/etc/hosts": "127.0.0.1 localhost pod\n::1 localhost\n"}


def environment(image: Image, container: Container) -> dict[str, str]:
    """PATH, HOME and TMPDIR of the image, then what the pod was given. Nothing of the server's environment."""
    path = SYSTEM_PATH
    if image.kind == "step" or image.python:
        path = f"{sys.prefix}/bin:{path}"
    return {"PATH": path, "HOME": "/tmp", "TMPDIR": "/tmp", "LANG": "C.UTF-8", **container.env}  # noqa: S108


def layout(image: Image, container: Container, *, network: bool, scratch: bool = False) -> dict[str, Any]:
    """`root`: the folder of an unpacked image where all of it is to be writable (`scratch`), else "" and the image is
    among `binds` [source, target, trusted], read-only; `links` [text, target]; `files` {target: text}; `mounts`
    [source, target, read-only]. `trusted` sources are parts of the machine or of this project, reached through links
    too; a mount's source was perhaps written by a pod, so no link on its way is followed.
    """
    mounts = [[str(m.source), _target(m.target), m.read_only] for m in container.mounts]
    mounts.sort(key=lambda m: str(m[1]).count("/"))
    binds: list[list[Any]] = []
    links: list[list[str]] = []
    files = dict(_OWN_ETC)
    root = ""
    if not network:
        files |= _OWN_HOSTS
    if image.kind == "folder":
        assert image.folder is not None  # noqa: S101  (Images.find checked it)
        names = _ETC_NETWORK if network else ()
        extra = [f"/etc/{n}" for n in names if n in ("resolv.conf", "hosts") and os.path.exists(f"/etc/{n}")]
        inner = [*(str(m[1]) for m in mounts), *files, *extra, "/proc", "/dev", "/tmp"]  # noqa: S108
        if scratch:
            root = str(image.folder)
        else:
            _expose(image.folder, "", inner, binds, links)
        binds += [[name, name, True] for name in extra]
    else:
        _machine(binds, links, network=network)
        if image.kind == "step" or image.python:
            needs = interpreter(packages=image.kind == "step")
            binds += [[path, path, True] for path in (*needs.folders, *needs.files)]
            links += [[text, path] for path, text in needs.links.items()]
    return {"root": root, "binds": binds, "links": links, "files": files, "mounts": mounts}


def translate(text: str, targets: Mapping[str, str]) -> str:
    """Without a mount namespace: `text` with a leading mount target replaced by its source (the longest that fits)."""
    for target in sorted(targets, key=len, reverse=True):
        if text == target or text.startswith(target.rstrip("/") + "/"):
            return targets[target] + text[len(target) :]
    return text


def _target(target: str) -> str:
    plain = os.path.normpath(target)
    if not plain.startswith("/") or plain == "/":
        raise OSError(f"a mount needs an absolute path in the pod: {target!r}")
    return plain


def _machine(binds: list[list[Any]], links: list[list[str]], *, network: bool) -> None:
    binds.append(["/usr", "/usr", True])
    for name in _MERGED:
        path = f"/{name}"
        if os.path.islink(path):
            links.append([os.readlink(path), path])
        elif os.path.isdir(path):
            binds.append([path, path, True])
    links.append(["/tmp", "/var/tmp"])  # noqa: S108
    names = [*_ETC, "ssl/certs", "ssl/openssl.cnf", *(_ETC_NETWORK if network else ())]
    names += [os.path.basename(path) for pattern in _ETC_RUNTIMES for path in sorted(glob.glob(f"/etc/{pattern}"))]
    binds += [[f"/etc/{name}", f"/etc/{name}", True] for name in names if os.path.exists(f"/etc/{name}")]


def _expose(folder: Path, inside: str, targets: list[str], binds: list[list[Any]], links: list[list[str]]) -> None:
    """Bind an image folder entry by entry, opening up those in which mount points must be made.

    A read-only bound folder cannot get new entries, so a folder on the way to a mount is bound by its children.
    """
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda e: e.name):
            path = f"{inside}/{entry.name}"
            if path in targets:
                continue
            if entry.is_symlink():
                links.append([os.readlink(entry.path), path])
            elif entry.is_dir() and any(t.startswith(path + "/") for t in targets):
                _expose(Path(entry.path), path, targets, binds, links)
            elif entry.is_dir() or entry.is_file():
                binds.append([entry.path, path, True])
