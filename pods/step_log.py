"""The log of one of our own steps: for people, on standard output and in a file of the volume that is published.

Lines name sizes, counts, durations, DIDs and causes; never addresses of files, signatures, keys, user data. Every line
is scrubbed all the same (`pods.scrub`).
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from types import TracebackType
from typing import TextIO

from pods.scrub import scrub_text


class StepLog:
    """Appends to the file (a retried attempt continues the log of the one before). Used as a context manager."""

    def __init__(self, path: Path, out: TextIO | None = None) -> None:
        self._out = out or sys.stdout
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("a", encoding="utf-8", errors="replace")
        self.path = path

    def say(self, text: str) -> None:
        now = time.time()
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now * 1000) % 1000:03d}Z"
        line = f"{stamp} {scrub_text(' '.join(text.split()))}\n"
        self._file.write(line)
        self._file.flush()
        self._out.write(line)
        self._out.flush()

    def __enter__(self) -> StepLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


def size_text(count: int) -> str:
    """A number of bytes for people: `512 B`, `3.4 kB`, `1.2 GB`."""
    size = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{count} B" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"
