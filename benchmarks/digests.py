"""What records cost: the digests of inputs beside the same step without them, and verification beside `sha256sum`."""

from __future__ import annotations

import asyncio
import itertools
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

from benchmarks.figures import Figure, sample
from benchmarks.sendfile_server import serving
from benchmarks.steps import Steps
from contract.job_spec import Algorithm

MIB: Final = 1 << 20
INPUT_BYTES, FILES, FILE_BYTES, RUNS = 1024 * MIB, 10_000, 20_000, 3
_DIGESTS: Final = "import sys; from pathlib import Path; from provider_api.cli.verify import _digests; " + (
    "print(len(_digests({str(each): each for each in Path(sys.argv[1]).iterdir()})))"
)


async def measure(place: Path) -> list[Figure]:
    return await asyncio.to_thread(_measure, place)


def _measure(place: Path) -> list[Figure]:
    return [_of_inputs(place), _of_results(place)]


def _of_inputs(place: Path) -> Figure:
    large = place / "large"
    with large.open("wb") as file:
        block = os.urandom(MIB)
        for _ in range(INPUT_BYTES // MIB):
            file.write(block)
    seconds: dict[bool, list[float]] = {True: [], False: []}
    names = (f"work-{number}" for number in itertools.count())
    with serving(large) as port:
        for run in range(RUNS + 1):
            for digests in (True, False):
                folder = place / next(names)
                folder.mkdir()
                address = f"127.0.0.1:{port}"
                steps = Steps(
                    folder / "steps",
                    address,
                    [f"http://{address}/{large.name}"],
                    Algorithm(rawcode="", entrypoint="true"),
                )
                began = time.perf_counter()
                steps.configuration(digests=digests)
                if run > 0:  # the first brings the file into the page cache
                    seconds[digests].append(time.perf_counter() - began)
                shutil.rmtree(folder)
    size = f"{INPUT_BYTES // MIB} MiB"
    return Figure(
        "configuration with digests of inputs",
        "s",
        sample(seconds[True]),
        "without them",
        sample(seconds[False]),
        size,
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
