"""The watcher's course: wait for the programs, keep the log, hold the time limit, hear wishes, write the end.

The server may be killed and started again at any moment of it. The order that makes this safe: the lock is held from
before the fork; a program passes its gate only after `gate.json` is there; the end is written once, after the last
process is dead and the log is on the disk.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time

from . import disk, files, memory
from .plain import Plain
from .sandbox import Sandbox
from .spawning import read

TYPE_CHECKING = False  # `typing` costs more time than all the rest of the watcher
if TYPE_CHECKING:
    from typing import Any, Protocol

    class Program(Protocol):
        """A container's processes: `sandbox.Sandbox` or `plain.Plain`."""

        output: int
        descriptors: set[int]
        identity: tuple[int, int] | None

        @property
        def ready(self) -> bool: ...
        @property
        def ended(self) -> bool: ...
        def feed(self, descriptor: int) -> None: ...
        def go(self) -> None: ...
        def terminate(self) -> None: ...
        def destroy(self) -> None: ...
        def finish(self) -> int | None: ...
        def resident_bytes(self, *, exactly: bool = False) -> int: ...


_SETUP_SECONDS = 60.0  # for a sandbox to be set up
_LONGEST_WAIT = 60.0


def main(folder: str, lock: int) -> None:
    """Watch the pod of `folder`; `lock` is the held lock, inherited and never handed on."""
    os.closerange(lock + 1, 1 << 30)  # whatever the server had inherited and left open is not the pod's
    os.set_inheritable(lock, False)
    os.chdir(folder)
    Watcher().run()
    sys.stderr.flush()
    os._exit(0)  # all is written; taking the interpreter apart would cost 3 ms


class Log:
    """A container's output, cut off at a number of bytes."""

    def __init__(self, name: str, limit: int) -> None:
        self._fd = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._left = limit
        self._tail = b""

    def write(self, data: bytes) -> None:
        self._tail = (self._tail + data)[-2000:]
        data = data[: self._left]
        self._left -= len(data)
        try:
            while data:
                data = data[os.write(self._fd, data) :]
        except OSError:
            self._left = 0  # the disk is full: the pod goes on, its log ends here

    def last_line(self) -> str:
        lines = [line for line in self._tail.decode(errors="replace").splitlines() if line.strip()]
        return lines[-1].strip() if lines else ""

    def close(self) -> None:
        try:
            os.fsync(self._fd)
        except OSError as exc:
            print(f"the log is perhaps not on the disk: {exc}", file=sys.stderr)
        os.close(self._fd)


