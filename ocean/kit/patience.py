"""Asking a neighbour again and again that does not answer yet, with an end.

For calls that may be repeated, at a steady pace: of neighbours that are just starting, or away for a moment. Whoever
must make more and more of a pause, or begins anew where something went on, counts by itself (results/kubo_rpc.py,
pods/configuration/download.py, pods/publishing/upload.py); so does who is told how long to wait (ocean/chain/rpc.py).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

E = TypeVar("E", bound=Exception)
T = TypeVar("T")


async def ask_patiently(
    ask: Callable[[], Awaitable[T]],
    failure: type[E],
    *,
    end: float,
    pause_seconds: float,
    tell: Callable[[E, float], None] | None = None,
    tell_seconds: float = 0.0,
) -> T:
    """The first answer. A failure of that kind is raised when another pause would last beyond `end`, a time of
    `time.monotonic`; any other one at once. `tell` hears why it is still waited, and how many seconds are left: at the
    first failure, and then every `tell_seconds` at most."""
    told = float("-inf")
    while True:
        try:
            return await ask()
        except failure as trouble:
            now = time.monotonic()
            if now + pause_seconds >= end:
                raise
            if tell is not None and now - told > tell_seconds:
                told = now
                tell(trouble, end - now)
        await asyncio.sleep(pause_seconds)
