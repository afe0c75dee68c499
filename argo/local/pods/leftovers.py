"""What a pod leaves when its watcher was killed: find it, end it, and say that the pod is lost."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from typing import Any

from argo.local.pods.watcher import files, memory

_SWEEPS = 50


def end_lost(folder: str, plan: dict[str, Any]) -> dict[str, Any]:
    """End the pod's processes and write its end. The caller holds the folder's lock, so no watcher lives."""
    message = "the process that watched the pod was killed"
    gate = files.get(folder, files.GATE)
    if plan["boot"] != files.boot_id():
        message = "the machine was started again"  # pids and start times of then mean nothing now
    else:
        if gate is not None and (process := files.open_process(gate["pid"], gate["start"])) is not None:
            _kill(process)
        sweep(plan["marker"])
        memory.remove_group(plan["marker"])
    started = gate["at"] if gate is not None and gate["main"] else None
    end = {"why": "lost", "code": None, "message": message, "started_at": started, "finished_at": time.time()}
    files.put(folder, files.END, end, durable=True)
    return end


def sweep(marker: str) -> None:
    """Kill all processes that carry the pod's marker in their command line or environment, and wait for them.

    Within a sandbox the marker is in the first process, and its end is the end of all.
    """
    wanted = marker.encode()
    for _ in range(_SWEEPS):
        found = [pid for pid in _processes() if _carries(pid, wanted)]
        if not found:
            return
        for pid in found:
            with contextlib.suppress(OSError):
                process = os.pidfd_open(pid)
                if _carries(pid, wanted):
                    _kill(process)
                else:
                    os.close(process)


def _kill(process: int) -> None:
    """SIGKILL through a pidfd, wait until it is dead, close the pidfd."""
    try:
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(process, signal.SIGKILL)
        select.select([process], [], [], 10)
    finally:
        os.close(process)


def _processes() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit() and int(name) != os.getpid()]


def _carries(pid: int, wanted: bytes) -> bool:
    for name in ("cmdline", "environ"):
        try:
            with open(f"/proc/{pid}/{name}", "rb") as file:
                if wanted in file.read():
                    return True
        except OSError:
            continue  # gone, or of another user
    return False
