"""Nonces: strictly increasing per consumer, compared as numbers, stored as written, kept for ever.

Keyed by the canonical address (the peer keyed by spelling, so that another letter case started from zero). Whoever
takes one locks the consumer's row first, so that of equal nonces exactly one is accepted however many processes race.
"""

from __future__ import annotations

from decimal import Context, Decimal

from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from provider_api.storage.database import Database
from provider_api.storage.tables import nonces

_EXACT = Context(prec=100)


class NonceStale(Exception):
    """The nonce is not greater than the stored one."""

    def __init__(self, stored: str, given: str) -> None:
        super().__init__(f"expected nonce ({stored}) > current nonce ({given}).")
        self.stored, self.given = stored, given


def number_of(nonce: str) -> Decimal:
    """Exact value of a nonce that has passed `parameters.nonce_number`."""
    return _EXACT.create_decimal(nonce)


def normal_form(nonce: str) -> str:
    """One spelling per value: no leading zeros, no trailing zeros after the point."""
    whole, _, fraction = nonce.partition(".")
    whole, fraction = whole.lstrip("0") or "0", fraction.rstrip("0")
    return f"{whole}.{fraction}" if fraction else whole


def require_newer(stored: str | None, given: str) -> None:
    """Raises NonceStale."""
    if stored is not None and number_of(given) <= number_of(stored):
        raise NonceStale(stored, given)


async def lock(connection: AsyncConnection, consumer: str) -> str | None:
    """The stored nonce, which nobody else can change before this transaction ends. None if there is none yet."""
    statement = select(nonces.c.value).where(nonces.c.consumer == consumer).with_for_update()
    return (await connection.execute(statement)).scalar_one_or_none()


async def take(connection: AsyncConnection, consumer: str, given: str) -> None:
    """Inside a transaction: require a newer nonce and store it. Raises NonceStale; for a lost race, with the winner."""
    stored = await lock(connection, consumer)
    if stored is None:
        try:
            async with connection.begin_nested():
                await connection.execute(insert(nonces).values(consumer=consumer, value=given))
        except IntegrityError:  # somebody else's first one was faster
            stored = await lock(connection, consumer)
        else:
            return
    require_newer(stored, given)
    await connection.execute(update(nonces).where(nonces.c.consumer == consumer).values(value=given))


class Nonces:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, consumer: str) -> str | None:
        """The stored nonce as its consumer wrote it. `consumer` is canonical."""
        statement = select(nonces.c.value).where(nonces.c.consumer == consumer)
        async with self._database.read() as connection:
            return (await connection.execute(statement)).scalar_one_or_none()

    async def consume(self, consumer: str, given: str) -> None:
        """Compare and store in one step. Raises NonceStale."""
        async with self._database.begin() as connection:
            await take(connection, consumer, given)
