"""Downloads one file completely, or says why not: resumes, tries again with growing pauses, keeps to the limits."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import random
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from contract.job_spec import TextSource
from ocean.outgoing import OutgoingFailed, OutgoingRefused
from pods.configuration.downloads import Download
from pods.configuration.sources import Sources

FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 10.0
PROGRESS_BYTES = 64 * 1024  # a try that came so much further than any before it does not count as failed
OVERTAKEN_TRIES = 12  # so many do not count as failed: other pods use the same account at another provider
WRITE_BYTES = 1 << 20  # collected before they are written
RESERVE_BYTES = 8 * 1024 * 1024  # of the volume, for DDOs, the start script and logs
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class DownloadFailed(Exception):
    """`transient`: tries were used up, a later attempt may succeed. The cause names no address."""

    def __init__(self, label: str, cause: str, *, transient: bool) -> None:
        super().__init__(f"{label}: {cause}")
        self.label, self.cause, self.transient = label, cause, transient


@dataclass(frozen=True, slots=True)
class Downloaded:
    size: int
    sha256: bytes  # the digest's 32 bytes
    tries: int


class Digest(Protocol):
    """What is asked of an object of hashlib."""

    def update(self, data: bytes, /) -> None: ...


class ByteBudget:
    """The bytes that all downloads of a job may write together, and the room on its volume."""

    def __init__(self, max_bytes: int, volume: Path) -> None:
        self._left = max_bytes
        self._volume = volume

    @property
    def left(self) -> int:
        return self._left

    def take(self, count: int) -> None:
        """Raises OutgoingFailed `too_large`."""
        if count > self._left:
            raise OutgoingFailed("too_large", retriable=False)
        self._left -= count

    def give_back(self, count: int) -> None:
        self._left += count

    def require_room(self, count: int) -> None:
        """Before a file whose size is announced. Raises OSError (ENOSPC)."""
        if count + RESERVE_BYTES > shutil.disk_usage(self._volume).free:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


async def download(sources: Sources, item: Download, target: Path, budget: ByteBudget, *, attempts: int) -> Downloaded:
    """Write the file to `target`, which is created. Raises DownloadFailed; `target` is then of no use.

    `attempts`: tries in a row that brought nothing. A server that breaks off again and again but gets further is
    followed to the end; one that always breaks off at the same place is not.
    """
    failures, tries, furthest, overtaken = 0, 0, 0, 0
    with target.open("wb") as file:
        state = Partial(file, budget)
        while True:
            tries += 1
            try:
                await _one_try(sources, item, state)
                break
            except OutgoingRefused as exc:
                raise DownloadFailed(item.label, f"refused, {exc.reason}", transient=False) from None
            except OutgoingFailed as exc:
                cause = exc.reason + (f" {exc.status}" if exc.status else "")
                if not exc.retriable:
                    raise DownloadFailed(item.label, cause, transient=False) from None
                if exc.reason == "nonce" and overtaken < OVERTAKEN_TRIES:
                    overtaken += 1
                else:
                    failures = 0 if state.reached > furthest + PROGRESS_BYTES else failures + 1
                furthest = max(furthest, state.reached)
                if failures >= attempts:
                    raise DownloadFailed(item.label, f"{cause}, after {tries} tries", transient=True) from None
                pause = _pause_seconds(failures, exc.retry_after_seconds)
            except OSError as exc:
                no_room = exc.errno in _NO_ROOM
                cause = "no room on the volume" if no_room else f"cannot be written ({type(exc).__name__})"
                raise DownloadFailed(item.label, cause, transient=not no_room) from None
            await asyncio.sleep(pause)
    sha256 = await state.sha256()
    if item.sha256 is not None and sha256.hex() != item.sha256:
        raise DownloadFailed(item.label, "other bytes than expected", transient=False)
    return Downloaded(state.size, sha256, tries)


class Partial:
    """What is there of a file so far."""

    def __init__(self, file: BinaryIO, budget: ByteBudget) -> None:
        self._file = file
        self._waiting: list[bytes] = []  # received, not yet written
        self._waiting_bytes = 0
        self._digest = hashlib.sha256()
        self._digesting: asyncio.Future[None] | None = None
        self.budget = budget
        self.size = 0
        self.reached = 0  # the most there ever was
        self.validator: str | None = None

    def start_at(self, position: int) -> None:
        """Keep the first `position` bytes, which is all or nothing."""
        if position == self.size:
            return
        self._waiting.clear()
        self._waiting_bytes = 0
        self._file.seek(0)
        self._file.truncate()
        self.budget.give_back(self.size)
        self.size = 0
        self._digest = hashlib.sha256()

    async def append(self, chunk: bytes) -> None:
        """Count the bytes now, write them when there are enough, in a thread: a slow volume holds up nobody else."""
        self.budget.take(len(chunk))
        self._waiting.append(chunk)
        self._waiting_bytes += len(chunk)
        self.size += len(chunk)
        self.reached = max(self.reached, self.size)
        if self._waiting_bytes >= WRITE_BYTES:
            await self.flush()

    async def flush(self) -> None:
        """Everything received is in the file afterwards. Raises OSError.

        Its digest is taken beside, and may still be under way then: it costs a processor, not time.
        """
        chunks, size, self._waiting, self._waiting_bytes = self._waiting, self._waiting_bytes, [], 0
        await self._digested()
        if size < WRITE_BYTES:  # another thread is not worth it
            await asyncio.to_thread(self._write, chunks, self._digest)
            return
        self._digesting = asyncio.ensure_future(asyncio.to_thread(_update, self._digest, chunks))
        await asyncio.to_thread(self._write, chunks)

    def _write(self, chunks: list[bytes], digest: Digest | None = None) -> None:
        for chunk in chunks:
            self._file.write(chunk)
        self._file.flush()
        if digest is not None:
            _update(digest, chunks)

    async def _digested(self) -> None:
        digesting, self._digesting = self._digesting, None
        if digesting is not None:
            await digesting

    async def sha256(self) -> bytes:
        """Of all that was flushed; taken on the way, never by a second read."""
        await self._digested()
        return self._digest.digest()


def _update(digest: Digest, chunks: list[bytes]) -> None:
    for chunk in chunks:
        digest.update(chunk)


async def _one_try(sources: Sources, item: Download, state: Partial) -> None:
    if isinstance(item.source, TextSource):
        state.start_at(0)
        await state.append(item.source.text.encode())
        await state.flush()
        return
    async with sources.open(
        item.source,
        publisher=item.publisher,
        offset=state.size,
        validator=state.validator,
        max_bytes=state.size + state.budget.left,
    ) as answer:
        state.start_at(answer.start)
        state.validator = answer.validator
        if answer.size is not None:
            state.budget.require_room(answer.size - answer.start)
        try:
            async for chunk in answer.chunks():
                await state.append(chunk)
        finally:
            await state.flush()  # a broken download goes on from here


def _pause_seconds(failures: int, retry_after_seconds: int | None) -> float:
    pause = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2.0 ** max(0, failures - 1))
    pause *= random.uniform(0.7, 1.3)  # noqa: S311  spreads the load, guards nothing
    return max(pause, min(retry_after_seconds or 0, LONGEST_PAUSE_SECONDS))
