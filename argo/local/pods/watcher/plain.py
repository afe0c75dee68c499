"""One container as a plain process, for trusted images where there are no sandboxes.

It has a session of its own and a marker in its environment, and nothing else: it sees this machine's files, network and
processes as the server's user does. Children that leave the session are found by the marker.
"""

from __future__ import annotations

import contextlib
import os
import signal

from . import files, memory, spawning

TYPE_CHECKING = False  # `typing` costs more time than all the rest of the watcher
if TYPE_CHECKING:
    from typing import Any

MARKER = "C2D_POD_MARKER"


class Plain:
    """Same face as `Sandbox`."""

    def __init__(self, plan: dict[str, Any], container: dict[str, Any], group: memory.Group | None) -> None:
        self._marker = f"{MARKER}={plan['marker']}".encode()
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

        env = container["env"] | {MARKER: plan["marker"]}
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
        self._code = os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])
        if self._code < 0:
            self._code = 128 - self._code
        self.ended = True
        self._sweep()

    def go(self) -> None:
        os.write(self._gate, b"g")

    def terminate(self) -> None:
        with contextlib.suppress(OSError):
            os.killpg(self._pid, signal.SIGTERM)

    def destroy(self) -> None:
        with contextlib.suppress(OSError):
            signal.pidfd_send_signal(self._process, signal.SIGKILL)
        self._sweep()

    def finish(self) -> int | None:
        for fd in (self._process, self._gate, self.output):
            os.close(fd)
        return self._code

    def resident_bytes(self, *, exactly: bool = False) -> int:
        return memory.resident_bytes(self._pid, exactly=exactly)

    def _sweep(self) -> None:
        """Kill all that carry the marker, until a look finds none."""
        for _ in range(50):
            found = [pid for pid in os.listdir("/proc") if pid.isdigit() and self._ours(pid)]
            if not found:
                return
            for pid in found:
                with contextlib.suppress(OSError):
                    os.kill(int(pid), signal.SIGKILL)

    def _ours(self, pid: str) -> bool:
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                return self._marker in file.read().split(b"\0")
        except OSError:
            return False
