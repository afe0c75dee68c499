"""One container as a plain process, for trusted images where there are no sandboxes.

It has a session of its own and nothing else: it sees this machine's files, network and processes as the server's user
does. What it leaves running is found in two ways: orphans become children of the watcher, and all carry a marker in
their environment (for the server, should the watcher be killed).
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import time

from . import files, memory, spawning

TYPE_CHECKING = False  # `typing` costs more time than all the rest of the watcher
if TYPE_CHECKING:
    from typing import Any

MARKER = "C2D_POD_MARKER"
_SET_CHILD_SUBREAPER = 36
_SWEEP_SECONDS = 5.0


class Plain:
    """Same face as `Sandbox`."""

    def __init__(self, plan: dict[str, Any], container: dict[str, Any], group: memory.Group | None) -> None:
        ctypes.CDLL(None).prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        self.output, log = os.pipe()
        hold, self._gate = os.pipe()
        null = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)

        def prepare() -> None:
            os.setsid()
            os.close(self._gate)  # so that the end of the watcher is the end of the wait
            spawning.prepare(plan, group)
            if not os.read(hold, 1):
                os._exit(125)
            os.chdir(container["cwd"])

        env = memory.advice(plan["limits"]["memory_bytes"]) | container["env"] | {MARKER: plan["marker"]}
        self._pid = spawning.spawn(container["argv"], env, streams=(null, log, log), keep=[], prepare=prepare)
        for fd in (log, hold, null):
            os.close(fd)
        self._process = os.pidfd_open(self._pid)
        self.identity: tuple[int, int] | None = (self._pid, files.start_time(self._pid))
        self.ready, self.ended = True, False
        self.descriptors = {self._process}
        self._code: int | None = None

    def feed(self, descriptor: int) -> None:
        """Its process has ended: learn the code and end what it left behind."""
        self.descriptors.discard(descriptor)
        code = os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])
        self._code = code if code >= 0 else 128 - code
        self.ended = True
        self._sweep()

    def go(self) -> None:
        os.write(self._gate, b"g")

    def terminate(self) -> None:
        with contextlib.suppress(OSError):
            os.killpg(self._pid, signal.SIGTERM)

    def destroy(self) -> None:
        if not self.ended:
            with contextlib.suppress(OSError):
                signal.pidfd_send_signal(self._process, signal.SIGKILL)

    def finish(self) -> int | None:
        for fd in (self._process, self._gate, self.output):
            os.close(fd)
        return self._code

    def resident_bytes(self, *, exactly: bool = False) -> int:
        return memory.resident_bytes(os.getpid(), exactly=exactly)

    def _sweep(self) -> None:
        """Kill our children until there are none: the death of each makes its children ours."""
        limit = time.monotonic() + _SWEEP_SECONDS
        while time.monotonic() < limit:
            with open(f"/proc/self/task/{os.getpid()}/children") as children:
                found = [int(pid) for pid in children.read().split()]
            if not found:
                return
            for pid in found:
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
                    os.waitpid(pid, 0)
