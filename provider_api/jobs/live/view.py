"""One viewer's way through a job, as server-sent events.

The `id` of an event says all that a viewer has: `OFFSET.STATE.RESULTS`, the bytes of the log, and marks of the state
and of the list of results that it was told last; behind the last event of a job stands `.end`. A process that never
saw this viewer goes on from there, and sends no byte of the log twice.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from ocean.kit.compact_json import compact_json
from provider_api.jobs.live.bell import rings
from provider_api.jobs.live.hub import Hub
from provider_api.jobs.live.log_rule import Why

HEARTBEAT_SECONDS: Final = 10.0
RETRY_MILLISECONDS: Final = 3000
POLLED_BYTES: Final = 256 << 10
SENT_BYTES: Final = 16 << 10  # a viewer that does not read keeps about so much waiting
HEARTBEAT: Final = b": \n\n"
_BEGIN: Final = f"retry: {RETRY_MILLISECONDS}\n".encode() + HEARTBEAT
_ID: Final = re.compile(r"([0-9]{1,12})\.([0-9a-f]{12})?\.([0-9a-f]{12})?(\.end)?", re.ASCII)


@dataclass(slots=True)
class Cursor:
    """What a viewer has."""

    offset: int = 0
    state: str = ""
    results: str = ""
    ended: bool = False

    @classmethod
    def parse(cls, text: str) -> Cursor:
        """That of the header Last-Event-ID; the beginning for an id that is none of ours."""
        found = _ID.fullmatch(text)
        if found is None:
            return cls()
        return cls(int(found[1]), found[2] or "", found[3] or "", found[4] is not None)

    def text(self) -> str:
        return f"{self.offset}.{self.state}.{self.results}{'.end' if self.ended else ''}"


async def frames(hub: Hub, cursor: Cursor) -> AsyncGenerator[bytes, None]:
    """Until the job is over or the hub is closed. Between two frames a viewer may take as long as it likes."""
    yield _BEGIN
    view = _View(hub, cursor)
    while True:
        ring = hub.news.next_ring
        for several in _together(view.unseen()):
            yield several
        if cursor.ended or hub.closed:
            return
        if not await rings(ring, HEARTBEAT_SECONDS):
            yield HEARTBEAT


def _together(frames: Iterator[bytes]) -> Iterator[bytes]:
    """What is there at once, in few pieces: each is a call of the server."""
    joined = bytearray()
    for frame in frames:
        joined += frame
        if len(joined) >= SENT_BYTES:
            yield bytes(joined)
            joined.clear()
    if joined:
        yield bytes(joined)


async def log_from(hub: Hub, offset: int, seconds: float) -> tuple[str, int, Why]:
    """For who polls: the log from there on, the offset behind it, and whether it has ended with that. Where nothing is
    there, it waits so long for something."""
    log = hub.log
    end = asyncio.get_running_loop().time() + seconds
    while True:
        ring, left = hub.news.next_ring, end - asyncio.get_running_loop().time()
        if offset < len(log) or log.ended or hub.closed or left <= 0 or not await rings(ring, left):
            break
    text, after = log.piece(offset, POLLED_BYTES)
    return text, max(offset, after), log.ended if after >= len(log) else ""


def has_seen_the_end(hub: Hub, cursor: Cursor) -> bool:
    """Whether a viewer that comes back would be told nothing new."""
    return cursor.ended and hub.over and (hub.deleted or hub.state_mark == cursor.state)


class _View:
    def __init__(self, hub: Hub, cursor: Cursor) -> None:
        self._hub, self._cursor = hub, cursor
        cursor.ended = False
        self._line: Mapping[str, Any] | None = None
        self._log_ended = ""

    def unseen(self) -> Iterator[bytes]:
        """Everything that the viewer has not got yet. The hub may go on between two frames."""
        hub, cursor = self._hub, self._cursor
        if hub.state is not None and hub.state_mark != cursor.state:
            told, cursor.state = hub.state, hub.state_mark
            yield self._event("state", told)
        if hub.line != self._line:
            self._line = hub.line
            if self._line is not None:
                yield self._event("queue", self._line)
        yield from self._log()
        if hub.results and hub.results_mark != cursor.results:
            (*first, last), mark = hub.results, hub.results_mark
            for entry in first:
                yield self._event("result", entry)
            cursor.results = mark
            yield self._event("result", last)
        if hub.over and hub.log.ended and self._has_all():
            cursor.ended = True
            yield self._event("end", {**(hub.state or {"jobId": hub.job_id}), "deleted": hub.deleted})

    def _log(self) -> Iterator[bytes]:
        log, cursor = self._hub.log, self._cursor
        while cursor.offset < len(log):
            offset = cursor.offset
            text, cursor.offset = log.piece(offset)
            yield self._event("log", {"offset": offset, "next": cursor.offset, "text": text, "ended": ""})
        if log.ended != self._log_ended:
            self._log_ended = log.ended
            told = {"offset": cursor.offset, "next": cursor.offset, "text": "", "ended": log.ended}
            yield self._event("log", told)

    def _has_all(self) -> bool:
        """Whether nothing has come while frames were on their way."""
        hub, cursor = self._hub, self._cursor
        state = hub.state is None or cursor.state == hub.state_mark
        results = not hub.results or cursor.results == hub.results_mark
        return state and results and cursor.offset >= len(hub.log) and self._log_ended == hub.log.ended

    def _event(self, name: str, told: Mapping[str, Any]) -> bytes:
        return f"event: {name}\nid: {self._cursor.text()}\ndata: {compact_json(told)}\n\n".encode()
