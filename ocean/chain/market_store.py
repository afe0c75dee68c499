"""What the index remembers of markets: events as they were, in tables of the index's own database.

Nothing is summed up here. Who asks reads the events of a subject and works out what holds now, so that going back to an
earlier block is to forget rows, and applying the same logs again changes nothing.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ocean.chain.market_events import MADE, MarketEvent
from ocean.kit.compact_json import compact_json

TABLES = """
CREATE TABLE market (block INTEGER NOT NULL, log_index INTEGER NOT NULL, tx TEXT NOT NULL, kind TEXT NOT NULL,
  emitter TEXT NOT NULL, subject TEXT NOT NULL, payer TEXT NOT NULL, consumer TEXT NOT NULL,
  order_tx TEXT NOT NULL, said TEXT NOT NULL, PRIMARY KEY (block, log_index)) WITHOUT ROWID;
CREATE INDEX market_subject ON market (subject, kind, block, log_index);
CREATE INDEX market_payer ON market (payer, block, log_index) WHERE payer != '';
CREATE INDEX market_consumer ON market (consumer, block, log_index) WHERE consumer != '';
CREATE INDEX market_order_tx ON market (order_tx, block, log_index) WHERE order_tx != '';
"""
TABLE = "market"  # its rows lie above a block by their column `block`
_COLUMNS = "block, log_index, tx, kind, emitter, subject, said, payer, consumer, order_tx"
_LARGEST = 64 * 1024  # of what one event says: names and fees are short


@dataclass(frozen=True, slots=True)
class Part:
    """Which part of a list is wanted, in which order; a limit of -1 is none."""

    limit: int = -1
    skip: int = 0
    oldest_first: bool = False


WHOLE = Part()


class MarketStore:
    """Works on a connection with `TABLES`; the caller begins and ends transactions."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def add(self, events: Iterable[MarketEvent]) -> None:
        """Keep events. What contracts say of themselves is left out unless the factory made them: whoever likes may
        emit such logs."""
        for event in sorted(events, key=lambda event: (event.block, event.log_index)):
            if event.emitter != event.subject or self.is_made(event.subject):
                self._keep(event)

    def has(self, block: int, log_index: int, tx: str) -> bool:
        """Whether this log is kept: the newest blocks are read again and again, and logs are dear to decode."""
        query = "SELECT 1 FROM market WHERE block = ? AND log_index = ? AND tx = ?"
        return self._db.execute(query, (block, log_index, tx)).fetchone() is not None

    def is_made(self, address: str) -> bool:
        """Whether the factory made the contract at this address."""
        query = f"SELECT 1 FROM market WHERE subject = ? AND kind IN ({_marks(MADE)}) LIMIT 1"  # noqa: S608
        return self._db.execute(query, (address, *MADE)).fetchone() is not None

    def of_subject(self, subject: str, kinds: Sequence[str], part: Part = WHOLE) -> list[MarketEvent]:
        where = f"subject = ? AND kind IN ({_marks(kinds)})"
        return self._select(where, (subject, *kinds), part)

    def newest(self, subject: str, kinds: Sequence[str]) -> MarketEvent | None:
        return next(iter(self.of_subject(subject, kinds, Part(limit=1))), None)

    def orders(
        self, *, payer: str = "", consumer: str = "", datatoken: str = "", part: Part = WHOLE
    ) -> list[MarketEvent]:
        """Orders of whom and of what is named."""
        named = {"payer": payer, "consumer": consumer, "subject": datatoken}
        given = {column: value for column, value in named.items() if value}
        where = " AND ".join(["kind = 'OrderStarted'", *(f"{column} = ?" for column in given)])
        return self._select(where, tuple(given.values()), part)

    def renewals(self, order: MarketEvent, part: Part = WHOLE) -> list[MarketEvent]:
        """Of an order."""
        return self._select("order_tx = ? AND subject = ?", (order.tx, order.subject), part)

    def after(self, event: MarketEvent, kinds: Sequence[str]) -> MarketEvent | None:
        """The next event of the same subject in the same transaction, if it is one of these kinds."""
        row = self._db.execute(
            f"SELECT {_COLUMNS} FROM market WHERE block = ? AND log_index > ? AND tx = ? AND subject = ?"  # noqa: S608
            " ORDER BY log_index LIMIT 1",
            (event.block, event.log_index, event.tx, event.subject),
        ).fetchone()
        found = None if row is None else _event(row)
        return found if found is not None and found.kind in kinds else None

    def marks(self) -> Iterator[tuple[str, int]]:
        """(data NFT, a number that grows) for everything that events were seen of, as often as there is something: for
        the NFT itself, each of its datatokens and each exchange of these."""
        parents = {made.subject: made.values["creator"] for made in self._select("kind = 'TokenCreated'", (), WHOLE)}
        for made in self._select("kind = 'ExchangeCreated'", (), WHOLE):
            parents[made.values["exchangeId"]] = parents.get(made.subject, "")
        rows = self._db.execute("SELECT subject, max(block * 1000000 + log_index) FROM market GROUP BY subject")
        for subject, place in rows:
            yield parents.get(subject, subject), place

    def _keep(self, event: MarketEvent) -> None:
        said = compact_json(event.values)
        if len(said) > _LARGEST:
            return
        row = (event.block, event.log_index, event.tx, event.kind, event.emitter, event.subject, said)
        self._db.execute(
            f"INSERT OR REPLACE INTO market ({_COLUMNS}) VALUES ({_marks(_COLUMNS.split(','))})",  # noqa: S608
            (*row, event.payer, event.consumer, event.order_tx),
        )

    def _select(self, where: str, values: Sequence[object], part: Part) -> list[MarketEvent]:
        order = "ASC" if part.oldest_first else "DESC"
        rows = self._db.execute(
            f"SELECT {_COLUMNS} FROM market WHERE {where} ORDER BY block {order}, log_index {order} LIMIT ? OFFSET ?",  # noqa: S608
            (*values, part.limit, part.skip),
        )
        return [_event(row) for row in rows]


def _marks(values: Sequence[str]) -> str:
    return ", ".join("?" * len(values))


def _event(row: Sequence[object]) -> MarketEvent:
    block, log_index, tx, kind, emitter, subject, said, payer, consumer, order_tx = row
    return MarketEvent(
        *(int(str(block)), int(str(log_index)), str(tx), str(kind), str(emitter), str(subject)),
        values=json.loads(str(said)),
        payer=str(payer),
        consumer=str(consumer),
        order_tx=str(order_tx),
    )
