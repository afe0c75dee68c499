"""Claims: which order pays for which job, and how far its submission has come.

Every change of state is one compare-and-swap on the state (and, where a lease is involved, on its time), so replicas
and crashes cannot disagree. States and moves:

    (none) --claim--> open --mark_submitted--> submitted --close--> closed
                       |  ^
               release v  | reopen (the identical request, while its nonce is still the consumer's last)
                      released
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from provider_api.storage import nonces
from provider_api.storage.database import Database
from provider_api.storage.tables import claims

State = Literal["open", "submitted", "released", "closed"]


class AlreadyClaimed(Exception):
    """The identical request has a claim already."""


class AgreementTaken(Exception):
    """Another job holds the order."""

    def __init__(self, holder: Claim) -> None:
        super().__init__(holder.job_id)
        self.holder = holder


@dataclass(frozen=True, slots=True)
class Claim:
    job_id: str
    consumer: str
    nonce: str
    digest: str
    chain_id: int
    agreement_id: str
    state: State = "open"
    changed_at: float = 0.0


class Claims:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, job_id: str) -> Claim | None:
        async with self._database.read() as connection:
            return await _find(connection, job_id)

    async def claim(self, claim: Claim, nonce_text: str | None) -> None:
        """Take nonce and order together, or neither. `nonce_text`: None if the nonce is not counted here.

        Raises AlreadyClaimed, nonces.NonceStale, AgreementTaken.
        """
        values = _values(claim, "open", time.time())
        try:
            async with self._database.begin() as connection:
                if nonce_text is not None:
                    await _take_nonce(connection, claim, nonce_text)
                await connection.execute(insert(claims).values(**values))
        except IntegrityError:
            await self._explain_conflict(claim)
            raise AlreadyClaimed from None

    async def reopen(self, seen: Claim, nonce_text: str | None) -> bool:
        """released -> open, or a new lease for an open claim; False if somebody else changed it meanwhile.

        Raises AgreementTaken; nonces.NonceStale if a released claim's nonce is not the consumer's last any more.
        """
        try:
            async with self._database.begin() as connection:
                if seen.state == "released" and nonce_text is not None:
                    stored = await nonces.lock(connection, seen.consumer)
                    if stored is not None and nonces.number_of(stored) != nonces.number_of(nonce_text):
                        raise nonces.NonceStale(stored, nonce_text)
                return await _change(connection, seen, "open")
        except IntegrityError:
            await self._explain_conflict(seen)
            return False

    async def change(self, seen: Claim, state: State) -> bool:
        """Move a claim from exactly what was seen to `state`; False if it is not that any more."""
        async with self._database.begin() as connection:
            return await _change(connection, seen, state)

    async def mark(self, job_id: str, before: State, after: State) -> bool:
        """Move a claim by its state alone: for the one who holds it."""
        statement = (
            update(claims)
            .where(claims.c.job_id == job_id, claims.c.state == before)
            .values(state=after, changed_at=time.time())
        )
        async with self._database.begin() as connection:
            return (await connection.execute(statement)).rowcount == 1

    async def _explain_conflict(self, claim: Claim) -> None:
        """Raises AgreementTaken if another job holds the order."""
        statement = select(claims).where(
            claims.c.chain_id == claim.chain_id,
            claims.c.agreement_id == claim.agreement_id,
            claims.c.state.in_(("open", "submitted")),
            claims.c.job_id != claim.job_id,
        )
        async with self._database.read() as connection:
            row = (await connection.execute(statement)).first()
        if row is not None:
            raise AgreementTaken(Claim(**row._mapping)) from None


async def _take_nonce(connection: AsyncConnection, claim: Claim, nonce_text: str) -> None:
    """Raises AlreadyClaimed, also if waiting for the nonce was waiting for the identical request; NonceStale."""
    if await _find(connection, claim.job_id) is not None:
        raise AlreadyClaimed
    try:
        await nonces.take(connection, claim.consumer, nonce_text)
    except nonces.NonceStale:
        if await _find(connection, claim.job_id) is not None:
            raise AlreadyClaimed from None
        raise


async def _find(connection: AsyncConnection, job_id: str) -> Claim | None:
    row = (await connection.execute(select(claims).where(claims.c.job_id == job_id))).first()
    return None if row is None else Claim(**row._mapping)


async def _change(connection: AsyncConnection, seen: Claim, state: State) -> bool:
    statement = (
        update(claims)
        .where(claims.c.job_id == seen.job_id, claims.c.state == seen.state, claims.c.changed_at == seen.changed_at)
        .values(state=state, changed_at=time.time())
    )
    return (await connection.execute(statement)).rowcount == 1


def _values(claim: Claim, state: State, changed_at: float) -> dict[str, str | int | float]:
    return {
        "job_id": claim.job_id,
        "consumer": claim.consumer,
        "nonce": claim.nonce,
        "digest": claim.digest,
        "chain_id": claim.chain_id,
        "agreement_id": claim.agreement_id,
        "state": state,
        "changed_at": changed_at,
    }
