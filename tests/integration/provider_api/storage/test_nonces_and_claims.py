"""Nonces, claims and deleted tokens on SQLite and on PostgreSQL, with many tasks and several processes' engines."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from sqlalchemy import insert, inspect, select, text, update
from sqlalchemy.ext.asyncio import create_async_engine

from provider_api.storage import migrations
from provider_api.storage.claims import AlreadyClaimed, Claim, Claims, OrderTaken
from provider_api.storage.database import MIGRATION_LOCK, Database
from provider_api.storage.nonces import Nonces, NonceStale, SignedText, TextUsed
from provider_api.storage.revocations import AlreadyRevoked, Revocations
from provider_api.storage.tables import metadata, revoked_tokens
from tests.support.postgres import Postgres

pytestmark = pytest.mark.integration

CONSUMER = "0x" + "a" * 40
CLAIM = Claim("00" + "1" * 30, CONSUMER, "5", "d" * 64, 8996, "0x" + "e" * 64)


@pytest.fixture
async def database(storage_url: str) -> AsyncIterator[Database]:
    database = Database(storage_url)
    await database.open()
    yield database
    await database.close()


async def test_the_migration_makes_the_tables_of_the_code(database: Database) -> None:
    found = await database.read(
        lambda c: {
            table: {column["name"] for column in inspect(c).get_columns(table)}
            for table in inspect(c).get_table_names()
            if table != "alembic_version"
        }
    )
    indexes = await database.read(
        lambda c: {table: {index["name"] for index in inspect(c).get_indexes(table)} for table in metadata.tables}
    )
    assert found == {name: {c.name for c in table.columns} for name, table in metadata.tables.items()}
    assert indexes == {name: {index.name for index in table.indexes} for name, table in metadata.tables.items()}


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


async def test_ten_identical_claims_make_one(database: Database) -> None:
    claims = Claims(database)
    results = await asyncio.gather(*(claims.claim(CLAIM, (), "5") for _ in range(10)), return_exceptions=True)
    assert results.count(None) == 1
    assert sum(isinstance(result, AlreadyClaimed) for result in results) == 9
    found = await claims.find(CLAIM.job_id)
    assert found is not None
    assert found.state == "open"


async def test_an_order_pays_for_one_job_at_a_time(database: Database) -> None:
    claims, nonces = Claims(database), Nonces(database)
    await claims.claim(CLAIM, (), "5")
    other = replace(CLAIM, job_id="00" + "2" * 30, nonce="6")
    with pytest.raises(OrderTaken) as taken:
        await claims.claim(other, (), "6")
    assert [(order, held.job_id) for order, held in taken.value.holders] == [(CLAIM.agreement, CLAIM.job_id)]
    assert await nonces.find(CONSUMER) == "5", "a refused claim must leave the nonce usable"
    assert await claims.mark(CLAIM.job_id, "open", "submitted")
    with pytest.raises(OrderTaken):
        await claims.claim(other, (), "6")
    held = await claims.find(CLAIM.job_id)
    assert held is not None
    assert await claims.change(held, "closed")
    await claims.claim(other, (), "6")


async def test_racing_jobs_for_one_order(database: Database) -> None:
    claims = Claims(database)
    rivals = [replace(CLAIM, job_id=f"00{n:030x}", nonce=str(n), consumer=f"0x{n:040x}") for n in range(1, 21)]
    results = await asyncio.gather(*(claims.claim(rival, (), rival.nonce) for rival in rivals), return_exceptions=True)
    assert results.count(None) == 1
    assert sum(isinstance(result, OrderTaken) for result in results) == 19


async def test_the_same_order_id_on_two_chains_is_two_orders(database: Database) -> None:
    claims = Claims(database)
    await claims.claim(CLAIM, (), "5")
    await claims.claim(replace(CLAIM, job_id="00" + "2" * 30, nonce="6", chain_id=137), (), "6")


async def test_a_released_claim_is_opened_again_only_with_the_last_nonce(database: Database) -> None:
    claims, nonces = Claims(database), Nonces(database)
    await claims.claim(CLAIM, (), "5")
    assert await claims.mark(CLAIM.job_id, "open", "released")
    released = await claims.find(CLAIM.job_id)
    assert released is not None
    assert await claims.reopen(released, (), "5")
    assert await claims.mark(CLAIM.job_id, "open", "released")
    await nonces.consume(CONSUMER, "6")
    released = await claims.find(CLAIM.job_id)
    assert released is not None
    with pytest.raises(NonceStale):
        await claims.reopen(released, (), "5")


async def test_reopening_loses_against_whoever_was_faster(database: Database) -> None:
    claims = Claims(database)
    await claims.claim(CLAIM, (), "5")
    seen = await claims.find(CLAIM.job_id)
    assert seen is not None
    assert await claims.change(seen, "released"), "freed, because nobody heard of it"
    assert not await claims.reopen(seen, (), "5")


async def test_a_freed_order_of_a_released_claim_may_be_taken_meanwhile(database: Database) -> None:
    claims = Claims(database)
    await claims.claim(CLAIM, (), "5")
    assert await claims.mark(CLAIM.job_id, "open", "released")
    await claims.claim(replace(CLAIM, job_id="00" + "2" * 30, consumer="0x" + "b" * 40), (), "5")
    released = await claims.find(CLAIM.job_id)
    assert released is not None
    with pytest.raises(OrderTaken):
        await claims.reopen(released, (), "5")


async def test_of_rivals_with_growing_nonces_the_order_of_acceptance_is_growing(database: Database) -> None:
    """Many different nonces of one consumer at once: none is lost to another error, and the highest stays."""
    nonces = Nonces(database)
    given = [str(n) for n in range(1, 41)]
    results = await asyncio.gather(*(nonces.consume(CONSUMER, n) for n in given), return_exceptions=True)
    assert {type(result) for result in results} <= {type(None), NonceStale}
    assert results[-1] is None or isinstance(results[-1], NonceStale)
    assert await nonces.find(CONSUMER) == "40"


async def test_identical_claims_of_one_consumer_that_has_used_a_nonce_before(database: Database) -> None:
    """Waiting for the consumer's row was waiting for the identical start: that is no stale nonce."""
    await Nonces(database).consume(CONSUMER, "4")
    claims = Claims(database)
    results = await asyncio.gather(*(claims.claim(CLAIM, (), "5") for _ in range(10)), return_exceptions=True)
    assert results.count(None) == 1
    assert sum(isinstance(result, AlreadyClaimed) for result in results) == 9


