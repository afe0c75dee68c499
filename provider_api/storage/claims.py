"""Claims: which order pays for which job, and how far its submission has come.

Every change of state is one compare-and-swap on the state (and, where a lease is involved, on its time), so replicas
and crashes cannot disagree. States and moves:

    (none) --claim--> open --mark_submitted--> submitted --close--> closed
                       |  ^
               release v  | reopen (the identical request, while its nonce is still the consumer's last)
                      released

A claim holds every order of ours that its job uses while it is open or submitted: a row of `claimed_orders` each, taken
in the transaction that opens the claim, in one order for all, so that rivals wait for each other instead of blocking.
While processes of the release before run, only the order that pays is safe from them (`claims.agreement_id`).

Where an environment limits the jobs of an account, a claim holds one of its places as well: a row of `claimed_places`.
"""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final, Literal

from sqlalchemy import Connection, Update, and_, bindparam, delete, func, insert, or_, select, tuple_, update
from sqlalchemy.exc import IntegrityError

from provider_api.storage import nonces
from provider_api.storage.database import Database
from provider_api.storage.nonces import SignedText
from provider_api.storage.tables import claimed_orders, claimed_places, claims

Order = tuple[int, str]  # chain, transaction hash in lower case
State = Literal["open", "submitted", "released", "closed"]


class AlreadyClaimed(Exception):
    """The identical request has a claim already."""


class OrderTaken(Exception):
    """Other jobs hold some of the orders. `holders`: each such order with the claim that holds it, at least one."""

    def __init__(self, holders: Collection[tuple[Order, Claim]]) -> None:
        super().__init__(", ".join(holder.job_id for _, holder in holders))
        self.holders = tuple(holders)


@dataclass(frozen=True, slots=True)
class Places:
    """So many unfinished jobs an account may have in an environment."""

    environment: str
    account: str
    most: int


class PlacesTaken(Exception):
    """The account has none of its `most` places left. `holders`: the claims that have them."""

    def __init__(self, holders: Collection[Claim], most: int) -> None:
        super().__init__(", ".join(holder.job_id for holder in holders))
        self.holders, self.most = tuple(holders), most


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

    @property
    def agreement(self) -> Order:
        """The order that pays."""
        return self.chain_id, self.agreement_id


# Statements are made once: making one costs more than SQLite takes to run it. Names of values begin with `the_` where a
# column has the same.
_HOLDING: Final = or_(claims.c.state == "open", claims.c.state == "submitted")
_CLAIM: Final = select(claims).where(claims.c.job_id == bindparam("the_job"))
_NEW: Final = insert(claims)
_MOVED: Final = (
    update(claims)
    .where(claims.c.job_id == bindparam("the_job"), claims.c.state == bindparam("the_state"))
    .values(state=bindparam("new_state"), changed_at=bindparam("now"))
)
_CHANGED: Final = _MOVED.where(claims.c.changed_at == bindparam("seen_at"))
_FREED: Final = [
    delete(table).where(table.c.job_id == bindparam("the_job")) for table in (claimed_orders, claimed_places)
]

_THEIRS: Final = (claimed_places.c.environment == bindparam("the_environment")) & (
    claimed_places.c.account == bindparam("the_account")
)
_PLACES: Final = (
    select(claimed_places.c.place, claims)
    .join_from(claimed_places, claims, claimed_places.c.job_id == claims.c.job_id)
    .where(_THEIRS, _HOLDING, claims.c.job_id != bindparam("the_job"))
)
_OLD_PLACES: Final = delete(claimed_places).where(
    _THEIRS, claimed_places.c.place.not_in(bindparam("held", expanding=True))
)
_NEW_PLACE: Final = insert(claimed_places)

