"""What is left for strangers: allowances that refill, places that are taken in turn."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provider_api.http.clients import client_name
from provider_api.http.errors import TooMuchAsked
from provider_api.settings import Settings, StrangerSettings
from provider_api.strangers.allowance import MOST_NAMES, Allowance
from provider_api.strangers.budget import Budget
from provider_api.strangers.places import NoPlace, Places
from provider_api.telemetry.metrics import Metrics

pytestmark = pytest.mark.unit


@given(st.lists(st.tuples(st.floats(0, 10), st.floats(0, 100)), max_size=50))
def test_nobody_has_more_than_was_saved_up_and_refilled(steps: list[tuple[float, float]]) -> None:
    allowance, now, spent = Allowance(2.0, 30.0), 0.0, 0.0
    for pause, amount in steps:
        now += pause
        if allowance.left("a", now) > 0:
            allowance.spend("a", amount, now)
            assert spent <= 30.0 + 2.0 * now + 1e-6, "before this one"
            spent += amount
        else:
            wait = allowance.seconds_until_some("a", now)
            assert allowance.left("a", now + wait + 1e-6) > -1e-6
    assert allowance.left("b", now) == 30.0


def test_names_are_forgotten() -> None:
    allowance = Allowance(1.0, 10.0)
    for number in range(MOST_NAMES + 10):
        allowance.spend(str(number), 1, 0.0)
    assert len(allowance._levels) == MOST_NAMES
    assert allowance.left("0", 0.0) == 10.0


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8:1:2:ffff::", "2001:db8:1:2::"),
        ("fe80::1%eth0", "fe80::"),
        ("unix", "unix"),
    ],
)
def test_whom_an_address_stands_for(address: str, name: str) -> None:
    assert client_name(address) == name


async def test_places_are_shared() -> None:
    """Never more than so many, never more than so many of one, and nobody waits behind somebody else's crowd."""
    places = Places(4, 2, 8, 60.0)
    now: Counter[str] = Counter()
    ended: list[str] = []

    async def work(name: str) -> None:
        await places.enter(name)
        now[name] += 1
        assert now.total() <= 4
        assert now[name] <= 2
        await asyncio.sleep(0.001)
        now[name] -= 1
        places.leave(name)
        ended.append(name)

    async with asyncio.TaskGroup() as group:
        for name in ["a"] * 10 + ["b"] * 3 + ["c"] * 3:
            group.create_task(work(name))
    assert Counter(ended) == {"a": 10, "b": 3, "c": 3}
    assert ended.index("b") < 6, "two of four places are free for others"
    assert places.taken == 0


async def test_the_wait_has_an_end() -> None:
    places = Places(1, 1, 1, 0.02)
    await places.enter("a")
    with pytest.raises(NoPlace):
        await places.enter("a")
    waiting = asyncio.create_task(places.enter("a"))
    await asyncio.sleep(0)
    with pytest.raises(NoPlace):
        await places.enter("a")  # one waits already
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    places.leave("a")
    await places.enter("b")
    assert places.taken == 1


def budget(**given: Any) -> Budget:
    return Budget(Settings(strangers=StrangerSettings(**given)), Metrics())


def test_bytes_of_one_and_of_all() -> None:
    spent = budget(bytes_per_minute=1000)
    spent.require_bytes("a")
    spent.spend_bytes("a", 2500)
    with pytest.raises(TooMuchAsked) as caught:
        spent.require_bytes("a")
    assert caught.value.status == 429
    assert int(caught.value.headers()["Retry-After"]) >= 1
    for name in "bcd":
        spent.require_bytes(name)
        spent.spend_bytes(name, 2500)
    with pytest.raises(TooMuchAsked):
        spent.require_bytes("e")  # who has asked for nothing yet


def test_a_file_that_was_begun_ends_but_not_without_bound() -> None:
    metrics = Metrics()
    spent = Budget(Settings(strangers=StrangerSettings(bytes_per_minute=1000)), metrics)
    spent.spend_bytes("a", 200 * 1024 * 1024)
    with pytest.raises(TooMuchAsked):
        spent.spend_bytes("a", 200 * 1024 * 1024)
    shown = metrics.text().decode()
    assert 'c2d_stranger_refusals_total{what="bytes"} 1.0' in shown
    assert (
        f"c2d_stranger_bytes_total {400.0 * 1024 * 1024:.1f}" in shown
        or "c2d_stranger_bytes_total 4.194304e+08" in shown
    )


def test_bodies_have_room_for_several() -> None:
    spent = budget(body_bytes=4000)
    spent.hold_body("a", 1000)
    with pytest.raises(TooMuchAsked):
        spent.hold_body("a", 1)
    for name in "bcd":
        spent.hold_body(name, 1000)
    with pytest.raises(TooMuchAsked):
        spent.hold_body("e", 1)
    spent.drop_body("b", 1000)
    spent.hold_body("e", 1000)
