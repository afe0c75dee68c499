"""Deleted tokens, by the SHA-256 of their text, until they expire by themselves.

What changes the list also uses up a nonce, in one transaction: a repeated request changes nothing.
"""

from __future__ import annotations

import time
from typing import Final

from sqlalchemy import Delete, delete, insert, select
from sqlalchemy.exc import IntegrityError

from provider_api.storage import nonces
from provider_api.storage.database import Database
from provider_api.storage.tables import revoked_tokens

# How long an expired token stays listed: the clocks of two replicas may differ by less.
_KEEP_SECONDS: Final = 3600


class AlreadyRevoked(Exception):
    """The token is on the list."""


class Revocations:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def contains(self, digest: str) -> bool:
        statement = select(revoked_tokens.c.digest).where(revoked_tokens.c.digest == digest)
        async with self._database.read() as connection:
            return (await connection.execute(statement)).first() is not None

    async def add(self, digest: str, expires_at: int, consumer: str, nonce: str) -> None:
        """Raises nonces.NonceStale, AlreadyRevoked; the nonce stays usable then."""
        try:
            async with self._database.begin() as connection:
                await nonces.take(connection, consumer, nonce)
                await connection.execute(insert(revoked_tokens).values(digest=digest, expires_at=expires_at))
                await connection.execute(_expired())
        except IntegrityError:
            raise AlreadyRevoked from None

    async def remove(self, digest: str, consumer: str, nonce: str) -> None:
        """Raises nonces.NonceStale."""
        async with self._database.begin() as connection:
            await nonces.take(connection, consumer, nonce)
            await connection.execute(delete(revoked_tokens).where(revoked_tokens.c.digest == digest))
            await connection.execute(_expired())


def _expired() -> Delete:
    return delete(revoked_tokens).where(revoked_tokens.c.expires_at < int(time.time()) - _KEEP_SECONDS)