_OLD_ORDER: Final = delete(claimed_orders).where(
    claimed_orders.c.chain_id == bindparam("the_chain"),
    claimed_orders.c.order_id == bindparam("the_order"),
    or_(
        claimed_orders.c.job_id == bindparam("the_job"),
        claimed_orders.c.job_id.in_(select(claims.c.job_id).where(~_HOLDING)),
    ),
)
_NEW_ORDER: Final = insert(claimed_orders)
_OTHERS: Final = and_(_HOLDING, claims.c.job_id != bindparam("the_job"))
# Who holds which of some orders: by the rows of orders; and by the claims themselves, for processes that write none.
_HOLDERS: Final = (
    select(claimed_orders.c.chain_id, claimed_orders.c.order_id, claims)
    .join_from(claimed_orders, claims, claimed_orders.c.job_id == claims.c.job_id)
    .where(
        tuple_(claimed_orders.c.chain_id, claimed_orders.c.order_id).in_(bindparam("orders", expanding=True)), _OTHERS
    ),
    select(claims.c.chain_id, claims.c.agreement_id, claims).where(
        tuple_(claims.c.chain_id, claims.c.agreement_id).in_(bindparam("orders", expanding=True)), _OTHERS
    ),
)


_USED: Final = (
    select(claimed_orders.c.order_id, claims.c.job_id)
    .join_from(claimed_orders, claims, claimed_orders.c.job_id == claims.c.job_id)
    .where(
        claimed_orders.c.order_id.in_(bindparam("orders", expanding=True)),
        claims.c.consumer == bindparam("the_consumer"),
        _HOLDING,
    )
)


class Claims:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, job_id: str) -> Claim | None:
        found = await self._database.rows(_CLAIM, the_job=job_id)
        return Claim(**found[0]._mapping) if found else None

    async def claim(
        self,
        claim: Claim,
        orders: Collection[Order],
        nonce_text: str | None,
        signed: SignedText | None = None,
        places: Places | None = None,
    ) -> None:
        """Take nonce, orders and a place together, or nothing; the order that pays is always among them.

        `nonce_text`: None if the nonce is not counted here. `signed`: what was signed with it. `places`: None where
        there is no limit. Raises AlreadyClaimed, nonces.NonceRefused, OrderTaken, PlacesTaken.
        """
        wanted, values = {claim.agreement, *orders}, _values(claim, "open", time.time())

        def take(connection: Connection) -> None:
            if nonce_text is not None:
                _take_nonce(connection, claim, nonce_text, signed)
            connection.execute(_NEW, values)
            _take_place(connection, claim.job_id, places)
            _hold(connection, claim.job_id, wanted)

        try:
            await self._database.write(take)
        except IntegrityError:
            await self._explain_conflict(claim.job_id, wanted)
            raise AlreadyClaimed from None

    async def reopen(
        self, seen: Claim, orders: Collection[Order], nonce_text: str | None, places: Places | None = None
    ) -> bool:
        """released -> open, or a new lease for an open claim; False if somebody else changed it meanwhile.

        Raises OrderTaken, PlacesTaken; nonces.NonceStale if a released claim's nonce is no longer the consumer's last.
        """
        wanted = {seen.agreement, *orders}

        def open_again(connection: Connection) -> bool:
            if seen.state == "released" and nonce_text is not None:
                stored = nonces.lock(connection, seen.consumer)
                if stored is not None and nonces.number_of(stored) != nonces.number_of(nonce_text):
                    raise nonces.NonceStale(stored, nonce_text)
            if not _change(connection, seen, "open"):
                return False
            _take_place(connection, seen.job_id, places)
            _hold(connection, seen.job_id, wanted)
            return True

        try:
            return await self._database.write(open_again)
        except IntegrityError:
            await self._explain_conflict(seen.job_id, wanted)
            return False

    async def holders(self, orders: Collection[Order], *, but: str = "") -> list[tuple[Order, Claim]]:
        """Which of the orders are held, by the claims of which jobs (but that one)."""
        return await self._database.read(lambda connection: _holders(connection, but, orders))

    async def held_by(self, consumer: str, hashes: Collection[str]) -> list[tuple[str, str]]:
        """Which of these transactions (lower case, of any chain) orders of the consumer's jobs are, each with the job
        that holds it."""
        found = await self._database.rows(_USED, the_consumer=consumer, orders=sorted(hashes))
        return [(row.order_id, row.job_id) for row in found]

    async def change(self, seen: Claim, state: State) -> bool:
        """Move a claim from exactly what was seen to `state`; False if it is not that any more."""
        return await self._database.write(lambda connection: _change(connection, seen, state))

    async def mark(self, job_id: str, before: State, after: State) -> bool:
        """Move a claim by its state alone: for the one who holds it."""
        return await self._database.write(lambda connection: _move(connection, _MOVED, job_id, before, after))

    async def _explain_conflict(self, job_id: str, orders: Collection[Order]) -> None:
        """Raises OrderTaken if other jobs hold some of the orders."""
        if found := await self.holders(orders, but=job_id):
            raise OrderTaken(found) from None


