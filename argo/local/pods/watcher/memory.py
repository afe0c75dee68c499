"""The memory limit of a pod: a control group where we may make one (root), or else a look every 0.1 s.

A control group counts all processes and memory file systems and is exact. The look sums what the processes have
resident; measured with a fast growing program and a limit of 512 MiB: ended at 530 to 555 MiB. Whether a pod ran out of
memory is told by the group's counters, not by exit codes: 137 is also an ordinary SIGKILL, and a killed child leaves
its parent at 0.
"""

from __future__ import annotations

import contextlib
import os
import time

TYPE_CHECKING = False  # `typing` costs more time than all the rest of the watcher
if TYPE_CHECKING:
    from collections.abc import Iterator

LOOK_SECONDS = 0.1
_V1, _V2 = "/sys/fs/cgroup/memory", "/sys/fs/cgroup"
_PAGE = os.sysconf("SC_PAGE_SIZE")


class Group:
    """A memory control group, version 1 or 2."""

    def __init__(self, path: str, version: int) -> None:
        self.path, self.version = path, version

    @classmethod
    def make(cls, name: str, limit: int) -> Group | None:
        """A group with that limit, or None where this machine or our rights do not allow one."""
        for parent, version in ((_V1, 1), (_V2, 2)):
            if not os.path.exists(f"{parent}/{'memory.limit_in_bytes' if version == 1 else 'cgroup.subtree_control'}"):
                continue
            group = cls(f"{parent}/{name}", version)
            try:
                os.mkdir(group.path)
            except OSError:
                continue
            try:
                group._limit(limit)
            except OSError:
                group.remove()
                continue
            return group
        return None

    def _limit(self, limit: int) -> None:
        if self.version == 1:
            _write(f"{self.path}/memory.limit_in_bytes", str(limit))
            with contextlib.suppress(OSError):  # only where swap is counted
                _write(f"{self.path}/memory.memsw.limit_in_bytes", str(limit))
        else:
            _write(f"{self.path}/memory.max", str(limit))
            with contextlib.suppress(OSError):
                _write(f"{self.path}/memory.swap.max", "0")
            with contextlib.suppress(OSError):
                _write(f"{self.path}/memory.oom.group", "1")

    def enter(self) -> None:
        """Put this process into the group; its children start there."""
        _write(f"{self.path}/cgroup.procs", str(os.getpid()))

    def exceeded(self) -> bool:
        """Whether the kernel has ended a process of the group for want of memory."""
        name = "memory.oom_control" if self.version == 1 else "memory.events"
        with open(f"{self.path}/{name}") as file:
            counters = dict(line.split() for line in file if len(line.split()) == 2)
        return int(counters.get("oom_kill", 0)) > 0

    def remove(self) -> None:
        """Remove the group; its processes are dead. The kernel may need a moment to notice."""
        for _ in range(100):
            try:
                os.rmdir(self.path)
            except FileNotFoundError:
                return
            except OSError:
                time.sleep(0.005)
            else:
                return


def advice(limit: int) -> dict[str, str]:
    """Variables by which language runtimes learn of a limit that they cannot see from inside (there is no /sys): a JVM
    would take a quarter of the whole machine as its heap, Node its own guess, and Go no limit at all."""
    return {
        "JAVA_TOOL_OPTIONS": f"-XX:MaxRAM={limit}",
        "NODE_OPTIONS": f"--max-old-space-size={max(16, limit * 3 // 4 >> 20)}",
        "GOMEMLIMIT": str(limit * 9 // 10),
    }


def remove_group(name: str) -> None:
    """Remove the group of a pod whose watcher died."""
    for parent, version in ((_V1, 1), (_V2, 2)):
        if os.path.isdir(f"{parent}/{name}"):
            Group(f"{parent}/{name}", version).remove()


def resident_bytes(root: int, *, exactly: bool = False) -> int:
    """What a process and all below it have resident. Shared pages count for each, unless `exactly` (slower)."""
    total = 0
    for pid in processes(root):
        with contextlib.suppress(OSError, ValueError):  # it ended in this moment
            total += (_proportional(pid) if exactly else None) or _resident(pid)
    return total


def processes(root: int) -> Iterator[int]:
    """A process and all below it."""
    waiting = [root]
    while waiting:
        pid = waiting.pop()
        yield pid
        with contextlib.suppress(OSError, ValueError):  # it ended in this moment
            for thread in os.listdir(f"/proc/{pid}/task"):
                with open(f"/proc/{pid}/task/{thread}/children") as file:
                    waiting += [int(child) for child in file.read().split()]


def _resident(pid: int) -> int:
    with open(f"/proc/{pid}/statm") as file:
        return int(file.read().split()[1]) * _PAGE


def _proportional(pid: int) -> int | None:
    try:
        with open(f"/proc/{pid}/smaps_rollup") as file:
            for line in file:
                if line.startswith("Pss:"):
                    return int(line.split()[1]) * 1024
    except PermissionError:
        pass
    return None


def _write(path: str, text: str) -> None:
    with open(path, "w") as file:
        file.write(text)
