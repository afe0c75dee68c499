"""Files and folders of a pod on this machine: made before it starts, read and removed after it has ended.

As root a pod runs as the owner of its volume, so what is made for it gets that owner. What pods have written is read
without following a link.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Final

from argo.local.pods import trees
from argo.local.pods.runtime import PodRuntime
from argo.local.workflows.pod_spec import Output, PodImpossible, PodPlan

MAX_OUTPUT_BYTES: Final = 256 * 1024  # of one output parameter


def prepare(plan: PodPlan, runtime: PodRuntime, volumes: Path) -> None:
    """Make everything the pod's mounts refer to. Safe to repeat. Raises PodImpossible, OSError."""
    plan.files_folder.mkdir(mode=0o711, parents=True, exist_ok=True)
    owner: int | None = None
    for mount in plan.spec.main.mounts:
        volume = _volume_of(mount.source, volumes)
        if volume is not None:
            runtime.prepare_volume(volume)
            owner = volume.stat().st_uid
    for volume, sub_path in plan.subfolders:
        try:
            made = trees.subfolder(volume, sub_path)
            if _volume_of(volume, volumes) is None:  # of a claim that pods of many jobs mount: this one's own folder
                _give(made, owner)
                made.chmod(0o700)
        except trees.NotPlain as exc:
            raise PodImpossible(f"failed to prepare subPath for volumeMount: {exc}") from exc
    if owner is None and (plan.folders or plan.files or plan.secrets):  # a pod without a volume
        runtime.prepare_volume(plan.files_folder / "owner")
        owner = (plan.files_folder / "owner").stat().st_uid
    for folder in plan.folders:
        _folder(folder)
        _give(folder, owner)
    for file, text in plan.files.items():
        _folder(file.parent)
        _write(file, text.encode(), owner)
    for copy, source in plan.secrets.items():
        _folder(copy)
        for item in sorted(source.iterdir()):
            if item.is_file():
                _write(copy / item.name, item.read_bytes(), owner)
        _give(copy, owner)


def forget_inputs(files_folder: Path) -> None:
    """Remove what only a running pod needs: its secrets and its raw artifacts."""
    for name in ("secrets", "inputs"):
        shutil.rmtree(files_folder / name, ignore_errors=True)


def read_output(output: Output) -> str | None:
    """The text of an output parameter, without one trailing newline; its default, or None, where there is no file."""
    try:
        data = trees.read_file(output.root, output.relative, max_bytes=MAX_OUTPUT_BYTES)
    except OSError:
        data = None
    return output.default if data is None else data.decode(errors="replace").removesuffix("\n")


def remove(folder: Path) -> None:
    """Remove a volume, or the files of a pod, whatever modes a pod has given to what is in there."""
    if folder.is_symlink() or folder.exists():
        trees.remove_tree(folder)


def _volume_of(source: Path, volumes: Path) -> Path | None:
    if not source.is_relative_to(volumes):
        return None
    return volumes / source.relative_to(volumes).parts[0]


def _folder(folder: Path) -> None:
    folder.mkdir(mode=0o711, parents=True, exist_ok=True)


def _write(file: Path, data: bytes, owner: int | None) -> None:
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with open(handle, "wb") as out:
        out.write(data)
    _give(file, owner)


def _give(path: Path, owner: int | None) -> None:
    if owner is not None and os.geteuid() == 0:
        os.chown(path, owner, owner, follow_symlinks=False)