def _take_place(connection: Connection, job_id: str, places: Places | None) -> None:
    """Inside the transaction that opens the claim, before it waits for any order: who has the account's turn may wait
    for orders, and never the other way round. Raises PlacesTaken.
    """
    if places is None:
        return
    if connection.dialect.name == "postgresql":  # SQLite has one writer at a time
        turn = func.hashtextextended(f"places {places.environment} {places.account}", 0)
        connection.execute(select(func.pg_advisory_xact_lock(turn)))
    theirs = {"the_environment": places.environment, "the_account": places.account}
    held = {row[0]: Claim(*row[1:]) for row in connection.execute(_PLACES, {**theirs, "the_job": job_id})}
    if len(held) >= places.most:
        raise PlacesTaken(held.values(), places.most)
    connection.execute(_OLD_PLACES, {**theirs, "held": list(held)})
    free = next(place for place in range(places.most) if place not in held)
    row = {"environment": places.environment, "account": places.account, "place": free, "job_id": job_id}
    connection.execute(_NEW_PLACE, row)


def _hold(connection: Connection, job_id: str, orders: Collection[Order]) -> None:
    """Inside the transaction that opens the claim. Raises OrderTaken, IntegrityError.

    A row of a job that is over is in nobody's way, and a job's own row is written anew: who waits for the old one finds
    the new one afterwards.
    """
    if found := _holders(connection, job_id, orders):
        raise OrderTaken(found)
    wanted = sorted(orders)
    connection.execute(_OLD_ORDER, [{"the_chain": one[0], "the_order": one[1], "the_job": job_id} for one in wanted])
    connection.execute(_NEW_ORDER, [{"chain_id": one[0], "order_id": one[1], "job_id": job_id} for one in wanted])


def _holders(connection: Connection, but: str, orders: Collection[Order]) -> list[tuple[Order, Claim]]:
    found: dict[tuple[Order, str], Claim] = {}
    for statement in _HOLDERS:
        for row in connection.execute(statement, {"orders": sorted(orders), "the_job": but}):
            order, claim = (row[0], row[1]), Claim(*row[2:])
            found[order, claim.job_id] = claim
    return [(order, claim) for (order, _), claim in sorted(found.items(), key=lambda item: item[0])]


def _take_nonce(connection: Connection, claim: Claim, nonce_text: str, signed: SignedText | None) -> None:
    """Raises AlreadyClaimed, also if waiting for the nonce was waiting for the identical request; NonceRefused."""
    if _find(connection, claim.job_id) is not None:
        raise AlreadyClaimed
    try:
        nonces.take(connection, claim.consumer, nonce_text, signed)
    except nonces.NonceRefused:
        if _find(connection, claim.job_id) is not None:
            raise AlreadyClaimed from None
        raise


def _find(connection: Connection, job_id: str) -> Claim | None:
    row = connection.execute(_CLAIM, {"the_job": job_id}).first()
    return None if row is None else Claim(**row._mapping)


def _change(connection: Connection, seen: Claim, state: State) -> bool:
    return _move(connection, _CHANGED, seen.job_id, seen.state, state, seen_at=seen.changed_at)


def _move(connection: Connection, statement: Update, job_id: str, before: State, after: State, **more: float) -> bool:
    """To a state, if it is still as expected; a job that is over holds no orders and no place."""
    values = {"the_job": job_id, "the_state": before, "new_state": after, "now": time.time(), **more}
    if connection.execute(statement, values).rowcount != 1:
        return False
    if after in ("released", "closed"):
        for freed in _FREED:
            connection.execute(freed, {"the_job": job_id})
    return True


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
