"""Places of an account in an environment: never more than there are, whichever processes take them at a moment."""

from __future__ import annotations

import asyncio
import multiprocessing
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from sqlalchemy import select

from provider_api.storage.claims import Claim, Claims, OrderTaken, Places, PlacesTaken
from provider_api.storage.database import Database
from provider_api.storage.nonces import NonceStale
from provider_api.storage.tables import claimed_places

pytestmark = pytest.mark.integration

ACCOUNT, OTHER = "0x" + "a" * 40, "0x" + "b" * 40
MOST = 3
HERE = Places("free", ACCOUNT, MOST)


def start(number: int, account: str = ACCOUNT) -> Claim:
    return Claim(f"{number:032x}", account, str(number), "d" * 64, 8996, f"0x{number:064x}")


@pytest.fixture
async def databases(storage_url: str) -> AsyncIterator[list[Database]]:
    """As two processes have them."""
    opened = [Database(storage_url) for _ in range(2)]
    for database in opened:
        await database.open()
    yield opened
    for database in opened:
        await database.close()


async def rows(database: Database) -> list[tuple[str, str, int, str]]:
    statement = select(claimed_places).order_by(claimed_places.c.environment, claimed_places.c.place)
    return [tuple(row) for row in await database.rows(statement)]


@pytest.mark.parametrize("counted", [True, False], ids=["own nonces", "a provider's nonces"])
@pytest.mark.parametrize("most", [1, 2, 3, 7])
async def test_two_storages_race(databases: list[Database], most: int, counted: bool) -> None:
    """Without nonces of the account nothing but the places lets its starts wait for each other."""
    for one_round in range(3):
        places = Places(f"free-{one_round}", ACCOUNT, most)
        numbers = [1000 * one_round + n for n in range(1, 21)]
        results = await asyncio.gather(
            *(
                Claims(databases[place % 2]).claim(start(n), (), str(n) if counted else None, places=places)
                for place, n in enumerate(numbers)
            ),
            return_exceptions=True,
        )
        taken = [result for result in results if result is None]
        assert len(taken) <= most
        assert len(taken) == most or counted  # a lower nonce that came too late is another reason
        refused = [result for result in results if result is not None]
        assert all(isinstance(result, PlacesTaken | NonceStale if counted else PlacesTaken) for result in refused)
        found = [row for row in await rows(databases[0]) if row[0] == places.environment]
        assert [row[2] for row in found] == list(range(len(taken)))


def _in_a_process(url: str, first: int, ready: object, told: object) -> None:
    async def run() -> int:
        database = Database(url)
        await database.open()
        ready.wait()  # type: ignore[attr-defined]
        starts = [Claims(database).claim(start(first + n), (), None, places=HERE) for n in range(15)]
        results = await asyncio.gather(*starts, return_exceptions=True)
        await database.close()
        unexpected = [r for r in results if r is not None and not isinstance(r, PlacesTaken)]
        return results.count(None) if not unexpected else -1000

    told.put(asyncio.run(run()))  # type: ignore[attr-defined]


async def test_two_processes_race(databases: list[Database], storage_url: str) -> None:
    context = multiprocessing.get_context("spawn")
    ready, told = context.Barrier(2), context.Queue()
    processes = [context.Process(target=_in_a_process, args=(storage_url, 100 * n, ready, told)) for n in (1, 2)]
    for process in processes:
        process.start()
    counts = [await asyncio.to_thread(told.get, True, 60) for _ in processes]
    for process in processes:
        await asyncio.to_thread(process.join, 30)
    assert sum(counts) == MOST
    assert len(await rows(databases[0])) == MOST


