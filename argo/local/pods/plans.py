"""From a pod's specification to the plan its watcher follows: one JSON document, durable before anything starts."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Any, Literal

from argo.local.pods import layout
from argo.local.pods.images import Image
from argo.local.pods.watcher import files, stage
from argo.local.runtime import Container, Mount, PodSpec


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
    inside = layout.layout(image, container, network=spec.network)
    env = layout.environment(image, container)
    return {"argv": list(container.command), "env": env, "cwd": container.working_dir, "inside": inside}


def _plain(folder: Path, image: Image, container: Container) -> dict[str, Any]:
    """Without a mount namespace: paths of mounts in words and variables become the paths of their sources."""
    targets = {os.path.normpath(m.target): str(m.source) for m in container.mounts}
    tmp = folder / "tmp"
    tmp.mkdir(mode=0o700, exist_ok=True)
    usual = layout.environment(image, container)
    env = {"HOME": str(tmp), "TMPDIR": str(tmp), "PATH": usual["PATH"], "LANG": usual["LANG"]}
    env |= {name: layout.translate(value, targets) for name, value in container.env.items()}
    argv = [layout.translate(word, targets) for word in container.command]
    return {"argv": argv, "env": env, "cwd": layout.translate(container.working_dir, targets)}
