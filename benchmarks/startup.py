"""How long `c2d demo` takes in all, and the parts of a start until the service answers."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

from benchmarks.figures import Figure, sample
from provider_api.deploy.machine import Machine

ROOT: Final = Path(__file__).resolve().parents[1]
RUNS = 3
# What a part cannot do without: an interpreter with its modules.
MODULES = {"argo": "argo.local.__main__", "api": "provider_api.__main__"}


class TimedMachine(Machine):
    """Notes when each part was ready, in seconds."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, environment={})
        self.seconds: dict[str, float] = {}

    async def start(self) -> None:
        began = time.perf_counter()
        await super().start()
        self.seconds["ready"] = time.perf_counter() - began

    async def _start_chain(self) -> None:
        began = time.perf_counter()
        await super()._start_chain()
        self.seconds["chain"] = time.perf_counter() - began

    async def _start_argo(self) -> None:
        began = time.perf_counter()
        await super()._start_argo()
        self.seconds["argo"] = time.perf_counter() - began

    async def _start_api(self) -> None:
        began = time.perf_counter()
        await super()._start_api()
        self.seconds["api"] = time.perf_counter() - began


async def measure(place: Path) -> list[Figure]:
    folder = place / "demo"
    first = await asyncio.to_thread(_demo, folder)
    later = [await asyncio.to_thread(_demo, folder) for _ in range(RUNS)]
    parts: dict[str, list[float]] = {"ready": [], "chain": [], "argo": [], "api": []}
    imports: dict[str, list[float]] = {"argo": [], "api": []}
    for _ in range(RUNS):
        machine = TimedMachine(folder)
        await machine.start()
        await machine.stop()
        for name, seconds in machine.seconds.items():
            parts[name].append(seconds)
        for name, module in MODULES.items():
            imports[name].append(await asyncio.to_thread(_python, f"import {module}"))
    whole = sample(parts["ready"])
    return [
        Figure("c2d demo, second run", "s", sample(later), "first run", sample([first])),
        Figure("  until the service answers", "s", whole, "second run", sample(later)),
        Figure("    development chain", "s", sample(parts["chain"]), "until the service answers", whole),
        Figure("    Argo Server", "s", sample(parts["argo"]), "importing its modules", sample(imports["argo"])),
        Figure("    API (then)", "s", sample(parts["api"]), "importing its modules", sample(imports["api"])),
    ]


def _demo(folder: Path) -> float:
    began = time.perf_counter()
    command = [str(Path(sys.executable).with_name("c2d")), "demo", "--data", str(folder)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("C2D_")}
    subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began


def _python(code: str) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
    return time.perf_counter() - began
