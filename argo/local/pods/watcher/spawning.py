"""Starting a program from the watcher, which has one thread: fork, prepare, exec."""

from __future__ import annotations

import contextlib
import os
import resource
import signal

from . import memory

TYPE_CHECKING = False  # `typing` costs more time than all the rest of the watcher
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any


def spawn(
    command: list[str],
    env: Mapping[str, str],
    *,
    streams: tuple[int, int, int],
    keep: list[int],
    prepare: Callable[[], object],
    own_group: bool = False,
) -> int:
    """The pid of a child that calls `prepare` and becomes `command` (found by the PATH of `env`).

    It keeps nothing open but `streams` and `keep`. A failure is written to its standard error, exit code 64.
    """
    pid = os.fork()
    if pid:
        if own_group:  # in the parent too: it may want to signal the group before the child has run
            with contextlib.suppress(OSError):
                os.setpgid(pid, pid)
        return pid
    try:
        if own_group:
            os.setpgid(0, 0)
        for number in (signal.SIGTERM, signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)
        signal.set_wakeup_fd(-1)
        for target, fd in enumerate(streams):
            os.dup2(fd, target)
        for fd in keep:
            os.set_inheritable(fd, True)
        prepare()
        os.execvpe(command[0], command, env)  # noqa: S606  (no shell is wanted)
    except FileNotFoundError as exc:
        text = f'failed to find name in PATH: exec: "{command[0]}": executable file not found in $PATH ({exc.strerror})'
        os.write(2, f"{text}\n".encode())
    except OSError as exc:
        os.write(2, f"cannot start {command[0]}: {exc}\n".encode())
    finally:
        os._exit(64)


def prepare(plan: dict[str, Any], group: memory.Group | None, root: Callable[[], None] | None = None) -> None:
    """In the child: enter the memory group, limit files and core dumps, lay a `root`, become the pod's user."""
    if group is not None:
        group.enter()
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write("500")  # a pod rather than the server, when the whole machine is out of memory
    _limit(resource.RLIMIT_FSIZE, plan["limits"]["file_bytes"])
    _limit(resource.RLIMIT_CORE, 0)
    if root is not None:
        root()
    if plan["user"] is not None:
        _become(plan["user"])
    os.umask(0o022)


def as_user(user: int | None, action: Callable[[], None]) -> None:
    """Do something small as another user, in a child of its own (None: as we are, here). Raises OSError."""
    if user is None:
        action()
        return
    pid = os.fork()
    if not pid:
        code = 255
        try:
            _become(user)
            action()
            code = 0
        except OSError as exc:
            code = exc.errno or 255
        finally:
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if code:
        raise OSError(code, os.strerror(code))


def _become(user: int) -> None:
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)


def _limit(which: int, value: int) -> None:
    hard = resource.getrlimit(which)[1]
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(which, (value, value))


def read(descriptor: int) -> bytes:
    """What is there to read; nothing at the end, also when the other side broke off."""
    try:
        return os.read(descriptor, 1 << 16)
    except OSError:
        return b""
