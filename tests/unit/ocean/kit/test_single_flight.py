"""One answer for all who ask at once, whatever becomes of those who asked."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from ocean.kit.single_flight import SingleFlight

pytestmark = pytest.mark.unit


class Work:
    """Answers how often it was begun, when `go` is set."""

    def __init__(self) -> None:
        self.begun, self.ended = 0, 0
        self.go = asyncio.Event()
        self.failure: Exception | None = None

    async def __call__(self) -> int:
        self.begun += 1
        number = self.begun
        await self.go.wait()
        self.ended += 1
        if self.failure is not None:
            raise self.failure
        return number


async def test_all_who_ask_at_once_share_one_answer_and_who_comes_later_asks_anew() -> None:
    flight, work = SingleFlight[str, int](), Work()
    asking = [asyncio.create_task(flight.run("a", work)) for _ in range(5)]
    await asyncio.sleep(0)
    work.go.set()
    assert await asyncio.gather(*asking) == [1] * 5
    assert await flight.run("a", work) == 2


async def test_other_questions_are_not_kept_waiting() -> None:
    flight, slow = SingleFlight[str, int](), Work()
    waiting = asyncio.create_task(flight.run("slow", slow))
    quick = Work()
    quick.go.set()
    assert await flight.run("quick", quick) == 1
    assert not waiting.done()
    slow.go.set()
    assert await waiting == 1


async def test_a_failure_is_everybodys_and_the_next_one_tries_again() -> None:
    flight, work = SingleFlight[str, int](), Work()
    work.failure = ValueError("away")
    asking = [asyncio.create_task(flight.run("a", work)) for _ in range(3)]
    await asyncio.sleep(0)
    work.go.set()
    assert [str(outcome) for outcome in await asyncio.gather(*asking, return_exceptions=True)] == ["away"] * 3
    work.failure = None
    assert await flight.run("a", work) == 2


async def test_it_goes_on_when_all_have_left_and_a_failure_then_is_no_warning() -> None:
    troubles: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: troubles.append(context))
    flight, work = SingleFlight[str, int](), Work()
    work.failure = ValueError("away")
    asking = asyncio.create_task(flight.run("a", work))
    await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    work.go.set()
    await flight.drain()
    gc.collect()
    assert (work.ended, troubles) == (1, [])


@pytest.mark.parametrize(("end", "ended"), [(SingleFlight.close, 0), (SingleFlight.drain, 1)])
async def test_nothing_is_left_running(
    end: Callable[[SingleFlight[str, int]], Coroutine[Any, Any, None]], ended: int
) -> None:
    flight, work = SingleFlight[str, int](), Work()
    asking = asyncio.create_task(flight.run("a", work))
    await asyncio.sleep(0)
    closing = asyncio.create_task(end(flight))
    await asyncio.sleep(0)
    work.go.set()
    await closing
    (outcome,) = await asyncio.gather(asking, return_exceptions=True)
    assert work.ended == ended
    assert outcome == 1 if ended else isinstance(outcome, asyncio.CancelledError)
