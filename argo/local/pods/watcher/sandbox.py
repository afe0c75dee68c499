"""One container as a bubblewrap sandbox: start it, hold it at its gate, end it, learn its exit code.

bubblewrap answers on its status descriptor, line by line and in pieces: the first line names the first process of the
pod's pid namespace; a line with the exit code comes only when the program ran, which tells a failed set-up from exit 1.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import select
import signal
from _socket import socketpair  # `socket` adds methods that are not used here, for 2 ms

from . import files, memory, options, seccomp, spawning

TYPE_CHECKING = False  # `typing` costs more time than all the rest of the watcher
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .stage import Stage

_STATUS_BYTES = 1 << 16  # two short lines are expected


class Sandbox:
    """`descriptors` are to be watched and fed; `output` is the read end of both streams."""

    def __init__(
        self, plan: dict[str, Any], container: dict[str, Any], stage: Stage | None, group: memory.Group | None
    ) -> None:
        self._plan, self._user = plan, plan["user"]
        self._kept: list[int] = []
        self._status_text, self._answered, self._doomed = b"", False, False
        self.identity: tuple[int, int] | None = None  # pid and start time of the namespace's first process
        self._first = -1  # its pidfd
        self._gate, inner = socketpair()
        self.output, log = os.pipe()
        self._status, status = os.pipe()
        root = self._root(container["inside"], stage)
        advice = memory.advice(plan["limits"]["memory_bytes"])
        words = options.options(
            plan,
            container | {"env": advice | container["env"]},
            source=stage.source if stage else str,
            data=lambda text: self._memory_file("data", text.encode()),
            seccomp=self._memory_file("seccomp", seccomp.program()),
            status=status,
            root=root[0],
        )
        packed = self._memory_file("args", b"\0".join(word.encode(errors="surrogateescape") for word in words) + b"\0")
        command = [plan["bwrap"], "--args", str(packed), "--", "/bin/sh", "-c", options.GATE, plan["marker"]]
        command += container["argv"]
        try:
            self._bwrap = spawning.spawn(
                command,
                {},
                streams=(inner.fileno(), log, log),
                keep=[*self._kept, status],
                prepare=lambda: spawning.prepare(plan, group, root[1]),
                own_group=True,
            )
        finally:
            for fd in (log, status, *self._kept):
                os.close(fd)
            inner.close()
        self.descriptors = {self._status, self._gate.fileno()}

    def _root(self, inside: dict[str, Any], stage: Stage | None) -> tuple[str, Callable[[], None] | None]:
        """Where a writable root over the image will be, and what lays it; nothing where the pod has none."""
        if not inside.get("root"):  # (plans of older versions never have one)
            return "", None
        from . import layers  # ctypes, only where it is needed

        source = stage.source if stage else str
        image, place = source(inside["root"]), stage.ROOT if stage else os.path.abspath("root")
        targets = {target: os.path.isdir(source(origin)) for origin, target, _ in (*inside["binds"], *inside["mounts"])}
        targets |= dict.fromkeys(inside["files"], False) | dict.fromkeys(layers.MOUNT_POINTS, True)
        size = options.ROOT_BYTES + self._plan["limits"]["scratch_bytes"]
        return f"{place}/{layers.MERGED}", lambda: layers.lay(image, place, targets, size=size, user=self._user)

    def _memory_file(self, name: str, content: bytes) -> int:
        fd = os.memfd_create(name)
        os.write(fd, content)
        os.lseek(fd, 0, os.SEEK_SET)
        if self._user is not None:
            os.fchown(fd, self._user, self._user)
        self._kept.append(fd)
        return fd

    @property
    def ready(self) -> bool:
        """Whether it waits at the gate, named."""
        return self._answered and self.identity is not None

    @property
    def ended(self) -> bool:
        return self._status not in self.descriptors

    def feed(self, descriptor: int) -> None:
        """Take what a descriptor has to say."""
        data = spawning.read(descriptor)
        if not data:
            self.descriptors.discard(descriptor)
        elif descriptor == self._status:
            self._status_text = (self._status_text + data)[:_STATUS_BYTES]
            if self.identity is None and b"\n" in self._status_text:
                self._name(json.loads(self._status_text.split(b"\n")[0])["child-pid"])
        else:
            self._answered = True

    def _name(self, pid: int) -> None:
        with contextlib.suppress(OSError):  # a failed set-up has ended it already
            self._first = os.pidfd_open(pid)
            self.identity = (pid, files.start_time(pid))
        if self._doomed:
            self.destroy()

    def go(self) -> None:
        """Limit the number of processes and open the gate. Raises OSError, also when the pod has ended at the gate."""
        assert self.identity is not None  # noqa: S101  (ready)
        first = self.identity[0]
        with open(f"/proc/{first}/task/{first}/children") as children:
            waiting = [int(pid) for pid in children.read().split()]
        count = self._plan["limits"]["processes"]

        def limit() -> None:  # set before bubblewrap, it would count all processes of the user on the machine
            for pid in waiting:
                resource.prlimit(pid, resource.RLIMIT_NPROC, (count, count))

        spawning.as_user(self._user, limit)  # root without CAP_SYS_RESOURCE may not, the pod's own user may
        self._gate.send(b"g\n")

    def terminate(self) -> None:
        """SIGTERM to the program and its children; the namespace's first process would ignore it."""
        if self.identity is not None:
            with contextlib.suppress(OSError):
                os.killpg(os.getpgid(self.identity[0]), signal.SIGTERM)

    def destroy(self) -> None:
        """SIGKILL to the namespace, which ends all its processes.

        Before its first process is named: to the process group of bubblewrap. Its outer process alone must not be
        killed, the inner one would wait for it for ever; and once the inner one has left the group, its name is on the
        way and it is killed when that arrives.
        """
        self._doomed = True
        with contextlib.suppress(OSError):
            if self._first >= 0:
                signal.pidfd_send_signal(self._first, signal.SIGKILL)
            else:
                os.killpg(self._bwrap, signal.SIGKILL)

    def finish(self) -> int | None:
        """Wait until nothing of it lives; the exit code, None when no program ran or it was killed from outside."""
        os.waitpid(self._bwrap, 0)
        if self._first >= 0:
            select.select([self._first], [], [])  # ready when the last process of the namespace is dead
            os.close(self._first)
        for fd in (self._status, self.output):
            os.close(fd)
        self._gate.close()
        for line in self._status_text.splitlines()[1:]:
            try:
                code: int = json.loads(line)["exit-code"]
            except (ValueError, KeyError):
                continue  # cut off, when bubblewrap was killed while it wrote
            return code
        return None

    def resident_bytes(self, *, exactly: bool = False) -> int:
        return memory.resident_bytes(self.identity[0], exactly=exactly) if self.identity else 0