async def test_other_accounts_and_environments_have_their_own(databases: list[Database]) -> None:
    claims = Claims(databases[0])
    for number in range(1, MOST + 1):
        await claims.claim(start(number), (), None, places=HERE)
    with pytest.raises(PlacesTaken) as full:
        await claims.claim(start(10), (), "10", places=HERE)
    assert sorted(holder.job_id for holder in full.value.holders) == [start(n).job_id for n in range(1, MOST + 1)]
    assert full.value.most == MOST
    assert await claims.find(start(10).job_id) is None  # nothing of it stays, and its nonce may come again
    await claims.claim(start(10), (), "10", places=replace(HERE, environment="paid"))
    await claims.claim(start(11, OTHER), (), None, places=replace(HERE, account=OTHER))
    await claims.claim(start(12), (), None)  # an environment without a limit


@pytest.mark.parametrize("end", ["released", "closed"])
async def test_a_place_is_free_when_its_job_is_over(databases: list[Database], end: str) -> None:
    first, second = (Claims(database) for database in databases)
    for number in range(1, MOST + 1):
        await first.claim(start(number), (), None, places=HERE)
    assert await first.mark(start(2).job_id, "open", "submitted")
    assert await second.mark(start(2).job_id, "submitted", end)  # type: ignore[arg-type]
    await second.claim(start(10), (), None, places=HERE)
    assert [(row[2], row[3]) for row in await rows(databases[0])] == [
        (0, start(1).job_id), (1, start(10).job_id), (2, start(3).job_id)]  # fmt: skip
    with pytest.raises(PlacesTaken):
        await first.claim(start(11), (), None, places=HERE)


async def test_the_same_start_again_takes_no_second_place(databases: list[Database]) -> None:
    claims, places = Claims(databases[0]), Places("free", ACCOUNT, 1)
    await claims.claim(start(1), (), "1", places=places)
    seen = await claims.find(start(1).job_id)
    assert seen is not None
    assert await claims.reopen(seen, (), "1", places)
    await claims.mark(start(1).job_id, "open", "released")
    seen = await claims.find(start(1).job_id)
    assert seen is not None
    await claims.claim(start(2), (), None, places=places)  # the place went to another meanwhile
    with pytest.raises(PlacesTaken):
        await claims.reopen(seen, (), "1", places)
    assert await claims.mark(start(2).job_id, "open", "closed")
    assert await claims.reopen(seen, (), "1", places)
    assert len(await rows(databases[0])) == 1


async def test_a_smaller_limit_counts_all_that_are_there(databases: list[Database]) -> None:
    claims = Claims(databases[0])
    for number in range(1, 6):
        await claims.claim(start(number), (), None, places=replace(HERE, most=5))
    for number in (1, 2):
        with pytest.raises(PlacesTaken):
            await claims.claim(start(10), (), None, places=HERE)
        await claims.mark(start(number).job_id, "open", "closed")
    with pytest.raises(PlacesTaken):
        await claims.claim(start(10), (), None, places=HERE)  # places 2, 3 and 4 are held
    await claims.mark(start(3).job_id, "open", "closed")
    await claims.claim(start(10), (), None, places=HERE)
    with pytest.raises(PlacesTaken):
        await claims.claim(start(11), (), None, places=HERE)


async def test_places_and_orders_do_not_wait_for_each_other_for_ever(databases: list[Database]) -> None:
    """Accounts that fight for the same orders, each over its last places."""
    orders = [(8996, f"0x{n:064x}") for n in range(900, 904)]
    for one_round in range(5):
        starts = [start(10_000 * (one_round + 1) + n, (ACCOUNT, OTHER)[n % 2]) for n in range(16)]
        results = await asyncio.gather(
            *(
                Claims(databases[n % 2]).claim(
                    each, orders[n % 3 : n % 3 + 2], None, places=Places(f"e{one_round}", each.consumer, 2))
                for n, each in enumerate(starts)
            ),
            return_exceptions=True,
        )  # fmt: skip
        assert all(r is None or isinstance(r, PlacesTaken | OrderTaken) for r in results), results
        for each, result in zip(starts, results, strict=True):
            if result is None:
                assert await Claims(databases[0]).mark(each.job_id, "open", "closed")