class Watcher:
    def __init__(self) -> None:
        self._wake, wake = os.pipe()
        os.set_blocking(wake, False)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGTERM, lambda *_: None)  # a reason to look for wishes, no more
        for number in (signal.SIGXFSZ, signal.SIGHUP, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        files.put(".", files.WATCHER, {"pid": os.getpid(), "start": files.start_time(os.getpid())})
        plan = files.get(".", files.PLAN)
        if plan is None:
            raise FileNotFoundError(files.PLAN)
        self._plan: dict[str, Any] = plan
        seconds = plan["deadline_seconds"]
        self._deadline = time.monotonic() + seconds if seconds is not None else None
        self._why, self._problem = "", ""  # why it is being ended
        self._kill_at: float | None = None
        self._main_at: float | None = None
        self._group: memory.Group | None = None
        self._disk = disk.Disk([])

    def run(self) -> None:
        containers = self._plan["containers"]
        message = ""
        code = None
        try:
            self._disk = disk.Disk(self._plan.get("volumes", []))  # (a plan of an older version has none)
            stage = self._prepare(containers)
            for number, container in enumerate(containers):
                is_main = number == len(containers) - 1
                log = Log(files.LOG if is_main else f"init-{number}.log", self._plan["limits"]["log_bytes"])
                program: Program
                if self._plan["isolation"] == "sandbox":
                    program = Sandbox(self._plan, container, stage, self._group)
                else:
                    program = Plain(self._plan, container, self._group)
                why, code, message = self._watch(program, log, number, is_main=is_main)
                if is_main or why != "exited":
                    break
                if code != 0:
                    why, message = "init_failed", f"init container {number} ended with exit code {code}"
                    break
        except OSError as exc:
            why, message = "setup_failed", str(exc)
        if self._group is not None:
            self._group.remove()
        end: dict[str, Any] = {"why": why, "code": code if self._main_at is not None else None, "message": message}
        end |= {"started_at": self._main_at, "finished_at": time.time()}
        self._write_end(end)

    @staticmethod
    def _write_end(end: dict[str, Any]) -> None:
        """Until it is written. On a full disk the pod counts as running, which is better than as lost."""
        while True:
            try:
                files.put(".", files.END, end, durable=True)
            except FileNotFoundError:
                raise  # the pod was removed meanwhile
            except OSError as exc:
                print(f"the end of the pod cannot be written yet: {exc}", file=sys.stderr)
                time.sleep(1)
            else:
                return

    def _prepare(self, containers: list[dict[str, Any]]) -> Any:
        self._group = memory.Group.make(self._plan["marker"], self._plan["limits"]["memory_bytes"])
        if self._plan["user"] is None:
            return None
        from .stage import Stage  # ctypes, only where it is needed

        return Stage(containers, self._plan["user"])

    def _watch(self, program: Program, log: Log, number: int, *, is_main: bool) -> tuple[str, int | None, str]:
        opened = False
        setup_until = time.monotonic() + _SETUP_SECONDS
        output_open = True
        while output_open or not program.ended:
            self._hear(program, opened=opened)
            if not opened and not self._why:
                if program.ready:
                    opened = self._open(program, number, is_main=is_main)
                elif time.monotonic() > setup_until:
                    self._problem = "the sandbox was not ready in time"
                    self._end(program, "setup_failed", at_once=True)
            watched = [*program.descriptors, self._wake, *([program.output] if output_open else [])]
            for fd in select.select(watched, [], [], self._timeout(None if opened or self._why else setup_until))[0]:
                if fd == self._wake:
                    read(fd)
                elif fd == program.output:
                    data = read(fd)
                    output_open = bool(data)
                    log.write(data)
                else:
                    program.feed(fd)
            if opened and not self._group and not self._why and self._too_large(program):
                self._end(program, "out_of_memory", at_once=True)
            if opened and not self._why and (exceeded := self._disk.exceeded(self._root(program))):
                self._problem = exceeded
                self._end(program, "out_of_disk", at_once=True)
        if opened and not self._why:
            self._disk.look_now()  # it may have been quicker than the looks
            if exceeded := self._disk.exceeded(self._root(program)):
                self._why, self._problem = "out_of_disk", exceeded
        code = program.finish()
        log.close()
        return self._verdict(code, log, opened=opened)

    def _open(self, program: Program, number: int, *, is_main: bool) -> bool:
        assert program.identity is not None  # noqa: S101  (ready)
        pid, start = program.identity
        at = time.time()
        files.put(".", files.GATE, {"pid": pid, "start": start, "container": number, "main": is_main, "at": at})
        try:
            program.go()
        except OSError as exc:  # it ended at the gate, or its limits cannot be set
            self._problem = str(exc)
            self._end(program, "setup_failed", at_once=True)
            return False
        if is_main:
            self._main_at = at
        return True

    def _hear(self, program: Program, *, opened: bool) -> None:
        """Wishes and the time limit."""
        if files.exists(".", files.KILL):
            self._end(program, "stopped", at_once=True)
        elif not self._why and files.exists(".", files.STOP):
            self._end(program, "stopped", at_once=not opened)
        elif not self._why and self._deadline is not None and time.monotonic() >= self._deadline:
            self._end(program, "deadline", at_once=not opened)
        if self._kill_at is not None and time.monotonic() >= self._kill_at:
            program.destroy()
            self._kill_at = time.monotonic() + 1  # again, should it have been forking

    def _end(self, program: Program, why: str, *, at_once: bool) -> None:
        self._why = self._why or why
        if at_once:
            program.destroy()
            self._kill_at = time.monotonic() + 1
        else:
            program.terminate()
            self._kill_at = time.monotonic() + self._plan["grace_seconds"]

    def _timeout(self, setup_until: float | None) -> float:
        moments = [time.monotonic() + (_LONGEST_WAIT if self._group else memory.LOOK_SECONDS)]
        moments += [m for m in (self._kill_at, setup_until) if m is not None]
        if self._disk.next_look is not None and not self._why:
            moments.append(self._disk.next_look)
        if self._deadline is not None and not self._why:
            moments.append(self._deadline)
        return max(0.0, min(moments) - time.monotonic())

    def _root(self, program: Program) -> int:
        """All of the pod's processes are below this one; orphans of a plain process become ours."""
        assert program.identity is not None  # noqa: S101  (it was ready)
        return program.identity[0] if self._plan["isolation"] == "sandbox" else os.getpid()

    def _too_large(self, program: Program) -> bool:
        limit: int = self._plan["limits"]["memory_bytes"]
        return program.resident_bytes() > limit and program.resident_bytes(exactly=True) > limit

    def _verdict(self, code: int | None, log: Log, *, opened: bool) -> tuple[str, int | None, str]:
        if self._group is not None and self._group.exceeded():
            return "out_of_memory", code, ""
        if self._why:
            return self._why, code, self._problem
        if not opened:
            return "setup_failed", None, log.last_line().removeprefix("bwrap: ") or "the sandbox could not be set up"
        if code is None:
            return "lost", None, "the sandbox was killed from outside"
        return "exited", code, ""
