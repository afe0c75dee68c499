"""Blocking calls beside the event loop, in threads that do not keep the process alive when their time is over."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

T = TypeVar("T")
_NAME = "doctor-call"


async def in_thread(function: Callable[..., T], *args: Any) -> T:
    """Like asyncio.to_thread, but neither a cancelled call nor a hanging one is waited for at the end."""
    loop = asyncio.get_running_loop()
    outcome: asyncio.Future[T] = loop.create_future()

    def tell(set_it: Callable[[], None]) -> None:
        if not outcome.done():
            set_it()

    def work() -> None:
        try:
            value = function(*args)
        except Exception as exc:  # noqa: BLE001  (handed on, every one)
            report = partial(outcome.set_exception, exc)
        else:
            report = partial(outcome.set_result, value)
        if not loop.is_closed():
            loop.call_soon_threadsafe(tell, report)

    threading.Thread(target=work, name=_NAME, daemon=True).start()
    return await outcome


def waiting() -> bool:
    """Whether some call has not come back yet."""
    return any(thread.name == _NAME for thread in threading.enumerate())
