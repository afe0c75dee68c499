"""Nonces: strictly increasing per consumer, compared as numbers, stored as written, kept for ever.

Keyed by the canonical address (Ocean Provider keyed by spelling, so that another letter case started from zero).
Whoever takes one locks the consumer's row first, so that of equal nonces exactly one is accepted however many processes
race.

Beside a nonce goes the text that was signed. Its parts are joined without a mark, so one text may be read as two
requests, the second with more digits in its nonce. An accepted text that can be read so is remembered until the
consumer's nonce has more digits than any that can be read in it; after that every reading of it is stale.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Context, Decimal
from typing import Final

from sqlalchemy import Connection, bindparam, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from provider_api.storage.database import Database
from provider_api.storage.tables import accepted_texts, nonces

# Up to here a nonce may be as high as the consumer likes; above it grows by small steps, so that it never arrives at
# the longest that there is.
FREELY: Final = Decimal(10) ** 240
STEP: Final = Decimal(10) ** 18
_EXACT: Final = Context(prec=600)  # more digits than a nonce has
_STORED: Final = select(nonces.c.value).where(nonces.c.consumer == bindparam("consumer"))
_LOCKED: Final = _STORED.with_for_update()
_FIRST: Final = insert(nonces)
_NEXT: Final = update(nonces).where(nonces.c.consumer == bindparam("the_consumer")).values(value=bindparam("given"))
_OWN_TEXTS: Final = accepted_texts.c.consumer == bindparam("the_consumer")
_ACCEPTED: Final = select(accepted_texts.c.digits).where(_OWN_TEXTS, accepted_texts.c.digest == bindparam("the_digest"))
_STALE_TEXTS: Final = delete(accepted_texts).where(_OWN_TEXTS, accepted_texts.c.digits < bindparam("fewer"))
_NEW_TEXT: Final = insert(accepted_texts)


class NonceRefused(Exception):
    """The nonce, or the text that was signed with it, cannot be accepted."""


class NonceStale(NonceRefused):
    """The nonce is not greater than the stored one."""

    def __init__(self, stored: str, given: str) -> None:
        super().__init__(f"expected nonce ({stored}) > current nonce ({given}).")
        self.stored, self.given = stored, given


class NonceLeap(NonceRefused):
    """The nonce is so high that soon none would be left."""

    def __init__(self) -> None:
        super().__init__(f"a nonce of more than 240 digits may exceed the last one by at most {STEP}.")


class TextUsed(NonceRefused):
    """The signed text has been accepted before, as another request."""

    def __init__(self) -> None:
        super().__init__("the signed text has been used for another request. Sign again with a greater nonce.")


@dataclass(frozen=True, slots=True)
class SignedText:
    """What is remembered of a text. `digits`: of the greatest nonce that another reading of it has; 0: none is greater
    than the one that was read."""

    digest: str  # SHA-256, hex
    digits: int


def number_of(nonce: str) -> Decimal:
    """Exact value of a nonce that has passed `fields.nonce_number`."""
    return Decimal(nonce)


def digits_of(nonce: Decimal) -> int:
    """How many digits stand before the point; 0 below 1."""
    return max(0, nonce.adjusted() + 1)


def normal_form(nonce: str) -> str:
    """One spelling per value: no exponent, no leading zeros, no trailing zeros after the point."""
    whole, _, fraction = format(number_of(nonce), "f").partition(".")
    whole, fraction = whole.lstrip("0") or "0", fraction.rstrip("0")
    return f"{whole}.{fraction}" if fraction else whole


def require_newer(stored: str | None, given: str) -> None:
    """Raises NonceStale, NonceLeap."""
    number, last = number_of(given), Decimal(0) if stored is None else number_of(stored)
    if stored is not None and number <= last:
        raise NonceStale(stored, given)
    if number > _EXACT.add(max(FREELY, last), STEP):
        raise NonceLeap


def lock(connection: Connection, consumer: str) -> str | None:
    """The stored nonce, which nobody else can change before this transaction ends. None if there is none yet."""
    return connection.execute(_LOCKED, {"consumer": consumer}).scalar_one_or_none()


def take(connection: Connection, consumer: str, given: str, text: SignedText | None = None) -> None:
    """Inside a transaction: require a newer nonce and a new text, and store both. `text`: None if nothing was signed,
    or nothing that can be read otherwise. Raises NonceRefused; for a lost race, NonceStale with the winner."""
    _take_number(connection, consumer, given)
    if text is None:
        return
    known = connection.execute(_ACCEPTED, {"the_consumer": consumer, "the_digest": text.digest})
    if known.first() is not None:
        raise TextUsed
    connection.execute(_STALE_TEXTS, {"the_consumer": consumer, "fewer": digits_of(number_of(given))})
    if text.digits:
        row = {"consumer": consumer, "digest": text.digest, "digits": text.digits}
        connection.execute(_NEW_TEXT, row)


def _take_number(connection: Connection, consumer: str, given: str) -> None:
    stored = lock(connection, consumer)
    if stored is None:
        require_newer(None, given)
        try:
            with connection.begin_nested():
                connection.execute(_FIRST, {"consumer": consumer, "value": given})
        except IntegrityError:  # somebody else's first one was faster
            stored = lock(connection, consumer)
        else:
            return
    require_newer(stored, given)
    connection.execute(_NEXT, {"the_consumer": consumer, "given": given})


class Nonces:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, consumer: str) -> str | None:
        """The stored nonce as its consumer wrote it. `consumer` is canonical."""
        found = await self._database.rows(_STORED, consumer=consumer)
        return found[0].value if found else None

    async def consume(self, consumer: str, given: str, text: SignedText | None = None) -> None:
        """Compare and store in one step. Raises NonceRefused."""
        await self._database.write(lambda connection: take(connection, consumer, given, text))
