"""All workflows in one SQLite file: the only thing, beside the pods' own folders, that survives a kill of the server.

Written by one process (a lock file says so), synchronously, before an effect becomes visible. What never changes (the
arguments and the frozen template of a workflow, up to some 100 kB) lies in a table of its own, so that a change of
status writes a few kB. Labels are rows, so that lists are answered by indices.
"""

from __future__ import annotations

import fcntl
import json
import os
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from argo.local.engine.stored import Part, Unreadable
from argo.local.workflows.rows import COLUMNS, Reader, Row, read_content, read_row
from ocean.kit.digits import int64

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS workflow (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL UNIQUE,
  uid TEXT NOT NULL,
  created REAL NOT NULL,
  position REAL NOT NULL,      -- unfinished before finished, newest first
  finished INTEGER NOT NULL,   -- 0, 1
  expires REAL,                -- when a finished workflow is forgotten
  version INTEGER NOT NULL,    -- resourceVersion
  generation INTEGER NOT NULL,
  labels TEXT NOT NULL,
  annotations TEXT NOT NULL,
  spec TEXT NOT NULL,          -- without arguments
  status TEXT NOT NULL         -- without the stored template
);
CREATE INDEX IF NOT EXISTS workflow_position ON workflow (position DESC);
CREATE INDEX IF NOT EXISTS workflow_unfinished ON workflow (position DESC) WHERE finished = 0;
CREATE INDEX IF NOT EXISTS workflow_expires ON workflow (expires) WHERE expires IS NOT NULL;
CREATE TABLE IF NOT EXISTS content (
  id INTEGER PRIMARY KEY REFERENCES workflow (id) ON DELETE CASCADE,
  arguments TEXT NOT NULL,     -- spec.arguments as sent
  template TEXT NOT NULL       -- the template as it was then: {"name", "spec"}
);
CREATE TABLE IF NOT EXISTS label (
  id INTEGER NOT NULL REFERENCES workflow (id) ON DELETE CASCADE,
  key TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (id, key)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS label_value ON label (key, value, id);
"""
_UNFINISHED_FIRST: Final = 1e12


class NameTaken(Exception):
    """A workflow of that name exists."""


class DataFolderInUse(Exception):
    """Another server works with this data folder."""

    def __init__(self, folder: Path) -> None:
        super().__init__(f"another Argo server uses {folder}")
        self.folder = folder


class Store:
    """Use it from one thread; `reader` gives a second connection for slow questions in another thread."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / "argo.db"
        self._lock = os.open(folder / "argo.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            os.close(self._lock)
            raise DataFolderInUse(folder) from exc
        os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        self._db = self._connect()
        self._db.executescript(_SCHEMA)
        highest = self._db.execute("SELECT MAX(version) FROM workflow WHERE typeof(version) = 'integer'").fetchone()[0]
        self.version: int = highest or 1  # never 0, which means any version

    def _connect(self) -> sqlite3.Connection:
        db = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        db.text_factory = _text
        db.create_function("int64", 1, _int64, deterministic=True)
        for setting in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", "busy_timeout = 5000"):
            db.execute(f"PRAGMA {setting}")
        return db

    def close(self) -> None:
        self._db.close()
        os.close(self._lock)

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def reader(self) -> Reader:
        """To be closed by the caller."""
        return Reader(self._connect())

    # -- writing

    def insert(self, row: Row, arguments: Mapping[str, Any], template: Mapping[str, Any]) -> None:
        """Durable when it returns. Raises NameTaken, sqlite3.Error."""
        row.version = self.version + 1
        with _transaction(self._db):
            try:
                row.id = int(
                    self._db.execute(
                        "INSERT INTO workflow (name, uid, created, position, finished, expires, version, generation,"
                        " labels, annotations, spec, status) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                        (row.name, row.uid, row.created, *_changing(row)),
                    ).lastrowid
                    or 0
                )
            except sqlite3.IntegrityError as exc:
                raise NameTaken(row.name) from exc
            self._db.execute(
                "INSERT INTO content (id, arguments, template) VALUES (?, ?, ?)",
                (row.id, json.dumps(arguments), json.dumps(template)),
            )
            self._write_labels(row)
        self.version = row.version

    def save(self, row: Row, *, labels_changed: bool) -> None:
        """Durable when it returns. The workflow's version and generation are counted up. Raises sqlite3.Error."""
        row.version, row.generation = self.version + 1, row.generation + 1
        with _transaction(self._db):
            self._db.execute(
                "UPDATE workflow SET position = ?, finished = ?, expires = ?, version = ?, generation = ?, labels = ?,"
                " annotations = ?, spec = ?, status = ? WHERE id = ?",
                (*_changing(row), row.id),
            )
            if labels_changed:
                self._db.execute("DELETE FROM label WHERE id = ?", (row.id,))
                self._write_labels(row)
        self.version = row.version

    def _write_labels(self, row: Row) -> None:
        self._db.executemany(
            "INSERT INTO label (id, key, value) VALUES (?, ?, ?)", [(row.id, k, v) for k, v in row.labels.items()]
        )

    def delete(self, name: str) -> bool:
        """Durable when it returns; False: there was none. Raises sqlite3.Error."""
        found = self._db.execute("DELETE FROM workflow WHERE name = ?", (name,)).rowcount > 0
        self.version += 1
        return found

    # -- reading what the server's own thread needs at once

    def get(self, name: str) -> Row | None:
        found = self._db.execute(f"SELECT {COLUMNS} FROM workflow WHERE name = ?", (name,)).fetchone()  # noqa: S608
        return read_row(found) if found else None

    def content(self, row: Row) -> tuple[dict[str, Any], dict[str, Any]]:
        """Arguments as sent, and the stored template {"name", "spec"}. Raises Unreadable."""
        return read_content(self._db, row)

    def unfinished(self) -> list[Row]:
        """Oldest first."""
        found = self._db.execute(f"SELECT {COLUMNS} FROM workflow WHERE finished = 0 ORDER BY id")  # noqa: S608
        return [read_row(item) for item in found.fetchall()]

    def expired(self, now: float) -> list[str]:
        found = self._db.execute("SELECT name FROM workflow WHERE expires <= ? ORDER BY expires LIMIT 500", (now,))
        return [item[0] for item in found.fetchall()]

    def keeps_claim(self, claim: str) -> bool:
        """Does a finished workflow still own a volume of that name? (Those whose template does not give it up.)"""
        found = self._db.execute(
            "SELECT 1 FROM workflow WHERE finished = 1 AND ? LIKE name || '-%' AND status LIKE ?",
            (claim, f'%"claimName": "{claim}"%'),
        )
        return found.fetchone() is not None

    def collects_pods(self, row: Row) -> bool:
        """Does the template of a finished workflow say that its pods go?"""
        try:
            gc = Part(self.content(row)[1]["spec"], "spec").part("podGC").text("strategy", "")
        except Unreadable:
            return False  # somebody may want to read their logs
        return gc in ("OnPodCompletion", "OnWorkflowCompletion") or (
            bool(gc) and row.status.get("phase") == "Succeeded"
        )

    def uid(self, name: str) -> str | None:
        found = self._db.execute("SELECT uid FROM workflow WHERE name = ?", (name,)).fetchone()
        return found[0] if found else None


class _transaction:  # reads as a statement
    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def __enter__(self) -> None:
        self._db.execute("BEGIN IMMEDIATE")

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._db.execute("COMMIT")
        finally:
            if self._db.in_transaction:  # a full disk may have ended it already, or may have kept it from ending
                self._db.execute("ROLLBACK")


def _text(data: bytes) -> str:
    return data.decode(errors="replace")


def _int64(value: object) -> int | None:
    return int64(value) if isinstance(value, str) else None


def _changing(row: Row) -> tuple[Any, ...]:
    position = row.created + _UNFINISHED_FIRST if row.finished is None else row.finished
    texts = (json.dumps(value) for value in (row.labels, row.annotations, row.spec, row.status))
    return (position, int(row.finished is not None), row.expires, row.version, row.generation, *texts)
