"""What the metadata index remembers between restarts: one SQLite file, or memory. It can be rebuilt from the chain.

The file belongs to one chain: the hash of its block 0 and the hashes of scanned blocks (`checkpoint`) tell whether the
chain at the other end is still the one that was scanned. Checkpoints lie close together near the newest one, and thin
out with their distance from it, so that however deep the chain changes, about as much is read again.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from ocean.chain.market_events import MarketEvent
from ocean.chain.market_store import TABLE as MARKET_TABLE
from ocean.chain.market_store import TABLES as MARKET_TABLES
from ocean.chain.market_store import MarketStore
from ocean.chain.metadata import PackedDocument

VERSION = 4  # older ones lack the market, or what a node that lagged did not show
KEPT_CHECKPOINTS = 128
TAIL = 64  # the newest blocks, whose checkpoints all stay
_TABLES = f"""
CREATE TABLE about (version INTEGER, chain_id INTEGER, genesis TEXT);
CREATE TABLE nft (did TEXT PRIMARY KEY, address TEXT NOT NULL UNIQUE, block INTEGER NOT NULL);
CREATE TABLE metadata (address TEXT NOT NULL, block INTEGER NOT NULL, log_index INTEGER NOT NULL, tx TEXT NOT NULL,
  sender TEXT NOT NULL, url TEXT NOT NULL, flags BLOB NOT NULL, data BLOB NOT NULL, digest BLOB NOT NULL,
  timestamp INTEGER NOT NULL, PRIMARY KEY (address, block, log_index)) WITHOUT ROWID;
