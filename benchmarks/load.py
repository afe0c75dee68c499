"""Load: lanes beside each other, calls of one lane one after the other. The client is light, it shares the machine."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import ClientSession, ClientTimeout, TCPConnector

LANES = 4
Call = Callable[[], Awaitable[object]]


class UnexpectedAnswer(RuntimeError):
    """A measured request was not answered as it should be, so its time says nothing."""


async def per_second(lanes: Sequence[Sequence[Call]]) -> float:
    """Calls per second of all lanes together."""

    async def lane(calls: Sequence[Call]) -> None:
        for call in calls:
            await call()

    began = time.perf_counter()
    await asyncio.gather(*(lane(calls) for calls in lanes))
    return sum(len(calls) for calls in lanes) / (time.perf_counter() - began)


@asynccontextmanager
async def http() -> AsyncIterator[ClientSession]:
    """aiohttp on both sides of a comparison: the lighter the client, the less of it is in the figures."""
    async with ClientSession(connector=TCPConnector(limit=0), timeout=ClientTimeout(total=60)) as session:
        yield session


async def fetch(
    session: ClientSession, method: str, url: str, *, must: str = "", times: int = 1, **options: Any
) -> bytes:
    """The body of a success that says `must`, so many times at least. Raises UnexpectedAnswer."""
    async with session.request(method, url, **options) as response:
        body = await response.read()
        if response.status != 200 or body.count(must.encode()) < times:
            raise UnexpectedAnswer(f"{method} was answered {response.status}: {body[:300]!r}")
        return body
