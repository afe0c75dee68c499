"""What a pod leaves when its watcher was killed: find it, end it, and say that the pod is lost."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from typing import Any, Literal

from argo.local.pods.watcher import files, memory
from ocean.kit.digits import is_digits

_SWEEP_SECONDS = 3.0
_KERNEL_THREAD = 0x00200000


def end_lost(folder: str, plan: dict[str, Any]) -> dict[str, Any]:
    """End the pod's processes and write its end. The caller holds the folder's lock, so no watcher lives."""
    message = "the process that watched the pod was killed"
    gate = files.get(folder, files.GATE)
    if plan["boot"] != files.boot_id():
        message = "the machine was started again"  # pids and start times of then mean nothing now
    else:
        if gate is not None and (process := files.open_process(gate["pid"], gate["start"])) is not None:
            _kill(process)
        sweep(plan)
    started = gate["at"] if gate is not None and gate["main"] else None
    end = {"why": "lost", "code": None, "message": message, "started_at": started, "finished_at": time.time()}
    files.put(folder, files.END, end, durable=True)
    return end


def sweep(plan: dict[str, Any]) -> None:
    """Kill all processes that carry the pod's marker in command line or environment, then remove its memory group.

    Within a sandbox the marker is in the first process, and its end is the end of all. The caller holds the folder's
    lock. A child that the watcher had forked keeps that lock until it becomes another program; in the very moment of
    becoming it has neither lock nor words, which is waited for. Two looks must find nothing: a process that is listed
    may have had a child and died before it is looked at (seen with bubblewrap during its set-up).
    """
    wanted = plan["marker"].encode()
    user = os.geteuid() if plan["user"] is None else plan["user"]
    limit = time.monotonic() + _SWEEP_SECONDS
    quiet = 0
    while quiet < 2 and time.monotonic() < limit:
        looks = {pid: _look(pid, wanted, user) for pid in _processes()}
        found = [pid for pid, look in looks.items() if look == "ours"]
        quiet = 0 if found or "unclear" in looks.values() else quiet + 1
        for pid in found:
            with contextlib.suppress(OSError):
                process = os.pidfd_open(pid)
                if _look(pid, wanted, user) == "ours":
                    _kill(process)
                else:
                    os.close(process)
        if not found and not quiet:
            time.sleep(0.001)
    memory.remove_group(plan["marker"])


def _kill(process: int) -> None:
    """SIGKILL through a pidfd, wait until it is dead, close the pidfd."""
    try:
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(process, signal.SIGKILL)
        select.select([process], [], [], 10)
    finally:
        os.close(process)


def _processes() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if is_digits(name) and int(name) != os.getpid()]


def _look(pid: int, wanted: bytes, user: int) -> Literal["ours", "other", "unclear"]:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            command = file.read()
        if wanted in command:
            return "ours"
        if _user(pid) != user:
            return "other"
        if not command:
            with open(f"/proc/{pid}/stat", "rb") as file:
                fields = file.read().rsplit(b") ", 1)[1].split()
            ended_or_kernel = fields[0] in b"ZX" or int(fields[6]) & _KERNEL_THREAD
            return "other" if ended_or_kernel else "unclear"
        with open(f"/proc/{pid}/environ", "rb") as file:
            return "ours" if wanted in file.read() else "other"
    except OSError:
        return "other"  # gone, or not ours to look at


def _user(pid: int) -> int:
    """Real user id. (The owner of /proc/PID is root for a process that is just becoming another program.)"""
    with open(f"/proc/{pid}/status", "rb") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(b"Uid:"))
