"""Starting the watcher of a pod, detached from the server, and waiting for its end."""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
import sys
from pathlib import Path

from argo.local.pods.watcher import files

_START = "import sys; sys.path.append(sys.argv[1]); from watcher.main import main; main(sys.argv[2], int(sys.argv[3]))"
_LOCK = 3  # the descriptor at which the watcher finds the lock


def spawn_watcher(folder: Path, lock: int) -> int:
    """The pid of a watcher for `folder` in a session of its own; it gets a copy of the held `lock`. Raises OSError."""
    high = fcntl.fcntl(lock, fcntl.F_DUPFD_CLOEXEC, 10)  # a dup2 onto itself would leave it closed on exec
    null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    err = os.open(folder / "watcher.err", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        argv = [sys.executable, "-I", "-S", "-c", _START, os.path.dirname(__file__), str(folder), str(_LOCK)]
        dups = [(os.POSIX_SPAWN_DUP2, old, new) for old, new in ((null, 0), (null, 1), (err, 2), (high, _LOCK))]
        default = [signal.SIGPIPE, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD]
        return os.posix_spawn(
            sys.executable, argv, {}, file_actions=dups, setsid=True, setsigdef=default, setsigmask=[]
        )
    finally:
        for fd in (high, null, err):
            os.close(fd)


def reap(children: set[int]) -> None:
    """Take away those of our watchers that have ended."""
    for pid in tuple(children):
        try:
            ended = os.waitpid(pid, os.WNOHANG)[0]
        except ChildProcessError:
            ended = pid
        if ended:
            children.discard(pid)


async def watcher_ends(folder: Path, *, otherwise_seconds: float) -> None:
    """Wait for the end of the watcher's process; where there is none, for a moment."""
    watcher = files.get(str(folder), files.WATCHER)
    process = files.open_process(watcher["pid"], watcher["start"]) if watcher else None
    if process is None:
        await asyncio.sleep(otherwise_seconds)
        return
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_reader(process, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(process)
        os.close(process)
