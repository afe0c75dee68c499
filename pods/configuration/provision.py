"""Downloads everything a job needs at once, and judges: inputs first, then the algorithm, as Ocean Provider does."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from contract.exit_codes import ExitCode
from ocean.outgoing import OutgoingGuard
from pods.configuration.download import ByteBudget, Downloaded, DownloadFailed, download
from pods.configuration.downloads import Download
from pods.configuration.sources import Sources
from pods.step_log import StepLog, size_text

IDLE_SECONDS = 60.0  # a server that says nothing for so long is asked again


class ProvisioningFailed(Exception):
    """Carries the step's verdict. The details are in the log."""

    def __init__(self, code: ExitCode) -> None:
        super().__init__(code.name)
        self.code = code


@dataclass(frozen=True, slots=True)
class Provision:
    """What was downloaded: the inputs by their target, the algorithm's files in order."""

    inputs: Mapping[PurePosixPath, Downloaded]
    algorithm: tuple[Downloaded, ...]


@dataclass(frozen=True, slots=True)
class Provisioner:
    guard: OutgoingGuard
    budget: ByteBudget
    log: StepLog
    parallel: int
    attempts: int
    ethereum_key: bytes | None = None  # the environment's, for files of other providers

    async def provision(
        self, inputs: Iterable[tuple[Download, Path]], algorithm: Iterable[tuple[Download, Path]]
    ) -> Provision:
        """Download all files to their paths.

        Raises ProvisioningFailed: 31 or 32 as soon as it is certain, 75 when nothing but transient faults remain.
        Algorithm files are fetched at the same time but judged only if all inputs are there.
        """
        slots = asyncio.Semaphore(self.parallel)
        async with self.guard.client(read_seconds=IDLE_SECONDS, max_connections=self.parallel) as client:
            sources = Sources(client, self.ethereum_key)
            wanted = {
                item.target: asyncio.create_task(self._fetch(sources, slots, item, path)) for item, path in inputs
            }
            code = [asyncio.create_task(self._fetch(sources, slots, item, path)) for item, path in algorithm]
            try:
                await self._judge(wanted.values(), ExitCode.INPUTS_NOT_PROVISIONED)
                await self._judge(code, ExitCode.ALGORITHM_NOT_PROVISIONED)
            finally:
                for task in (*wanted.values(), *code):
                    task.cancel()
                await asyncio.gather(*wanted.values(), *code, return_exceptions=True)
        inputs_there = {target: task.result() for target, task in wanted.items()}
        return Provision(inputs_there, tuple(task.result() for task in code))

    async def _judge(self, tasks: Iterable[asyncio.Task[Downloaded]], lasting: ExitCode) -> None:
        transient = False
        for ended in asyncio.as_completed(list(tasks)):
            try:
                await ended
            except DownloadFailed as exc:
                if not exc.transient:
                    raise ProvisioningFailed(lasting) from None
                transient = True
        if transient:
            raise ProvisioningFailed(ExitCode.TRY_AGAIN)

    async def _fetch(self, sources: Sources, slots: asyncio.Semaphore, item: Download, path: Path) -> Downloaded:
        async with slots:
            began = time.monotonic()
            try:
                done = await download(sources, item, path, self.budget, attempts=self.attempts)
            except DownloadFailed as exc:
                self.log.say(f"{item.label}: failed, {exc.cause}")
                raise
            tries = f" in {done.tries} tries" if done.tries > 1 else ""
            self.log.say(f"{item.label}: {size_text(done.size)}, {time.monotonic() - began:.2f} s{tries}")
            return done
