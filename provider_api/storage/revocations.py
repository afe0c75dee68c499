"""Deleted tokens, by the SHA-256 of their text, until they expire by themselves; and for those who have deleted all at
once, of which generation their tokens are.

What a signed request changes in the list also uses up its nonce, in one transaction: a repeated request changes
nothing. What may be used once, such as the nonce of a sign-in, is on the same list from then on.
"""

from __future__ import annotations

import time
from typing import Final

from sqlalchemy import Connection, bindparam, delete, insert, select
from sqlalchemy.exc import IntegrityError

from provider_api.storage import nonces
from provider_api.storage.database import Database
from provider_api.storage.nonces import SignedText
from provider_api.storage.tables import revoked_tokens, token_generations

# How long an expired token stays listed: the clocks of two replicas may differ by less.
_KEEP_SECONDS: Final = 3600
_REVOKED: Final = select(revoked_tokens.c.digest).where(revoked_tokens.c.digest == bindparam("digest"))
_GENERATION: Final = select(token_generations.c.generation).where(token_generations.c.consumer == bindparam("consumer"))


_NEW: Final = insert(revoked_tokens)
_REMOVED: Final = delete(revoked_tokens).where(revoked_tokens.c.digest == bindparam("the_digest"))
_EXPIRED: Final = delete(revoked_tokens).where(revoked_tokens.c.expires_at < bindparam("before"))
_OLD_GENERATION: Final = delete(token_generations).where(token_generations.c.consumer == bindparam("the_consumer"))
_NEW_GENERATION: Final = insert(token_generations)


class AlreadyRevoked(Exception):
    """The token is on the list."""


class Revocations:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def contains(self, digest: str) -> bool:
        return bool(await self._database.rows(_REVOKED, digest=digest))

    async def add(
        self, digest: str, expires_at: int, consumer: str, nonce: str, text: SignedText | None = None
    ) -> None:
        """Raises nonces.NonceRefused, AlreadyRevoked; the nonce stays usable then."""

        def revoke(connection: Connection) -> None:
            nonces.take(connection, consumer, nonce, text)
            connection.execute(_NEW, {"digest": digest, "expires_at": expires_at})
            connection.execute(_EXPIRED, {"before": int(time.time()) - _KEEP_SECONDS})

        try:
            await self._database.write(revoke)
        except IntegrityError:
            raise AlreadyRevoked from None

    async def use_once(self, digest: str, expires_at: int) -> None:
        """Put something on the list whose holder need not sign for that. Raises AlreadyRevoked."""

        def use(connection: Connection) -> None:
            connection.execute(_NEW, {"digest": digest, "expires_at": expires_at})
            connection.execute(_EXPIRED, {"before": int(time.time()) - _KEEP_SECONDS})

        try:
            await self._database.write(use)
        except IntegrityError:
            raise AlreadyRevoked from None

    async def remove(self, digest: str, consumer: str, nonce: str, text: SignedText | None = None) -> None:
        """Raises nonces.NonceRefused."""

        def restore(connection: Connection) -> None:
            nonces.take(connection, consumer, nonce, text)
            connection.execute(_REMOVED, {"the_digest": digest})
            connection.execute(_EXPIRED, {"before": int(time.time()) - _KEEP_SECONDS})

        await self._database.write(restore)

    async def generation(self, consumer: str) -> int:
        """How often the consumer has taken all tokens out of use."""
        found = await self._database.rows(_GENERATION, consumer=consumer)
        return found[0].generation if found else 0

    async def begin_generation(self, consumer: str, nonce: str, text: SignedText | None = None) -> None:
        """Raises nonces.NonceRefused. Who takes a nonce holds the consumer's row, so nobody else counts meanwhile."""

        def count_on(connection: Connection) -> None:
            nonces.take(connection, consumer, nonce, text)
            following = _generation(connection, consumer) + 1
            connection.execute(_OLD_GENERATION, {"the_consumer": consumer})
            connection.execute(_NEW_GENERATION, {"consumer": consumer, "generation": following})

        await self._database.write(count_on)


def _generation(connection: Connection, consumer: str) -> int:
    return connection.execute(_GENERATION, {"consumer": consumer}).scalar_one_or_none() or 0
