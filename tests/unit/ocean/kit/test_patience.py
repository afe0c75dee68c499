"""Asked again until it answers or the time is over."""

from __future__ import annotations

import time

import pytest

from ocean.kit.patience import ask_patiently

pytestmark = pytest.mark.unit


class Away(Exception):
    pass


class Neighbour:
    def __init__(self, *failures: Exception) -> None:
        self._failures = list(failures)
        self.asked = 0

    async def __call__(self) -> str:
        self.asked += 1
        if self._failures:
            raise self._failures.pop(0)
        return "here"


def soon() -> float:
    return time.monotonic() + 60


async def test_the_first_answer_counts_and_waiting_is_told() -> None:
    neighbour, told = Neighbour(Away("a"), Away("b"), Away("c")), list[tuple[str, bool]]()

    def tell(trouble: Away, left: float) -> None:
        told.append((str(trouble), 0 < left <= 60))

    assert await ask_patiently(neighbour, Away, end=soon(), pause_seconds=0, tell=tell, tell_seconds=-1) == "here"
    assert neighbour.asked == 4
    assert told == [("a", True), ("b", True), ("c", True)]


async def test_it_is_not_told_too_often() -> None:
    told: list[str] = []
    neighbour = Neighbour(Away("a"), Away("b"), Away("c"))
    await ask_patiently(
        neighbour,
        Away,
        end=soon(),
        pause_seconds=0,
        tell=lambda trouble, _: told.append(str(trouble)),
        tell_seconds=50,
    )
    assert told == ["a"]


async def test_the_last_failure_is_raised_when_no_pause_fits_any_more() -> None:
    neighbour = Neighbour(Away("a"), Away("b"))
    with pytest.raises(Away, match="a"):
        await ask_patiently(neighbour, Away, end=soon(), pause_seconds=61)
    assert neighbour.asked == 1


async def test_other_failures_are_raised_at_once() -> None:
    neighbour = Neighbour(Away("a"), ValueError("other"))
    with pytest.raises(ValueError, match="other"):
        await ask_patiently(neighbour, Away, end=soon(), pause_seconds=0)
    assert neighbour.asked == 2
