"""Blocking libraries for asynchronous callers: loaded when first asked for, and run in a few threads. The time limit
of a request begins when it is asked for, so that waiting for a free thread counts."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

from argo.client.connection import Connection, working_until
from argo.client.errors import ArgoUnavailable

if TYPE_CHECKING:
    from argo.client.queries import Queries
    from argo.client.submission import Submission

_NO_TIME_LEFT: Final = "it does not answer in time"

T = TypeVar("T")


class Workers:
    """The threads of one client, and the two libraries that they run: Hera to submit, argo-workflows for the rest."""

    def __init__(self, connection: Connection) -> None:
        """No library is loaded yet."""
        self._connection = connection
        self._threads = ThreadPoolExecutor(max_workers=connection.calls_at_once, thread_name_prefix="argo")
        self._loading = asyncio.Lock()
        self._submission: Submission | None = None
        self._queries: Queries | None = None

    def close(self) -> None:
        if self._submission is not None:
            self._submission.close()
        if self._queries is not None:
            self._queries.close()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def submission(self) -> Submission:
        if self._submission is None:
            async with self._loading:
                if self._submission is None:
                    self._submission = await asyncio.to_thread(_load_submission, self._connection)
        return self._submission

    async def queries(self) -> Queries:
        if self._queries is None:
            async with self._loading:
                if self._queries is None:
                    self._queries = await asyncio.to_thread(_load_queries, self._connection)
        return self._queries

    async def run(self, function: Callable[..., T], *args: object) -> T:
        """In a thread, with the time limit of a request that begins now.

        Raises ArgoUnavailable when time is over: definite if the call has not begun, and it will not begin any more.
        """
        seconds = self._connection.timeout_seconds
        call = self._threads.submit(_until, time.monotonic() + seconds, partial(function, *args))
        try:
            async with asyncio.timeout(seconds) as limit:
                return await asyncio.wrap_future(call)
        except TimeoutError:
            if not limit.expired():
                raise
            never_begun = call.cancel()
            raise ArgoUnavailable(_NO_TIME_LEFT, definite=never_begun) from None


def _until(deadline: float, function: Callable[[], T]) -> T:
    """In a worker thread."""
    if time.monotonic() >= deadline:
        raise ArgoUnavailable(_NO_TIME_LEFT, definite=True)
    with working_until(deadline):
        return function()


def _load_submission(connection: Connection) -> Submission:
    from argo.client.submission import Submission  # Hera takes most of a second

    return Submission(connection)


def _load_queries(connection: Connection) -> Queries:
    from argo.client.queries import Queries

    return Queries(connection)