# --- deleted tokens ---------------------------------------------------------------------------------------------------

DIGEST = "a" * 64
LATER = int(time.time()) + 3600


async def test_a_token_is_deleted_and_made_again(database: Database) -> None:
    revocations = Revocations(database)
    assert not await revocations.contains(DIGEST)
    await revocations.add(DIGEST, LATER, CONSUMER, "1")
    assert await revocations.contains(DIGEST)
    await revocations.remove(DIGEST, CONSUMER, "2")
    assert not await revocations.contains(DIGEST)


async def test_a_repeated_creation_does_not_bring_a_token_back(database: Database) -> None:
    revocations = Revocations(database)
    await revocations.remove(DIGEST, CONSUMER, "1")
    await revocations.add(DIGEST, LATER, CONSUMER, "2")
    with pytest.raises(NonceStale):
        await revocations.remove(DIGEST, CONSUMER, "1")
    assert await revocations.contains(DIGEST)


async def test_deleting_a_deleted_token_keeps_the_nonce_usable(database: Database) -> None:
    revocations, nonces = Revocations(database), Nonces(database)
    await revocations.add(DIGEST, LATER, CONSUMER, "1")
    with pytest.raises(AlreadyRevoked):
        await revocations.add(DIGEST, LATER, CONSUMER, "2")
    assert await nonces.find(CONSUMER) == "1"


async def test_many_deletions_of_one_token(database: Database) -> None:
    revocations = Revocations(database)
    owners = [f"0x{n:040x}" for n in range(10)]
    results = await asyncio.gather(
        *(revocations.add(DIGEST, LATER, owner, "1") for owner in owners), return_exceptions=True
    )
    assert results.count(None) == 1
    assert sum(isinstance(result, AlreadyRevoked) for result in results) == 9


