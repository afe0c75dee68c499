"""The configuration step and a large file: its speed beside curl's, its memory beside that with a tiny file.

The time of a tiny file, program start and all, is taken off both, so that what remains is the download.
"""

from __future__ import annotations

import asyncio
import itertools
import shutil
import subprocess
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from benchmarks.figures import Figure, sample
from benchmarks.sendfile_server import serving, write_random
from benchmarks.steps import DID, Steps
from contract.job_spec import Algorithm

MIB: Final = 1 << 20
LARGE_BYTES, RUNS = 512 * MIB, 3


async def measure(place: Path) -> list[Figure]:
    return await asyncio.to_thread(_measure, place)


def _measure(place: Path) -> list[Figure]:
    large, tiny = place / "large", place / "tiny"
    write_random(large, LARGE_BYTES)
    tiny.write_bytes(b"x")
    names = (f"work-{number}" for number in itertools.count())
    speeds: dict[str, list[float]] = {"configuration": [], "curl": []}
    peaks: dict[str, list[float]] = {"large": [], "tiny": []}
    with serving(large, tiny) as port:
        address = f"127.0.0.1:{port}"

        def fresh(file: Path, what: Callable[[Path, str], float]) -> float:
            folder = place / next(names)
            folder.mkdir()
            try:
                return what(folder, f"http://{address}/{file.name}")
            finally:
                shutil.rmtree(folder)

        step, peak = partial(_step_seconds, address), partial(_step_peak, address)
        for warmed in (large, tiny):  # into the page cache
            fresh(warmed, step)
        for _ in range(RUNS):
            for name, what in (("configuration", step), ("curl", _curl_seconds)):
                seconds = fresh(large, what) - fresh(tiny, what)
                speeds[name].append(LARGE_BYTES / MIB / seconds)
            for name, measured in (("large", large), ("tiny", tiny)):
                peaks[name].append(fresh(measured, peak) / MIB)
    size = f"{LARGE_BYTES // MIB} MiB"
    return [
        Figure(
            "download by configuration", "MiB/s", sample(speeds["configuration"]), "curl", sample(speeds["curl"]), size
        ),
        Figure(
            "peak memory of it", "MiB", sample(peaks["large"]), "with a file of 1 byte", sample(peaks["tiny"]), size
        ),
    ]


def _steps(folder: Path, address: str, url: str) -> Steps:
    return Steps(folder / "steps", address, [url], Algorithm(rawcode="", entrypoint="true"))


def _step_seconds(address: str, folder: Path, url: str) -> float:
    steps = _steps(folder, address, url)
    began = time.perf_counter()
    steps.configuration()
    seconds = time.perf_counter() - began
    _require_whole(steps, url)
    return seconds


def _step_peak(address: str, folder: Path, url: str) -> float:
    return _steps(folder, address, url).configuration_peak_bytes()


def _curl_seconds(folder: Path, url: str) -> float:
    began = time.perf_counter()
    subprocess.run(["curl", "--silent", "--fail", "--noproxy", "*", "--output", str(folder / "file"), url], check=True)
    return time.perf_counter() - began


def _require_whole(steps: Steps, url: str) -> None:
    size = (steps.data / "inputs" / DID.removeprefix("did:op:") / "0").stat().st_size
    assert size == (LARGE_BYTES if url.endswith("/large") else 1)
