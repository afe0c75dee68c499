"""Opening the database: SQLite on one machine, PostgreSQL where several replicas share it.

What a caller does in a transaction is a plain function of a SQLAlchemy connection. The same function runs in a thread
for SQLite, and over the asynchronous driver of PostgreSQL.

SQLite runs in WAL mode, with full durability (a forgotten nonce is a replay) and with `BEGIN IMMEDIATE`: a transaction
that reads and then writes takes its lock at once, so it can never fail half-way because another was faster.

Whatever the database or the way to it does wrong leaves here as StorageUnavailable, except IntegrityError: that a row
exists already is an answer.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

import structlog
from sqlalchemy import Connection, Row, Select, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from ocean.kit.patience import ask_patiently
from provider_api.storage import migrations

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

BUSY_TIMEOUT_SECONDS = 15
MIGRATION_LOCK = 7163412  # any fixed number: replicas that start together migrate one after the other
_CONNECT_SECONDS, _COMMAND_SECONDS, _POOL_SECONDS = 5, 15, 10  # PostgreSQL
_READERS = 4  # threads that ask SQLite
_WAIT_SECONDS = 0.5  # between two attempts to open a database
_TELL_SECONDS = 10.0  # between two lines about it

log = structlog.get_logger(__name__)
T = TypeVar("T")
Work = Callable[[Connection], T]


class StorageUnavailable(Exception):
    """The database does not answer, or not as it should. The text is the error's class: statements hold values."""

    def __init__(self, reason: str, place: str = "") -> None:
        super().__init__(f"the database{place and f' at {place}'} does not answer: {reason}")
        self.reason = reason


class Backend(Protocol):
    """One kind of database. `write` runs work in a transaction of its own, `read` on committed rows."""

    async def prepare(self) -> None: ...

    async def write(self, work: Work[T]) -> T: ...

    async def read(self, work: Work[T]) -> T: ...

    async def close(self) -> None: ...


class Database:
    """`write()` runs a function in a transaction; `read()` runs one that only asks, and `rows()` asks one question,
    both of committed rows. A transaction is done as a whole or not at all; who is cancelled while it waits for one does
    not know which."""

    def __init__(self, url: str) -> None:
        self._url = make_url(url)
        self.is_sqlite = self._url.get_backend_name() == "sqlite"
        self._backend: Backend = _SQLite(self._url) if self.is_sqlite else _PostgreSQL(self._url)

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
            await self._backend.prepare()
            return await self._backend.write(_migrate)

    @property
    def place(self) -> str:
        """Where it is, for people: the file, or host, port and name; never user or password."""
        if self.is_sqlite:
            return self._url.database or "memory"
        return f"{self._url.host or 'localhost'}:{self._url.port or 5432}/{self._url.database or ''}"

    async def close(self) -> None:
        await self._backend.close()

    async def write(self, work: Work[T]) -> T:
        """What `work` returns, in a transaction of its own. Raises StorageUnavailable, IntegrityError, and what `work`
        raises; then nothing was changed."""
        with _translated():
            return await self._backend.write(work)

    async def read(self, work: Work[T]) -> T:
        """What `work` returns, which asks and changes nothing. Raises StorageUnavailable, and what `work` raises."""
        with _translated():
            return await self._backend.read(work)

    async def rows(self, question: Select[Any], **values: Any) -> Sequence[Row[Any]]:
        """All rows of one question; `values` are those of its bound parameters. Raises StorageUnavailable."""

        def ask(connection: Connection) -> Sequence[Row[Any]]:
            return connection.execute(question, values).all()

        return await self.read(ask)


def _migrate(connection: Connection) -> migrations.Upgrade:
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})"))
    return migrations.upgrade(connection)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except IntegrityError:
        raise
    except (SQLAlchemyError, sqlite3.Error, OSError) as exc:
        raise StorageUnavailable(type(exc).__name__) from exc


class _SQLite:
    """One thread writes, for SQLite has one writer at a time, and waiting in turn is quicker than its own polling for
    the lock. Some others ask; they need no transaction. Each keeps its connection."""

    def __init__(self, url: URL) -> None:
        self._path = url.database
        options: dict[str, Any] = {"hide_parameters": True, "connect_args": {"timeout": BUSY_TIMEOUT_SECONDS}}
        url = url.set(drivername="sqlite")
        self._writing = create_engine(url, **options)
        event.listen(self._writing, "connect", _prepare_connection)
        event.listen(self._writing, "begin", _begin_immediate)
        self._reading = create_engine(url, isolation_level="AUTOCOMMIT", pool_reset_on_return=None, **options)
        self._writer, self._readers = ThreadPoolExecutor(1, "sqlite-write"), ThreadPoolExecutor(_READERS, "sqlite-read")

    async def prepare(self) -> None:
        if self._path:
            await asyncio.to_thread(_enable_write_ahead_log, self._path)

    async def write(self, work: Work[T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._writer, self._write, work)

    def _write(self, work: Work[T]) -> T:
        with self._writing.begin() as connection:
            return work(connection)

    async def read(self, work: Work[T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._read, work)

    def _read(self, work: Work[T]) -> T:
        with self._reading.connect() as connection:
            return work(connection)

    async def close(self) -> None:
        for threads in (self._writer, self._readers):
            await asyncio.to_thread(threads.shutdown)
        self._writing.dispose()
        self._reading.dispose()


class _PostgreSQL:
    """A connection is tried before it is used, so that requests do not notice that the server was started again."""

    _LIMITS: Final = {"timeout": _CONNECT_SECONDS, "command_timeout": _COMMAND_SECONDS}

    def __init__(self, url: URL) -> None:
        from sqlalchemy.ext.asyncio import create_async_engine  # (a hundred modules that SQLite does without)

        self._engine: AsyncEngine = create_async_engine(
            url, hide_parameters=True, connect_args=self._LIMITS, pool_pre_ping=True, pool_timeout=_POOL_SECONDS
        )
        self._reader = self._engine.execution_options(isolation_level="AUTOCOMMIT")

    async def prepare(self) -> None:
        """Nothing is to be done before the first transaction."""

    async def write(self, work: Work[T]) -> T:
        async with self._engine.begin() as connection:
            return await connection.run_sync(work)

    async def read(self, work: Work[T]) -> T:
        async with self._reader.connect() as connection:
            return await connection.run_sync(work)

    async def close(self) -> None:
        await self._engine.dispose()


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


def _prepare_connection(connection: Any, record: object) -> None:
    connection.isolation_level = None  # the driver must not begin transactions by itself
    cursor = connection.cursor()
    for pragma in ("synchronous=FULL", f"busy_timeout={BUSY_TIMEOUT_SECONDS * 1000}"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_immediate(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