async def test_expired_tokens_are_cleaned_up(database: Database) -> None:
    revocations = Revocations(database)
    await revocations.add("b" * 64, int(time.time()) - 7200, CONSUMER, "1")
    await revocations.add("c" * 64, int(time.time()) - 60, CONSUMER, "2")
    await revocations.add(DIGEST, LATER, CONSUMER, "3")
    kept = {row.digest for row in await database.rows(select(revoked_tokens.c.digest))}
    assert kept == {DIGEST, "c" * 64}, "a token that has just expired stays: clocks of replicas differ a little"


# --- several processes ------------------------------------------------------------------------------------------------


async def test_many_open_a_fresh_database_at_once(storage_url: str) -> None:
    """Changing a file's journal mode is the one thing that SQLite refuses instead of waiting; replicas on PostgreSQL
    migrate one after the other."""
    databases = [Database(storage_url) for _ in range(6)]
    try:
        await asyncio.gather(*(database.open() for database in databases))
        versions = await databases[0].read(
            lambda c: c.execute(text("SELECT version_num FROM alembic_version")).scalars().all()
        )
    finally:
        for database in databases:
            await database.close()
    assert versions == ["0005"]


async def test_an_older_database_is_brought_up_to_date(storage_url: str) -> None:
    """What an earlier release has stored is still there."""
    database = Database(storage_url)
    try:
        await database.write(lambda c: migrations.upgrade(c, "0001"))
        await database.write(
            lambda c: c.execute(insert(metadata.tables["nonces"]).values(consumer=CONSUMER, value="7"))
        )
        await database.open()
        assert await Nonces(database).find(CONSUMER) == "7"
        assert not await Revocations(database).contains(DIGEST)
    finally:
        await database.close()


async def test_replicas_wait_for_the_one_that_migrates(postgres: Postgres) -> None:
    """The lock of PostgreSQL: a second opener waits until the first one's transaction is over."""
    url = await postgres.create_database()
    first, second = create_async_engine(url), Database(url)
    try:
        async with first.begin() as connection:
            await connection.execute(text(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})"))
            opening = asyncio.create_task(second.open())
            done, _ = await asyncio.wait({opening}, timeout=0.5)
            assert not done
        await opening
        assert await Nonces(second).find(CONSUMER) is None
    finally:
        await first.dispose()
        await second.close()


async def test_two_processes_share_one_database(storage_url: str) -> None:
    first, second = Database(storage_url), Database(storage_url)
    try:
        await asyncio.gather(first.open(), second.open())
        tasks = [Claims(d).claim(CLAIM, (), "5") for d in (first, second) * 10]
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert results.count(None) == 1
        assert sum(isinstance(result, AlreadyClaimed) for result in results) == 19
    finally:
        await first.close()
        await second.close()


# --- all orders of a job ----------------------------------------------------------------------------------------------

ORDERS = [(8996, "0x" + digit * 64) for digit in "123456"]


async def test_all_orders_or_none(database: Database) -> None:
    claims = Claims(database)
    await claims.claim(CLAIM, ORDERS[:3], "5")
    other = replace(CLAIM, job_id="00" + "2" * 30, nonce="6", agreement_id=ORDERS[5][1])
    with pytest.raises(OrderTaken) as taken:
        await claims.claim(other, ORDERS[1:5], "6")
    assert [order for order, _ in taken.value.holders] == ORDERS[1:3]
    await claims.claim(other, ORDERS[3:5], "6")
    assert {order for order, _ in await claims.holders(ORDERS, but=CLAIM.job_id)} == set(ORDERS[3:])


async def test_rivals_with_overlapping_orders(database: Database) -> None:
    """Each takes three of six, in any order: whoever wins has all of them, and the database is never in trouble."""
    claims = Claims(database)
    rivals = [
        replace(CLAIM, job_id=f"00{n:030x}", nonce=str(n), consumer=f"0x{n:040x}", agreement_id=ORDERS[n % 6][1])
        for n in range(1, 25)
    ]
    wanted = {rival.job_id: [ORDERS[(n * 7 + k * (1 + n % 5)) % 6] for k in range(3)] for n, rival in enumerate(rivals)}
    results = await asyncio.gather(
        *(claims.claim(rival, wanted[rival.job_id], rival.nonce) for rival in rivals), return_exceptions=True
    )
    assert {type(result) for result in results} <= {type(None), OrderTaken, AlreadyClaimed}, results
    won = [rival for rival, result in zip(rivals, results, strict=True) if result is None]
    assert won
    held = [order for rival in won for order in {*wanted[rival.job_id], rival.agreement}]
    assert len(held) == len(set(held))


