"""Opening the database: SQLite on one machine, PostgreSQL where several replicas share it.

SQLite runs in WAL mode, with full durability (a forgotten nonce is a replay) and with `BEGIN IMMEDIATE`: a transaction
that reads and then writes takes its lock at once, so it can never fail half-way because another was faster.

Whatever the database or the way to it does wrong leaves here as StorageUnavailable, except IntegrityError: that a row
exists already is an answer.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, closing, contextmanager, nullcontext
from typing import Any

import structlog
from sqlalchemy import Connection, Row, Select, create_engine, event, text
from sqlalchemy.engine import URL, Engine, make_url
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from ocean.kit.patience import ask_patiently
from provider_api.storage import migrations

BUSY_TIMEOUT_SECONDS = 15
MIGRATION_LOCK = 7163412  # any fixed number: replicas that start together migrate one after the other
_CONNECT_SECONDS, _COMMAND_SECONDS, _POOL_SECONDS = 5, 15, 10  # PostgreSQL
_THREADS = 4  # for single questions to SQLite
_WAIT_SECONDS = 0.5  # between two attempts to open a database
_TELL_SECONDS = 10.0  # between two lines about it

log = structlog.get_logger(__name__)


class StorageUnavailable(Exception):
    """The database does not answer, or not as it should. The text is the error's class: statements hold values."""

    def __init__(self, reason: str, place: str = "") -> None:
        super().__init__(f"the database{place and f' at {place}'} does not answer: {reason}")
        self.reason = reason


class Database:
    """`begin()` gives a writing transaction; `rows()` answers one question, `read()` several, from committed rows.

    Single questions are most of what a request asks. In SQLite they take a short cut: a thread of its own with the
    library's plain engine, a sixth of what a connection of the asynchronous one costs.
    """

    def __init__(self, url: str) -> None:
        self._url = make_url(url)
        self.is_sqlite = self._url.get_backend_name() == "sqlite"
        options = _sqlite_options() if self.is_sqlite else _postgresql_options()
        self.engine: AsyncEngine = create_async_engine(self._url, hide_parameters=True, **options)
        if self.is_sqlite:
            event.listen(self.engine.sync_engine, "connect", _prepare_sqlite)
            event.listen(self.engine.sync_engine, "begin", _begin_immediate)
        self._turn = asyncio.Lock()
        self._plain: Engine | None = _plain_engine(self._url) if self.is_sqlite else None
        self._threads = ThreadPoolExecutor(_THREADS, "sqlite")
        self._reader = self.engine.execution_options(isolation_level="AUTOCOMMIT")

    async def open(self, wait_seconds: float = 0.0) -> migrations.Upgrade:
        """Migrate the tables. Waits up to `wait_seconds` for a database that is still starting or making our user.

        Raises StorageUnavailable.
        """

        def tell(trouble: StorageUnavailable, left: float) -> None:
            log.warning("database_awaited", at=self.place, reason=trouble.reason, seconds_left=round(left))

        try:
            upgrade = await ask_patiently(
                self._open,
                StorageUnavailable,
                end=time.monotonic() + wait_seconds,
                pause_seconds=_WAIT_SECONDS,
                tell=tell,
                tell_seconds=_TELL_SECONDS,
            )
        except StorageUnavailable as trouble:
            raise StorageUnavailable(trouble.reason, self.place) from trouble
        if upgrade.newer:
            log.warning("database_newer", revision=upgrade.after)
        return upgrade

    async def _open(self) -> migrations.Upgrade:
        with _translated():
            if self.is_sqlite and self._url.database:
                await asyncio.to_thread(_enable_write_ahead_log, self._url.database)
            async with self.engine.begin() as connection:
                if not self.is_sqlite:
                    await connection.execute(text(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})"))
                return await connection.run_sync(migrations.upgrade)

    @property
    def place(self) -> str:
        """Where it is, for people: the file, or host, port and name; never user or password."""
        if self.is_sqlite:
            return self._url.database or "memory"
        return f"{self._url.host or 'localhost'}:{self._url.port or 5432}/{self._url.database or ''}"

    async def close(self) -> None:
        await asyncio.to_thread(self._threads.shutdown)
        if self._plain is not None:
            self._plain.dispose()
        await self.engine.dispose()

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncConnection]:
        """A writing transaction. Raises StorageUnavailable, IntegrityError."""
        # SQLite has one writer at a time; waiting in turn here is quicker than its own polling for the lock.
        with _translated():
            async with self._turn if self.is_sqlite else nullcontext(), self.engine.begin() as connection:
                yield connection

    async def rows(self, question: Select[Any], **values: Any) -> Sequence[Row[Any]]:
        """All rows of one question; `values` are those of its bound parameters. Raises StorageUnavailable."""
        if self._plain is None:
            async with self.read() as connection:
                answer = await connection.execute(question, values)
                rows: Sequence[Row[Any]] = answer.all()
                return rows
        with _translated():
            loop = asyncio.get_running_loop()
            found: Sequence[Row[Any]] = await loop.run_in_executor(self._threads, _ask, self._plain, question, values)
            return found

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A connection that sees committed rows, for several questions. Raises StorageUnavailable."""
        with _translated():
            async with self._reader.connect() as connection:
                yield connection


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except IntegrityError:
        raise
    except (SQLAlchemyError, sqlite3.Error, OSError) as exc:
        raise StorageUnavailable(type(exc).__name__) from exc


def _sqlite_options() -> dict[str, Any]:
    return {"connect_args": {"timeout": BUSY_TIMEOUT_SECONDS}}


def _plain_engine(url: URL) -> Engine:
    """For single questions to SQLite: no transaction to begin or to end."""
    return create_engine(
        url.set(drivername="sqlite"),
        hide_parameters=True,
        isolation_level="AUTOCOMMIT",
        pool_reset_on_return=None,
        connect_args={"timeout": BUSY_TIMEOUT_SECONDS},
    )


def _ask(engine: Engine, question: Select[Any], values: Mapping[str, Any]) -> Sequence[Row[Any]]:
    with engine.connect() as connection:
        return connection.execute(question, values).all()


def _postgresql_options() -> dict[str, Any]:
    """A connection is tried before it is used, so that requests do not notice that the server was started again."""
    limits = {"timeout": _CONNECT_SECONDS, "command_timeout": _COMMAND_SECONDS}
    return {"connect_args": limits, "pool_pre_ping": True, "pool_timeout": _POOL_SECONDS}


def _enable_write_ahead_log(path: str) -> None:
    """Once for the file, which remembers it. SQLite does not wait when two processes change the mode at the same time.

    Raises sqlite3.OperationalError when the file stays locked or cannot be opened.
    """
    deadline = time.monotonic() + BUSY_TIMEOUT_SECONDS
    with closing(sqlite3.connect(path, timeout=BUSY_TIMEOUT_SECONDS)) as connection:
        while True:
            try:
                connection.execute("PRAGMA journal_mode=WAL")
            except sqlite3.OperationalError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.01)
            else:
                return


def _prepare_sqlite(connection: Any, record: object) -> None:
    connection.isolation_level = None  # the driver must not begin transactions by itself
    cursor = connection.cursor()
    for pragma in ("synchronous=FULL", f"busy_timeout={BUSY_TIMEOUT_SECONDS * 1000}"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_immediate(connection: Connection) -> None:
    if connection.get_execution_options().get("isolation_level") != "AUTOCOMMIT":
        connection.exec_driver_sql("BEGIN IMMEDIATE")
