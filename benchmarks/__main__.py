"""`python -m benchmarks [NAME …]`: measure, and show the table. Without names everything, about six minutes."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from rich.console import Console

from benchmarks import (
    bare_dag,
    cpu,
    digests,
    downloads,
    live,
    overhead,
    queue,
    relay,
    results,
    starts,
    startup,
    status,
    strangers,
)
from benchmarks.figures import Figure, show

ALL: dict[str, Callable[[Path], Awaitable[list[Figure]]]] = {
    "cpu": cpu.measure,
    "starts": starts.measure,
    "status": status.measure,
    "overhead": overhead.measure,
    "downloads": downloads.measure,
    "live": live.measure,
    "digests": digests.measure,
    "relay": relay.measure,
    "results": results.measure,
    "startup": startup.measure,
    "strangers": strangers.measure,
}
ON_A_NODE: dict[str, Callable[[Path], Awaitable[list[Figure]]]] = {
    "bare_dag": bare_dag.measure,
    "queue": queue.measure,
}


def main(words: list[str]) -> int:
    console = Console(width=None if sys.stdout.isatty() else 170)
    known = ALL | ON_A_NODE
    unknown = [word for word in words if word not in known]
    if unknown:
        console.print(f"unknown: {', '.join(unknown)}; there are: {', '.join(known)}")
        return 2
    began, figures = time.monotonic(), list[Figure]()
    for name in words or ALL:
        with console.status(name), tempfile.TemporaryDirectory(prefix="c2d-bench-") as folder:
            place = Path(folder)
            place.chmod(0o711)  # pods are other users
            figures += asyncio.run(_run(known[name], place))
    show(figures, console)
    console.print(f"[dim]median (smallest–largest); {machine()}; {time.monotonic() - began:.0f} s[/dim]")
    return 0


async def _run(measure: Callable[[Path], Awaitable[list[Figure]]], place: Path) -> list[Figure]:
    return await measure(place)


def machine() -> str:
    """The kind of machine, and how busy it was with other things as well."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} cores, {memory:.0f} GiB, load {os.getloadavg()[0]:.1f}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
