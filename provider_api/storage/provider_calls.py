"""Which nonces providers have used, and for what.

A provider has several workers and no order between its requests, so a nonce need not be the greatest: it must be new.
Providers repeat requests by themselves when a connection breaks, with the same nonce and signature: the identical call
is let through again. Rows are kept for as long as the time in the nonce is accepted.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection, bindparam, delete, insert, select
from sqlalchemy.exc import IntegrityError

from provider_api.storage.database import Database
from provider_api.storage.tables import provider_calls

_NEW: Final = insert(provider_calls)
_OLD: Final = delete(provider_calls).where(provider_calls.c.used_at < bindparam("before"))
_DIGEST: Final = select(provider_calls.c.digest).where(
    provider_calls.c.signer == bindparam("signer"), provider_calls.c.nonce == bindparam("nonce")
)


class NonceUsed(Exception):
    """The nonce was used for another call."""


class ProviderCalls:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def admit(self, signer: str, nonce: str, digest: str, now: float, keep_seconds: float) -> None:
        """Use up a nonce (normal form) of a canonical address. Raises NonceUsed."""
        row = {"signer": signer, "nonce": nonce, "digest": digest, "used_at": now}

        def use_up(connection: Connection) -> None:
            connection.execute(_NEW, row)
            connection.execute(_OLD, {"before": now - keep_seconds})

        try:
            await self._database.write(use_up)
        except IntegrityError:
            if await self._digest(signer, nonce) != digest:
                raise NonceUsed from None

    async def _digest(self, signer: str, nonce: str) -> str | None:
        found = await self._database.rows(_DIGEST, signer=signer, nonce=nonce)
        return found[0].digest if found else None
