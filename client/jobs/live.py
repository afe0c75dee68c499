"""What a job tells while it runs, where the provider has the call for it: that something has changed, and its log.

The stream only wakes whoever follows the job by its status, so that both see the same. Where there is none (another
provider, an account whose password would have to be asked for) or nothing comes for 20 seconds, because a proxy keeps
the stream to itself, the status is asked for from time to time instead.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

import httpx
from httpx_sse import EventSource, SSEError

from ocean.client import Consumer, ConsumerError

SILENCE_SECONDS: Final = 20.0
_PAUSE_SECONDS: Final = 3.0  # before a stream that broke is opened again
_KINDS: Final = ("state", "queue", "result", "end")


class Live:
    """`alive`: whether the stream tells what changes. `offset`: how many bytes of the log have been told.
    `log_is_whole`: whether that is all of it. `tell`: is given a remark for the user."""

    def __init__(
        self, consumer: Consumer, job_id: str, on_log: Callable[[str], None], tell: Callable[[str], None]
    ) -> None:
        self._consumer, self._job_id, self._on_log, self._tell = consumer, job_id, on_log, tell
        self._changed = asyncio.Event()
        self._last_id = ""
        self.alive = False
        self.offset = 0
        self.log_is_whole = False
        self._over = False

    async def pause(self, seconds: float) -> None:
        """Until it is worth asking again: at a change where the stream lives, else after so many seconds."""
        if not self.alive:
            await asyncio.sleep(seconds)
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SILENCE_SECONDS):
                await self._changed.wait()
        self._changed.clear()

    async def run(self) -> None:
        """Read the stream until the job is over, or there is none. End it by cancelling."""
        try:
            while not self._over:
                try:
                    await self._read()
                except httpx.ReadTimeout:
                    self._tell("nothing comes over the live connection, so the status is asked for every few seconds")
                    return
                except (SSEError, ValueError):
                    self._tell("the live connection makes no sense, so the status is asked for every few seconds")
                    return
                except httpx.TransportError:
                    self._gone()
                except ConsumerError as exc:
                    if exc.status not in (429, 500, 502, 503, 504):
                        return  # this provider has no such call, or not for us
                    self._gone()
                await asyncio.sleep(_PAUSE_SECONDS)
        finally:
            self._gone()

    async def _read(self) -> None:
        """One stream. Raises httpx.TransportError, ConsumerError, SSEError, ValueError."""
        async with self._consumer.live_stream(self._job_id, self._last_id, SILENCE_SECONDS) as answer:
            if answer.status_code == httpx.codes.NO_CONTENT:
                self._over = True
                return
            self.alive = True
            async for event in EventSource(answer).aiter_sse():
                self._last_id = event.id or self._last_id
                if event.data:  # the stream begins with an event that has none
                    self._happened(event.event, json.loads(event.data))

    def _happened(self, name: str, data: Any) -> None:
        """Raises ValueError for what is no event of ours."""
        if not isinstance(data, dict):
            raise ValueError("an event's data must be an object")  # noqa: TRY004
        if name == "log":
            text, after = data.get("text"), data.get("next")
            if not isinstance(text, str) or not isinstance(after, int):
                raise ValueError("a piece of a log has a text and an end")
            self.offset = after
            self.log_is_whole = data.get("ended") == "complete"
            if text:
                self._on_log(text)
        if name in _KINDS:
            self._over = name == "end"
            self._changed.set()

    def _gone(self) -> None:
        self.alive = False
        self._changed.set()


@contextlib.asynccontextmanager
async def live(
    consumer: Consumer, job_id: str, on_log: Callable[[str], None], tell: Callable[[str], None], *, wanted: bool
) -> AsyncIterator[Live]:
    """The stream beside whatever the block does. `wanted`: False where the account cannot sign without a question."""
    found = Live(consumer, job_id, on_log, tell)
    task = asyncio.create_task(found.run()) if wanted else None
    try:
        yield found
    finally:
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
