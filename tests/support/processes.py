"""The process table as a test sees it: whose command line or environment holds a text."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from provider_api.deploy.folder import DataFolder


@dataclass(frozen=True)
class Seen:
    """One living process. `in_sandbox`: it lives in another pid namespace than we."""

    pid: int
    cmdline: bytes
    environ: bytes
    in_sandbox: bool


def processes() -> Iterator[Seen]:
    """All but us. An environment that we may not read is left empty; zombies have no command line and are left out."""
    ours = os.readlink("/proc/self/ns/pid")
    for entry in os.listdir("/proc"):
        if not entry.isdigit() or int(entry) == os.getpid():
            continue
        folder = Path("/proc", entry)
        try:
            cmdline = (folder / "cmdline").read_bytes()
        except OSError:
            continue  # gone
        environ, space = b"", ""
        with contextlib.suppress(OSError):
            environ, space = (folder / "environ").read_bytes(), os.readlink(folder / "ns/pid")
        if cmdline:
            yield Seen(int(entry), cmdline, environ, space != ours)


def find_process(text: str) -> int | None:
    """A process with this text in its command line."""
    return next((seen.pid for seen in processes() if text.encode() in seen.cmdline), None)


def pods_of(folder: DataFolder) -> list[Seen]:
    """Living processes of pods of that data folder: watchers (their folder is in the command line) and sandboxes
    (the marker of the pod's plan is in the command line of each one's first process)."""
    place = f"{folder.argo / 'pods'}/".encode()
    markers = [marker for plan in (folder.argo / "pods").glob("*/plan.json") if (marker := _marker(plan))]
    return [seen for seen in processes() if place in seen.cmdline or any(m in seen.cmdline for m in markers)]


def pods_by_job(folder: DataFolder) -> dict[str, list[int]]:
    """The process ids of `pods_of`, by the job whose pod each belongs to."""
    found: dict[str, list[int]] = {}
    living = list(processes())
    for plan in (folder.argo / "pods").glob("*/plan.json"):
        signs = [f"{plan.parent}/".encode(), str(plan.parent).encode() + b"\0", *filter(None, [_marker(plan)])]
        pids = [seen.pid for seen in living if any(sign in seen.cmdline for sign in signs)]
        found.setdefault(plan.parent.name[:32], []).extend(pids)
    return {job: pids for job, pids in found.items() if pids}


def _marker(plan: Path) -> bytes | None:
    try:
        return json.loads(plan.read_text())["marker"].encode()  # type: ignore[no-any-return]
    except FileNotFoundError:
        return None


def die_with_parent(number: int) -> Callable[[], None]:
    """For `preexec_fn`: a child gets this signal when we are gone, however we went."""
    library = ctypes.CDLL(None, use_errno=True)
    return lambda: library.prctl(1, number)  # PR_SET_PDEATHSIG
