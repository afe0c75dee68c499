"""What records cost: the digests of inputs beside the same step without them, and verification beside `sha256sum`."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

from benchmarks.figures import Figure, sample
from benchmarks.sendfile_server import serving, write_random
from benchmarks.steps import Steps
from contract.job_spec import Algorithm

MIB: Final = 1 << 20
INPUT_BYTES, FILES, FILE_BYTES, RUNS = 1024 * MIB, 10_000, 20_000, 3
LINKS: Final = (("over loopback", 0), ("over 2 Gbit/s", 250_000_000))  # bytes in a second
_DIGESTS: Final = "import sys; from pathlib import Path; from client.verify import _digests; " + (
    "print(len(_digests({str(each): each for each in Path(sys.argv[1]).iterdir()})))"
)


async def measure(place: Path) -> list[Figure]:
    return await asyncio.to_thread(_measure, place)


def _measure(place: Path) -> list[Figure]:
    large = place / "large"
    write_random(large, INPUT_BYTES)
    with serving(large) as port:
        inputs = [_of_inputs(place, port, large.name, *link) for link in LINKS]
    return [*inputs, _of_results(place)]


def _of_inputs(place: Path, port: int, name: str, link: str, rate: int) -> Figure:
    """`rate`: bytes in a second that the server sends, 0 for all that it can."""
    seconds: dict[bool, list[float]] = {True: [], False: []}
    for run in range(RUNS + 1):
        for digests in (True, False):
            folder = place / f"{rate}-{run}-{digests}"
            folder.mkdir()
            address = f"127.0.0.1:{port}"
            source = f"http://{address}/{name}?rate={rate}"
            steps = Steps(folder / "steps", address, [source], Algorithm(rawcode="", entrypoint="true"))
            began = time.perf_counter()
            steps.configuration(digests=digests)
            if run > 0:  # the first brings the file into the page cache
                seconds[digests].append(time.perf_counter() - began)
            shutil.rmtree(folder)
    return Figure(
        f"configuration with digests of inputs, {link}",
        "s",
        sample(seconds[True]),
        "without them",
        sample(seconds[False]),
        f"{INPUT_BYTES // MIB} MiB",
    )


def _of_results(place: Path) -> Figure:
    folder = place / "results"
    folder.mkdir()
    for number in range(FILES):
        (folder / f"{number}.bin").write_bytes(os.urandom(FILE_BYTES))
    speeds: dict[str, list[float]] = {"verify": [], "sha256sum": []}
    commands = {
        "verify": [sys.executable, "-c", _DIGESTS],
        "sha256sum": ["sh", "-c", 'find "$0" -type f -print0 | xargs -0 sha256sum'],
    }
    for run in range(RUNS + 1):
        for name, command in commands.items():
            seconds = _seconds([*command, str(folder)])
            if run > 0:
                speeds[name].append(FILES / seconds)
    return Figure(
        "files verified, program start and all",
        "1/s",
        sample(speeds["verify"]),
        "sha256sum",
        sample(speeds["sha256sum"]),
        f"{FILES} files of {FILE_BYTES} B",
    )


def _seconds(command: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began
