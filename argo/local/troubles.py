"""Troubles that come again and again (a full disk, a locked database) are told once per kind, and when they end."""

from __future__ import annotations

import errno
import os
import sqlite3
import time
import traceback
from collections.abc import Callable
from typing import Any, Final

import structlog

log = structlog.get_logger(__name__)

AGAIN_SECONDS: Final = 1.0  # between two tries of what failed for a reason that may pass
REMINDER_SECONDS: Final = 600.0  # a trouble that lasts is told again then, with how often it came
STORAGE: Final = (sqlite3.Error, OSError)  # what a disk or a database may raise at any time
_FRAMES: Final = 5
_LONGEST_TEXT: Final = 500
_PASSING: Final = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN, errno.EFBIG}
)


def report(event: str, exc: BaseException, **about: Any) -> None:
    """Log an error with the way to it, but without the values on that way: arguments of jobs are among them."""
    frames = traceback.extract_tb(exc.__traceback__)[-_FRAMES:]
    where = " < ".join(f"{os.path.basename(frame.filename)}:{frame.lineno}" for frame in reversed(frames))
    log.error(event, kind=type(exc).__name__, error=str(exc)[:_LONGEST_TEXT], where=where, **about)


def may_pass(exc: OSError) -> bool:
    """Whether the same call may work later without any change to it: no space, no memory, too many open files."""
    return exc.errno in _PASSING


class Troubles:
    """One log line per kind of trouble (event and type of error), whatever number of times it comes."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._told: dict[tuple[str, str], tuple[float, int]] = {}

    def met(self, event: str, exc: BaseException, **about: Any) -> None:
        kind, now = (event, type(exc).__name__), self._clock()
        told, silent = self._told.get(kind, (None, 0))
        if told is not None and now - told < REMINDER_SECONDS:
            self._told[kind] = (told, silent + 1)
            return
        self._told[kind] = (now, 0)
        report(event, exc, times_since=silent, **about)

    def over(self, event: str) -> None:
        """What failed works again."""
        kinds = [kind for kind in self._told if kind[0] == event]
        for kind in kinds:
            _, silent = self._told.pop(kind)
            log.info("trouble_over", trouble=event, kind=kind[1], times_since=silent)
