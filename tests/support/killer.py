"""Kills of the service's processes, each of one at a random moment, under whatever a test does meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
from typing import Final

from tests.support.processes import pods_by_job
from tests.support.service import Service

PAUSE_SECONDS: Final = 0.7  # on average, between two kills, or between all parts' being back and the next kill


class Killer:
    """Kills one process a round, until `rounds` were met alive, and a tenth of that of each kind."""

    def __init__(self, service: Service, rounds: int) -> None:
        seed = random.randrange(10**6)  # noqa: S311
        print("seed", seed)
        self._dice = random.Random(seed)  # noqa: S311
        self._service, self._wanted = service, rounds
        self.hits = dict.fromkeys(("api", "argo", "pod"), 0)
        self.jobs_hit: set[str] = set()  # of whose pods a process was killed

    @property
    def rounds(self) -> int:
        return sum(self.hits.values())

    async def run(self) -> None:
        while self.rounds < self._wanted or min(self.hits.values()) < self._wanted // 10:
            if self._dice.random() < 0.8:
                await self._service.wait_ready()
            await asyncio.sleep(self._dice.expovariate(1 / PAUSE_SECONDS))
            self.kill_one(self._dice.choice(["api", "argo", "pod"]))

    def kill_one(self, kind: str) -> None:
        if kind == "pod":
            found = [(pid, job) for job, pids in pods_by_job(self._service.folder).items() for pid in pids]
            pid, job = self._dice.choice(sorted(found)) if found else (None, "")
        else:
            pid, job = self._service.machine.child(kind).pid, ""
        if pid is None:
            return
        if job:
            self.jobs_hit.add(job)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            self.hits[kind] += 1
