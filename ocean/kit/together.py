"""Several things at the same time, none of which is left running without an owner.

`asyncio.gather` raises the first failure at once and leaves the others running: they go on asking neighbours for an
answer that nobody wants, and what they raise later is "never retrieved". A task group ends them, but raises a group.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any, TypeVar, overload

A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
T = TypeVar("T")


@overload
async def together(first: Awaitable[A], second: Awaitable[B], /) -> tuple[A, B]: ...
@overload
async def together(first: Awaitable[A], second: Awaitable[B], third: Awaitable[C], /) -> tuple[A, B, C]: ...
@overload
async def together(*work: Awaitable[T]) -> tuple[T, ...]: ...
async def together(*work: Awaitable[Any]) -> tuple[Any, ...]:
    """All outcomes, in order. The first failure cancels the others, waits for their end, and is raised as it is."""
    failure: BaseException | None = None
    tasks: list[asyncio.Task[Any]] = []
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one if asyncio.iscoroutine(one) else _outcome(one)) for one in work]
    except BaseExceptionGroup as failures:
        failure = failures.exceptions[0]
    if failure is not None:
        raise failure
    return tuple(task.result() for task in tasks)


async def each_to_its_end(*work: Awaitable[T]) -> list[T]:
    """For work that must not be broken off because something else failed: all of it ends, then the first failure (in
    the order of `work`) is raised. Cancelling it cancels all."""
    outcomes = await asyncio.gather(*work, return_exceptions=True)
    done: list[T] = []
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome
        done.append(outcome)
    return done


async def _outcome(one: Awaitable[T]) -> T:
    return await one