CREATE TABLE datatoken (address TEXT PRIMARY KEY, block INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE orders (datatoken TEXT NOT NULL, block INTEGER NOT NULL, count INTEGER NOT NULL,
  PRIMARY KEY (datatoken, block)) WITHOUT ROWID;
CREATE TABLE checkpoint (block INTEGER PRIMARY KEY, hash TEXT NOT NULL);
{MARKET_TABLES}"""
_CONTENT = ("nft", "metadata", "datatoken", "orders", MARKET_TABLE)
_OF_THE_CHAIN = (*_CONTENT, "checkpoint")


@dataclass(frozen=True, slots=True)
class MetadataEvent:
    """One MetadataCreated or MetadataUpdated of a known data NFT. Addresses are lower-case."""

    address: str
    block: int
    log_index: int
    tx: str
    sender: str
    decryptor_url: str
    document: PackedDocument
    timestamp: int


class IndexStore:
    """Synchronous on purpose: each call is some microseconds of SQLite without waiting for the disk."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._db = self._open()
        self.market = MarketStore(self._db)

    def close(self) -> None:
        self._db.close()

    def belongs_to(self, chain_id: int, genesis: str) -> bool:
        row = self._db.execute("SELECT version, chain_id, genesis FROM about").fetchone()
        return bool(row == (VERSION, chain_id, genesis))

    def known_chain(self, chain_id: int) -> bool:
        """Whether anything of this chain id is here, for a node that keeps no block 0."""
        row = self._db.execute("SELECT version, chain_id FROM about").fetchone()
        return bool(row == (VERSION, chain_id))

    def begin(self, chain_id: int, genesis: str) -> None:
        """Forget everything and belong to this chain."""
        with self._db:
            for table in ("about", *_OF_THE_CHAIN):
                self._db.execute(f"DELETE FROM {table}")  # noqa: S608 - constant names
            self._db.execute("INSERT INTO about VALUES (?, ?, ?)", (VERSION, chain_id, genesis))

    def checkpoints(self) -> list[tuple[int, str]]:
        """(block, hash) of scanned blocks, newest first; the newest is where scanning goes on."""
        return list(self._db.execute("SELECT block, hash FROM checkpoint ORDER BY block DESC"))

    def newest(self) -> int:
        """The newest scanned block, -1 if there is none."""
        row = self._db.execute("SELECT max(block) FROM checkpoint").fetchone()
        return -1 if row[0] is None else int(row[0])

    def blocks_with_content(self, first: int, last: int) -> list[tuple[int, str]]:
        """(block, hash) of those from `first` to `last` that anything known lies in, as far as hashes are known."""
        content = " UNION ".join(f"SELECT block FROM {table}" for table in _CONTENT)  # noqa: S608 - constant names
        return list(
            self._db.execute(
                f"SELECT block, hash FROM checkpoint WHERE block BETWEEN ? AND ? AND block IN ({content})",  # noqa: S608
                (first, last),
            )
        )

    def is_nft(self, address: str) -> bool:
        """Whether a data NFT of the factory is known at this lower-case address."""
        return self._db.execute("SELECT 1 FROM nft WHERE address = ?", (address,)).fetchone() is not None

    def block_of(self, nft: str) -> int:
        """The block that made a known data NFT."""
        return int(self._db.execute("SELECT block FROM nft WHERE address = ?", (nft,)).fetchone()[0])

    def add(
        self,
        nfts: Iterable[tuple[str, str, int]],
        events: Iterable[MetadataEvent],
        scanned: tuple[int, str] | None,
        *,
        datatokens: Iterable[tuple[str, int]] = (),
        orders: Iterable[tuple[str, int]] = (),
        blocks: Iterable[tuple[int, str]] = (),
        market: Iterable[MarketEvent] = (),
    ) -> None:
        """Add what one scanned range of blocks has, all or nothing: NFTs as (did, address, block), events, datatokens
        as (address, block), and each order as (datatoken, block). `scanned`: the last block and its hash, None if
        that is not known; `blocks`: further ones; `market`: what the logs say of datatokens. The same again changes
        nothing.

        Events and orders at addresses that are not known are left out: whoever likes may emit such logs.
        """
        with self._db:
            self._db.executemany("INSERT OR REPLACE INTO nft VALUES (?, ?, ?)", nfts)
            self._db.executemany(
                "INSERT OR REPLACE INTO metadata SELECT ?, ?, ?, ?, ?, ?, ?, ?, ?, ? "
                "WHERE EXISTS (SELECT 1 FROM nft WHERE address = ?)",
                [_row(event) for event in events],
            )
            self._db.executemany("INSERT OR REPLACE INTO datatoken VALUES (?, ?)", datatokens)
            self._db.executemany(
                "INSERT OR REPLACE INTO orders SELECT ?, ?, ? WHERE EXISTS (SELECT 1 FROM datatoken WHERE address = ?)",
                [(token, block, count, token) for (token, block), count in Counter(orders).items()],
            )
            self.market.add(market)
            facts = [*blocks, *([scanned] if scanned is not None else [])]
            self._db.executemany("INSERT OR REPLACE INTO checkpoint VALUES (?, ?)", facts)
            self._thin_out()

    def forget(self, block: int) -> None:
        """Forget all that lies in one block, which is not of the chain any more."""
        with self._db:
            for table in _OF_THE_CHAIN:
                self._db.execute(f"DELETE FROM {table} WHERE block = ?", (block,))  # noqa: S608 - constant names

    def roll_back(self, block: int) -> None:
        """Forget all that lies above `block`."""
        with self._db:
            for table in _OF_THE_CHAIN:
                self._db.execute(f"DELETE FROM {table} WHERE block > ?", (block,))  # noqa: S608 - constant names

    def nft_of(self, did: str) -> str | None:
        row = self._db.execute("SELECT address FROM nft WHERE did = ?", (did,)).fetchone()
        return str(row[0]) if row else None

    def dids(self) -> list[str]:
        """All known DIDs in the order of their creation."""
        return [did for (did,) in self._db.execute("SELECT did FROM nft ORDER BY block")]

    def listing(self) -> dict[str, Any]:
        """Every DID in the order of creation, with the places of the newest events of its NFT and of its datatokens."""
        marks: dict[str, list[int]] = {}
        for nft, mark in self.market.marks():
            marks.setdefault(nft, []).append(mark)
        rows = self._db.execute("SELECT did, address FROM nft ORDER BY block")
        return {did: sorted(marks.get(address, ())) for did, address in rows}

    def newest_event(self, address: str) -> MetadataEvent | None:
        row = self._db.execute(
            "SELECT * FROM metadata WHERE address = ? ORDER BY block DESC, log_index DESC LIMIT 1", (address,)
        ).fetchone()
        if row is None:
            return None
        address, block, log_index, tx, sender, url, flags, data, digest, timestamp = row
        document = PackedDocument(flags, data, digest)
        return MetadataEvent(address, block, log_index, tx, sender, url, document, timestamp)

    def created(self, address: str) -> int | None:
        """Seconds of the first metadata event."""
        row = self._db.execute("SELECT min(timestamp) FROM metadata WHERE address = ?", (address,)).fetchone()
        return None if row[0] is None else int(row[0])

    def orders_of(self, datatoken: str) -> int:
        """How many orders of a datatoken (lower-case) were started."""
        row = self._db.execute("SELECT sum(count) FROM orders WHERE datatoken = ?", (datatoken,)).fetchone()
        return int(row[0] or 0)

    def _thin_out(self) -> None:
        """Of too many checkpoints those go first whose absence leaves the smallest gap for their distance."""
        blocks = [block for (block,) in self._db.execute("SELECT block FROM checkpoint ORDER BY block DESC")]
        while len(blocks) > KEPT_CHECKPOINTS:
            middle = [place for place in range(1, len(blocks) - 1) if blocks[0] - blocks[place] >= TAIL]
            gap = {place: (blocks[place - 1] - blocks[place + 1]) / (blocks[0] - blocks[place]) for place in middle}
            least = min(gap, key=gap.__getitem__, default=len(blocks) - 1)
            self._db.execute("DELETE FROM checkpoint WHERE block = ?", (blocks.pop(least),))

    def _open(self) -> sqlite3.Connection:
        """Open, or start anew when the file is broken or of another version."""
        if self._path is None:
            return _prepared(":memory:")
        self._path.parent.mkdir(parents=True, exist_ok=True)
        try:
            return _prepared(self._path)
        except sqlite3.DatabaseError:
            for suffix in ("", "-wal", "-shm"):
                with contextlib.suppress(FileNotFoundError):
                    self._path.with_name(self._path.name + suffix).unlink()
            return _prepared(self._path)


def _prepared(path: Path | str) -> sqlite3.Connection:
    """A connection with our tables. Raises sqlite3.DatabaseError."""
    db = sqlite3.connect(path, check_same_thread=False)
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            db.executescript(f"BEGIN; {_TABLES} PRAGMA user_version = {VERSION}; COMMIT;")
        elif version != VERSION:
            _refuse_version()
    except sqlite3.DatabaseError:
        db.close()
        raise
    return db


def _row(event: MetadataEvent) -> tuple[object, ...]:
    document = event.document
    return (
        *(event.address, event.block, event.log_index, event.tx, event.sender, event.decryptor_url),
        *(document.flags, document.data, document.digest, event.timestamp, event.address),
    )


def _refuse_version() -> NoReturn:
    raise sqlite3.DatabaseError("the tables are of another version")