async def test_reopening_takes_the_orders_again(database: Database) -> None:
    claims = Claims(database)
    await claims.claim(CLAIM, ORDERS[:2], "5")
    assert await claims.mark(CLAIM.job_id, "open", "released")
    assert await claims.holders(ORDERS) == []
    released = await claims.find(CLAIM.job_id)
    assert released is not None
    assert await claims.reopen(released, ORDERS[:2], "5")
    assert {order for order, _ in await claims.holders(ORDERS)} == set(ORDERS[:2])


async def test_claims_of_the_release_before_are_taken_over(storage_url: str) -> None:
    database = Database(storage_url)
    try:
        await database.write(lambda c: migrations.upgrade(c, "0003"))
        rows = [
            _row(replace(CLAIM, job_id=f"00{n:030x}", nonce=str(n), agreement_id=ORDERS[n][1]), state)
            for n, state in enumerate(("open", "submitted", "released", "closed"))
        ]
        await database.write(lambda c: c.execute(insert(metadata.tables["claims"]), rows))
        await database.open()
        assert [order for order, _ in await Claims(database).holders(ORDERS)] == ORDERS[:2]
        with pytest.raises(OrderTaken):
            await Claims(database).claim(replace(CLAIM, nonce="50"), ORDERS[1:2], "50")
        await Claims(database).claim(replace(CLAIM, nonce="50"), ORDERS[2:4], "50")
    finally:
        await database.close()


async def test_beside_a_process_of_the_release_before(database: Database) -> None:
    """It writes and changes claims only: what it holds is held, what it has closed is free."""
    table = metadata.tables["claims"]
    theirs = replace(CLAIM, job_id="00" + "7" * 30, consumer="0x" + "7" * 40, agreement_id=ORDERS[0][1])
    await database.write(lambda c: c.execute(insert(table), [_row(theirs, "submitted")]))
    claims = Claims(database)
    with pytest.raises(OrderTaken) as taken:
        await claims.claim(CLAIM, ORDERS[:2], "5")
    assert taken.value.holders[0][1].job_id == theirs.job_id
    assert await claims.mark(theirs.job_id, "submitted", "closed")
    await claims.claim(CLAIM, ORDERS[:2], "5")
    closed = update(table).where(table.c.job_id == CLAIM.job_id).values(state="closed")
    await database.write(lambda c: c.execute(closed))
    await claims.claim(replace(CLAIM, job_id="00" + "8" * 30, nonce="6"), ORDERS[1:3], "6")


def _row(claim: Claim, state: str) -> dict[str, object]:
    return {**{name: getattr(claim, name) for name in Claim.__dataclass_fields__}, "state": state}


# --- texts ------------------------------------------------------------------------------------------------------------


async def test_a_text_is_taken_once_and_forgotten_when_every_reading_is_stale(database: Database) -> None:
    nonces = Nonces(database)
    text = SignedText("a" * 64, 3)
    await nonces.consume(CONSUMER, "7", text)
    with pytest.raises(TextUsed):
        await nonces.consume(CONSUMER, "107", text)
    assert await nonces.find(CONSUMER) == "7", "the nonce has not grown"
    await nonces.consume("0x" + "b" * 40, "107", text)  # another account's is another
    await nonces.consume(CONSUMER, "8", SignedText("b" * 64, 0))
    await nonces.consume(CONSUMER, "1000", SignedText("c" * 64, 5))
    table = metadata.tables["accepted_texts"]
    kept = await database.rows(select(table.c.digest).where(table.c.consumer == CONSUMER))
    assert [row.digest for row in kept] == ["c" * 64]


async def test_a_nonce_of_255_digits_is_stored(database: Database) -> None:
    nonces = Nonces(database)
    longest = "0" * 15 + "1" + "0" * 239
    await nonces.consume(CONSUMER, longest)
    assert await nonces.find(CONSUMER) == longest
    await Claims(database).claim(replace(CLAIM, nonce="1" + "0" * 238 + "1"), (), "1" + "0" * 238 + "1")
