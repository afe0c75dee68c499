"""Child processes of `c2d serve`: started in order, watched, started again when they die, ended in reverse order."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import structlog

from argo.local.private import UMASK
from ocean.environment import inherited_environment

__all__ = ["Child", "ChildFailed", "inherited_environment"]
log = structlog.get_logger(__name__)

PR_SET_PDEATHSIG: Final = 1
LONGEST_PAUSE_SECONDS: Final = 10.0
END_SECONDS: Final = 10.0
START_SECONDS: Final = 60.0  # until a part must answer


class ChildFailed(RuntimeError):
    """A part of the service could not be started; the message ends with the last line of its log."""


def _die_with_parent() -> None:
    """In the child before it runs: get SIGTERM when the supervisor is gone, so that no part is left behind."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


@dataclass(slots=True)
class Child:
    """One part. `ready` returns when the part answers; it is awaited after each start."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    log_file: Path
    ready: Callable[[], Awaitable[bool]]
    start_seconds: float = START_SECONDS
    _process: asyncio.subprocess.Process | None = None
    _watcher: asyncio.Task[None] | None = field(default=None, repr=False)

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process and self._process.returncode is None else None

    async def start(self) -> None:
        """Start and wait until ready. Raises ChildFailed."""
        process = await self._spawn()
        await self._wait_until_ready(process)
        self._watcher = asyncio.create_task(self._watch(process), name=f"watch {self.name}")

    async def stop(self) -> None:
        """SIGTERM, and SIGKILL after a while. Returns when the process is gone."""
        if self._watcher:
            self._watcher.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watcher
        if self._process is not None:
            await self._end(self._process)

    async def _spawn(self) -> asyncio.subprocess.Process:
        self.log_file.parent.mkdir(parents=True, exist_ok=True)
        with self.log_file.open("ab") as output:
            self._process = await asyncio.create_subprocess_exec(
                *self.command,
                env=dict(self.environment),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                umask=UMASK,
                start_new_session=True,  # Ctrl-C reaches the supervisor only, which ends the parts in order
                preexec_fn=_die_with_parent,
            )
        return self._process

    async def _end(self, process: asyncio.subprocess.Process) -> None:
        if process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            async with asyncio.timeout(END_SECONDS):
                await process.wait()
        except TimeoutError:
            log.warning("child_ignored_sigterm", child=self.name)
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def _wait_until_ready(self, process: asyncio.subprocess.Process) -> None:
        try:
            async with asyncio.timeout(self.start_seconds):
                while not await self.ready():
                    if process.returncode is not None:
                        raise ChildFailed(f"{self.name} ended at once: {self._last_words()}")
                    await asyncio.sleep(0.02)
        except TimeoutError:
            await self._end(process)
            seconds = f"{self.start_seconds:.0f} s"
            raise ChildFailed(f"{self.name} did not answer in {seconds}: {self._last_words()}") from None

    async def _watch(self, process: asyncio.subprocess.Process) -> None:
        pause = 0.1
        while True:
            code = await process.wait()
            log.error("child_died", child=self.name, exit_code=code, log=str(self.log_file))
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
            try:
                process = await self._spawn()
                await self._wait_until_ready(process)
            except (ChildFailed, OSError) as failure:  # OSError: no memory, no process, no space for the log
                log.error("child_not_ready", child=self.name, reason=str(failure))  # noqa: TRY400
            except Exception:
                log.exception("child_not_ready", child=self.name)
            else:
                log.info("child_restarted", child=self.name)
                pause = 0.1

    def _last_words(self) -> str:
        with contextlib.suppress(OSError):
            lines = self.log_file.read_bytes()[-4096:].decode(errors="replace").strip().splitlines()
            if lines:
                return f"{lines[-1]} (see {self.log_file})"
        return f"see {self.log_file}"
