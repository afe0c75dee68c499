"""The files of a pod's folder, and how processes are named in them.

| file         | written by | says |
| ------------ | ---------- | ---- |
| plan.json    | server     | everything the watcher must know; durable before anything starts |
| lock         | server     | held (flock) by the watcher as long as it lives |
| stop, kill   | server     | the wish that the pod ends (after its grace period; now) |
| watcher.json | watcher    | its pid and start time: from here on it reacts to SIGTERM by looking for wishes |
| gate.json    | watcher    | a program of the pod was let go: its first process, which container, when |
| log          | watcher    | output of the main container; init containers have init-0.log, init-1.log … |
| end.json     | watcher, or the server for a dead watcher | how the pod ended; durable |
"""

from __future__ import annotations

import json
import os

TYPE_CHECKING = False  # `typing` costs more time than all the rest of the watcher
if TYPE_CHECKING:
    from typing import Any

PLAN, LOCK, STOP, KILL = "plan.json", "lock", "stop", "kill"
WATCHER, GATE, LOG, END = "watcher.json", "gate.json", "log", "end.json"


def put(folder: str, name: str, value: Any, *, durable: bool = False) -> None:
    """Write `value` as JSON so that a reader sees all of it or nothing; `durable`: also after a loss of power."""
    # By itself what ocean.kit.atomic does: the watcher runs without our packages on its path (pods/launch.py).
    hidden = os.path.join(folder, f".{name}.{os.getpid()}")
    with open(os.open(hidden, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "w") as file:
        json.dump(value, file)
        if durable:
            file.flush()
            os.fsync(file.fileno())
    os.rename(hidden, os.path.join(folder, name))
    if durable:
        directory = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)


def get(folder: str, name: str) -> dict[str, Any] | None:
    """What `put` wrote, or None."""
    try:
        with open(os.path.join(folder, name)) as file:
            value: dict[str, Any] = json.load(file)
            return value
    except FileNotFoundError:
        return None


def exists(folder: str, name: str) -> bool:
    return os.path.exists(os.path.join(folder, name))


def start_time(pid: int) -> int:
    """When the process started, in clock ticks after boot: pid and start time together name a process for ever.

    Raises OSError when there is no such process.
    """
    with open(f"/proc/{pid}/stat", "rb") as file:
        return int(file.read().rsplit(b") ", 1)[1].split()[19])


def open_process(pid: int, started: int) -> int | None:
    """A pidfd of exactly that process, or None when it is gone. A zombie counts as a process: ask the pidfd."""
    try:
        fd = os.pidfd_open(pid)
    except OSError:
        return None
    try:
        if start_time(pid) == started:
            return fd
    except OSError:
        pass  # it ended in this moment
    os.close(fd)
    return None


def boot_id() -> str:
    """Another value after each boot of the machine."""
    with open("/proc/sys/kernel/random/boot_id") as file:
        return file.read().strip()
