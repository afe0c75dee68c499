"""Nonces and claims on real SQLite files, with many tasks at once."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import inspect

from provider_api.storage.claims import AgreementTaken, AlreadyClaimed, Claim, Claims
from provider_api.storage.database import Database
from provider_api.storage.nonces import Nonces, NonceStale, normal_form
from provider_api.storage.tables import metadata

pytestmark = pytest.mark.unit

CONSUMER = "0x" + "a" * 40
CLAIM = Claim("00" + "1" * 30, CONSUMER, "5", "d" * 64, 8996, "0x" + "e" * 64)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = Database(f"sqlite+aiosqlite:///{tmp_path / 'service.sqlite'}")
    await database.open()
    yield database
    await database.close()


async def test_the_migration_makes_the_tables_of_the_code(database: Database) -> None:
    async with database.read() as connection:
        found = await connection.run_sync(
            lambda c: {
                table: {column["name"] for column in inspect(c).get_columns(table)}
                for table in inspect(c).get_table_names()
                if table != "alembic_version"
            }
        )
        indexes = await connection.run_sync(lambda c: {index["name"] for index in inspect(c).get_indexes("claims")})
    assert found == {name: {c.name for c in table.columns} for name, table in metadata.tables.items()}
    assert indexes == {index.name for index in metadata.tables["claims"].indexes}


async def test_opening_twice_changes_nothing(database: Database) -> None:
    await Nonces(database).consume(CONSUMER, "7")
    await database.open()
    assert await Nonces(database).find(CONSUMER) == "7"


@pytest.mark.parametrize(
    ("stored", "given", "accepted"),
    [
        ("5", "6", True),
        ("5", "5", False),
        ("5", "5.0", False),
        ("5", "4.999999999999999999", False),
        ("5", "5.000000000000000001", True),
        ("9007199254740993", "9007199254740994", True),
        ("9" * 78, "9" * 77, False),
        ("57", "571", True),
        ("0010", "11", True),
    ],
)
async def test_nonces_grow(database: Database, stored: str, given: str, accepted: bool) -> None:
    nonces = Nonces(database)
    await nonces.consume(CONSUMER, stored)
    if accepted:
        await nonces.consume(CONSUMER, given)
        assert await nonces.find(CONSUMER) == given
    else:
        with pytest.raises(NonceStale) as refused:
            await nonces.consume(CONSUMER, given)
        assert (refused.value.stored, refused.value.given) == (stored, given)


async def test_one_of_many_equal_nonces_wins(database: Database) -> None:
    nonces = Nonces(database)
    results = await asyncio.gather(*(nonces.consume(CONSUMER, "8") for _ in range(40)), return_exceptions=True)
    assert results.count(None) == 1
    assert sum(isinstance(result, NonceStale) for result in results) == 39


@pytest.mark.parametrize(
    ("text", "expected"),
    [("7", "7"), ("007", "7"), ("7.50", "7.5"), ("7.0", "7"), ("0", "0"), ("000", "0"), ("0.10", "0.1")],
)
def test_normal_form(text: str, expected: str) -> None:
    assert normal_form(text) == expected


async def test_ten_identical_claims_make_one(database: Database) -> None:
    claims = Claims(database)
    results = await asyncio.gather(*(claims.claim(CLAIM, "5") for _ in range(10)), return_exceptions=True)
    assert results.count(None) == 1
    assert sum(isinstance(result, AlreadyClaimed) for result in results) == 9
    found = await claims.find(CLAIM.job_id)
    assert found is not None
    assert found.state == "open"


async def test_an_order_pays_for_one_job_at_a_time(database: Database) -> None:
    claims, nonces = Claims(database), Nonces(database)
    await claims.claim(CLAIM, "5")
    other = replace(CLAIM, job_id="00" + "2" * 30, nonce="6")
    with pytest.raises(AgreementTaken) as taken:
        await claims.claim(other, "6")
    assert taken.value.holder.job_id == CLAIM.job_id
    assert await nonces.find(CONSUMER) == "5", "a refused claim must leave the nonce usable"
    assert await claims.mark(CLAIM.job_id, "open", "submitted")
    with pytest.raises(AgreementTaken):
        await claims.claim(other, "6")
    held = await claims.find(CLAIM.job_id)
    assert held is not None
    assert await claims.change(held, "closed")
    await claims.claim(other, "6")


async def test_racing_jobs_for_one_order(database: Database) -> None:
    claims = Claims(database)
    rivals = [replace(CLAIM, job_id=f"00{n:030x}", nonce=str(n), consumer=f"0x{n:040x}") for n in range(1, 21)]
    results = await asyncio.gather(*(claims.claim(rival, rival.nonce) for rival in rivals), return_exceptions=True)
    assert results.count(None) == 1
    assert sum(isinstance(result, AgreementTaken) for result in results) == 19


async def test_the_same_order_id_on_two_chains_is_two_orders(database: Database) -> None:
    claims = Claims(database)
    await claims.claim(CLAIM, "5")
    await claims.claim(replace(CLAIM, job_id="00" + "2" * 30, nonce="6", chain_id=137), "6")


async def test_a_released_claim_is_opened_again_only_with_the_last_nonce(database: Database) -> None:
    claims, nonces = Claims(database), Nonces(database)
    await claims.claim(CLAIM, "5")
    assert await claims.mark(CLAIM.job_id, "open", "released")
    released = await claims.find(CLAIM.job_id)
    assert released is not None
    assert await claims.reopen(released, "5")
    assert await claims.mark(CLAIM.job_id, "open", "released")
    await nonces.consume(CONSUMER, "6")
    released = await claims.find(CLAIM.job_id)
    assert released is not None
    with pytest.raises(NonceStale):
        await claims.reopen(released, "5")


async def test_reopening_loses_against_whoever_was_faster(database: Database) -> None:
    claims = Claims(database)
    await claims.claim(CLAIM, "5")
    seen = await claims.find(CLAIM.job_id)
    assert seen is not None
    assert await claims.change(seen, "released"), "freed, because nobody heard of it"
    assert not await claims.reopen(seen, "5")


async def test_a_freed_order_of_a_released_claim_may_be_taken_meanwhile(database: Database) -> None:
    claims = Claims(database)
    await claims.claim(CLAIM, "5")
    assert await claims.mark(CLAIM.job_id, "open", "released")
    await claims.claim(replace(CLAIM, job_id="00" + "2" * 30, consumer="0x" + "b" * 40), "5")
    released = await claims.find(CLAIM.job_id)
    assert released is not None
    with pytest.raises(AgreementTaken):
        await claims.reopen(released, "5")


async def test_many_open_a_fresh_file_at_once(tmp_path: Path) -> None:
    """Changing a file's journal mode is the one thing that SQLite refuses instead of waiting."""
    for round_ in range(5):
        databases = [Database(f"sqlite+aiosqlite:///{tmp_path / f'{round_}.sqlite'}") for _ in range(6)]
        try:
            await asyncio.gather(*(database.open() for database in databases))
        finally:
            for database in databases:
                await database.close()


async def test_two_processes_share_one_file(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path / 'service.sqlite'}"
    first, second = Database(url), Database(url)
    try:
        await asyncio.gather(first.open(), second.open())
        tasks = [Claims(d).claim(CLAIM, "5") for d in (first, second) * 10]
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert results.count(None) == 1
        assert sum(isinstance(result, AlreadyClaimed) for result in results) == 19
    finally:
        await first.close()
        await second.close()
