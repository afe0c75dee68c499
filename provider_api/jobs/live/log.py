"""The beginning of an algorithm's log, in memory for all who look at it, and how it gets there.

Argo's stream begins at the first line each time it is asked for, so an offset is a count of the bytes of the program's
own lines, each with its newline, and means the same at every process. A stream may end early in many ways: Argo goes
away, or is stopped and says that the log is over. Only what is read after the pod has ended is believed to be all.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import aclosing
from typing import Final

import structlog

from argo.client.errors import ArgoError, WorkflowNotFound
from argo.client.records import Node, Workflow
from contract.names import ALGORITHM
from provider_api.jobs.live.bell import Bell, rings
from provider_api.jobs.live.log_rule import LogRule, Why
from provider_api.jobs.records import Argo

log = structlog.get_logger(__name__)

PAUSE_SECONDS: Final = 1.0  # between two streams
END_SECONDS: Final = 15.0  # after the job's end; then the rest of its log is given up
POD_SECONDS: Final = 20.0  # after its end a pod has still its log: templates keep it a little longer
PIECE_BYTES: Final = 16 << 10


class Room:
    """Memory that all logs of a process share."""

    def __init__(self, most: int) -> None:
        self._most, self.used = most, 0
        self._freed = Bell()

    async def take(self, count: int) -> None:
        """Waits until others have given some back."""
        while self.used and self.used + count > self._most:
            await self._freed.next_ring.wait()
        self.used += count

    def give_back(self, count: int) -> None:
        self.used -= count
        self._freed.ring()


class LiveLog:
    """`ended`: "" as long as there may be more. `grown` is called when there is something new."""

    def __init__(self, rule: LogRule, room: Room, grown: Callable[[], None]) -> None:
        self._most, self._room, self._grown = rule.most, room, grown
        self._bytes = bytearray()
        self.ended: Why = "" if rule.most else rule.why

    def __len__(self) -> int:
        return len(self._bytes)

    def piece(self, start: int, most: int = PIECE_BYTES) -> tuple[str, int]:
        """Text from the offset `start` on, and the offset behind it. No character is cut."""
        data = bytes(self._bytes[start : start + most])
        if start + len(data) < len(self._bytes):
            data = data[: _whole(data)]
        return data.decode(errors="replace"), start + len(data)

    def end(self, why: Why) -> None:
        self.ended = self.ended or why
        self._grown()

    def forbid(self, why: Why) -> None:
        """Nothing of it may be shown any more."""
        self.drop()
        self.ended = why
        self._grown()

    def drop(self) -> None:
        self._room.give_back(len(self._bytes))
        self._bytes.clear()

    async def follow(self, argo: Argo, job: Callable[[], Workflow], looked: Bell) -> None:
        """Read until the end of the log. `job`: as it was read last; `looked` rings when it was read."""
        over_at = 0.0
        while not self.ended:
            ring, workflow = looked.next_ring, job()
            node = workflow.last_attempt(ALGORITHM)
            over = workflow.finished or (node is not None and node.final)
            if over or (node is not None and node.phase == "Running"):
                seen = await self._read_again(argo, workflow.name, follow=not over)
                if over and seen is not None:
                    whole = seen >= len(self) and (seen > 0 or not _pod_is_gone(node))
                    self.end("complete" if whole else "gone")
                over_at = over_at or (time.monotonic() if workflow.finished else 0.0)
                if over_at and time.monotonic() - over_at > END_SECONDS:
                    self.end("gone")
            await rings(ring, PAUSE_SECONDS)

    async def _read_again(self, argo: Argo, name: str, *, follow: bool) -> int | None:
        """How many bytes one stream had; None for one that broke."""
        position = 0
        try:
            async with aclosing(argo.follow_log(name, ALGORITHM, follow=follow)) as lines:
                async for line in lines:
                    data = line.encode(errors="replace") + b"\n"
                    position += len(data)
                    if (new := position - len(self._bytes)) > 0:
                        await self._add(data[-new:])
                    if self.ended:
                        break
        except WorkflowNotFound:
            return 0
        except ArgoError as exc:
            log.info("log_stream_broke", job_id=name, reason=type(exc).__name__)
            return None
        return position

    async def _add(self, data: bytes) -> None:
        left = self._most - len(self._bytes)
        fits = data if len(data) <= left else data[:left].decode(errors="ignore").encode()
        await self._room.take(len(fits))
        if self.ended:  # meanwhile
            self._room.give_back(len(fits))
            return
        self._bytes += fits
        if len(data) > left:
            self.end("limit")
        self._grown()


def _pod_is_gone(algorithm: Node | None) -> bool:
    """Whether the pod of an algorithm that has ended may have been removed, with its log."""
    ended = None if algorithm is None else algorithm.finished_at
    return ended is not None and time.time() - ended.timestamp() > POD_SECONDS


def _whole(data: bytes) -> int:
    """How many bytes before a character that is cut at the end."""
    for back in range(1, min(4, len(data)) + 1):
        lead = data[-back]
        if lead >= 0xC0:
            length = 2 if lead < 0xE0 else 3 if lead < 0xF0 else 4
            return len(data) - back if back < length else len(data)
        if lead < 0x80:
            break
    return len(data)
