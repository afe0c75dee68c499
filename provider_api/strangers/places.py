"""Who is worked on now: so many at once, so many of them for one name; others wait their turn, for a while."""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict

MOST_WAITING = 256  # of all names together


class NoPlace(Exception):
    """Too many wait already, or the wait took too long."""


class Places:
    def __init__(self, most: int, most_each: int, waiting_each: int, waiting_seconds: float) -> None:
        self._most, self._most_each = most, most_each
        self._waiting_each, self._waiting_seconds = waiting_each, waiting_seconds
        self._taken: Counter[str] = Counter()
        self._waiting: OrderedDict[asyncio.Future[None], str] = OrderedDict()  # in the order of their coming
        self._waiting_of: Counter[str] = Counter()

    @property
    def taken(self) -> int:
        return self._taken.total()

    async def enter(self, name: str) -> None:
        """`leave` gives the place back. Raises NoPlace."""
        if self._is_free(name):
            self._taken[name] += 1
            return
        if self._waiting_of[name] >= self._waiting_each or len(self._waiting) >= MOST_WAITING:
            raise NoPlace
        turn = asyncio.get_running_loop().create_future()
        self._waiting[turn] = name
        self._waiting_of[name] += 1
        try:
            async with asyncio.timeout(self._waiting_seconds):
                await turn
        except BaseException as exc:
            if turn.done() and not turn.cancelled():
                self.leave(name)  # the place came at the same moment
            if isinstance(exc, TimeoutError):
                raise NoPlace from None
            raise
        finally:
            self._waiting.pop(turn, None)
            self._waiting_of = self._waiting_of - Counter([name])

    def leave(self, name: str) -> None:
        self._taken = self._taken - Counter([name])
        for turn, other in list(self._waiting.items()):
            if not turn.done() and self._is_free(other):
                self._taken[other] += 1
                del self._waiting[turn]
                turn.set_result(None)

    def _is_free(self, name: str) -> bool:
        return self._taken.total() < self._most and self._taken[name] < self._most_each
