"""A job followed to its end, by asking for its status, which every provider answers, when something may have changed.

It ends when nothing will change any more, or when the results wait for the owners of datasets, which may take days.
"""

from __future__ import annotations

import re
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager

import httpx

from client.exits import Refused, Unreachable, Unusable
from client.jobs.facts import Job, is_held, is_over
from client.jobs.live import Live, live
from client.printing import Printer
from client.session import Session
from ocean.client import Consumer, ConsumerError

_FIRST_SECONDS, _MOST_SECONDS = 0.2, 5.0
_PATIENCE_SECONDS = 300.0  # with a provider that does not answer meanwhile


async def find_job(consumer: Consumer, job_id: str) -> Job:
    """Raises Refused for an unknown job, or somebody else's."""
    require_job_id(job_id)
    for job in await consumer.status(job_id):
        return job
    raise Refused(f"{consumer.address} has no job {job_id}")


def require_job_id(job_id: str) -> None:
    """Raises Unusable. Other providers have other ids, so only what no id can have is refused."""
    if re.fullmatch(r"[0-9A-Za-z_-]{1,100}", job_id) is None:
        raise Unusable(f"{job_id!r} is no job's id: c2d jobs lists yours")


async def follow(consumer: Consumer, job_id: str, stream: Live) -> AsyncGenerator[Job]:
    """Each state that differs from the one before. Raises Refused, Unreachable (nobody answers for minutes)."""
    before: Job | None = None
    pause, silent_since = _FIRST_SECONDS, time.monotonic()
    while True:
        try:
            job = await find_job(consumer, job_id)
        except (httpx.TransportError, ConsumerError) as exc:
            if isinstance(exc, ConsumerError) and exc.status < 500 and exc.status != 429:
                raise
            if time.monotonic() - silent_since > _PATIENCE_SECONDS:
                raise Unreachable(f"the provider has not answered for minutes; the job goes on: {exc}") from exc
            pause = _MOST_SECONDS
        else:
            silent_since = time.monotonic()
            if before is None or job != before:
                yield job
                pause = _FIRST_SECONDS
            if is_over(job) or is_held(job):
                return
            before = job
        await stream.pause(pause)
        pause = min(pause * 1.3, _MOST_SECONDS)


@asynccontextmanager
async def followed(
    session: Session, printer: Printer, job_id: str, on_log: Callable[[str], None]
) -> AsyncIterator[tuple[Live, AsyncIterator[Job]]]:
    """Its live connection, where the account can have one without being asked for a password, and its states."""
    wanted = session.signs_quietly()
    async with (
        live(session.consumer, job_id, on_log, printer.progress, wanted=wanted) as stream,
        aclosing(follow(session.consumer, job_id, stream)) as states,
    ):
        yield stream, states
