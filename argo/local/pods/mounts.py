"""From a pod's specification to the plan its watcher follows: one JSON document, durable before anything starts."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
import tempfile
from pathlib import Path
from typing import Any, Literal

from argo.local.pods import layout
from argo.local.pods.images import Image
from argo.local.pods.runtime import Container, Mount, PodSpec
from argo.local.pods.watcher import files, stage

_ONE_WORD = re.compile(r"[A-Za-z0-9_./+@%:,=-]*")


def make_plan(
    folder: Path,
    spec: PodSpec,
    containers: list[tuple[Image, Container]],
    *,
    isolation: Literal["sandbox", "process"],
    bwrap: str,
    user: int | None,
) -> dict[str, Any]:
    """`containers`: those of `spec` with their images, in order, main last. `user`: whom the pod runs as (None: as us).

    Raises OSError for a mount whose source is missing or leads through a link, and for text that no program can get.
    """
    for _, container in containers:
        words = (*container.command, *container.env, *container.env.values(), container.working_dir)
        if any("\0" in word for word in (*words, *(mount.target for mount in container.mounts))):
            raise OSError("a NUL character cannot be part of a command, a variable or a path")
    for mount in mounts(spec):
        os.close(stage.open_plain(str(mount.source)))
    return {
        "name": spec.name,
        "marker": f"c2d-pod-{secrets.token_hex(12)}",
        "boot": files.boot_id(),
        "isolation": isolation,
        "bwrap": bwrap,
        "user": user,
        "network": spec.network,
        "deadline_seconds": spec.deadline_seconds,
        "grace_seconds": spec.grace_seconds,
        "limits": {name: getattr(spec.limits, name) for name in spec.limits.__slots__},
        "volumes": [
            {"path": str(each.path), "bytes": each.bytes, "name": each.name, "limit": each.limit}
            for each in spec.volumes
        ],
        "containers": [
            _sandboxed(spec, *pair) if isolation == "sandbox" else _plain(folder, *pair) for pair in containers
        ],
    }


def mounts(spec: PodSpec) -> list[Mount]:
    """All mounts of a pod, writable ones first."""
    return sorted((m for c in (spec.main, *spec.init) for m in c.mounts), key=lambda m: m.read_only)


def _sandboxed(spec: PodSpec, image: Image, container: Container) -> dict[str, Any]:
    inside = layout.layout(image, container, network=spec.network, scratch=bool(spec.limits.scratch_bytes))
    env = layout.environment(image, container)
    return {"argv": list(container.command), "env": env, "cwd": container.working_dir, "inside": inside}


class Aliases:
    """Paths that a shell takes for one word. An algorithm may write `cat $INPUTS`: in a cluster no path has a blank.

    They lead through one link in the system's folder for temporary files, which goes with the pod.
    """

    def __init__(self, folder: Path) -> None:
        self._root, self._link = str(folder.parent.parent), alias_of(folder)

    def of(self, path: str) -> str:
        """Raises OSError where the link cannot be made, or another one is in its place."""
        if _ONE_WORD.fullmatch(path) or not path.startswith(self._root + "/"):
            return path
        with contextlib.suppress(FileExistsError):
            os.symlink(self._root, self._link)
        if os.lstat(self._link).st_uid != os.geteuid() or os.readlink(self._link) != self._root:
            raise FileExistsError(f"{self._link} is in the way")
        return self._link + path[len(self._root) :]


def alias_of(folder: Path) -> str:
    """The link that stands for the data folder in paths of the pod of `folder`, where one is needed."""
    name = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
    return os.path.join(tempfile.gettempdir(), f"c2d-{os.geteuid()}-{name}")


def _plain(folder: Path, image: Image, container: Container) -> dict[str, Any]:
    """Without a mount namespace: paths of mounts in words and variables become the paths of their sources."""
    aliases = Aliases(folder)
    targets = {os.path.normpath(m.target): aliases.of(str(m.source)) for m in container.mounts}
    (folder / "tmp").mkdir(mode=0o700, exist_ok=True)
    tmp = aliases.of(str(folder / "tmp"))
    usual = layout.environment(image, container)
    env = {"HOME": tmp, "TMPDIR": tmp, "PATH": usual["PATH"], "LANG": usual["LANG"]}
    env |= {name: layout.translate(value, targets) for name, value in container.env.items()}
    argv = [layout.translate(word, targets) for word in container.command]
    return {"argv": argv, "env": env, "cwd": layout.translate(container.working_dir, targets)}
