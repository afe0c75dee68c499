"""The order of starts does not matter: a service waits for its database, and lives on tables newer than itself."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import column, select, table, text

from provider_api.storage import migrations
from provider_api.storage.database import Database, StorageUnavailable
from provider_api.storage.migrations import Upgrade
from provider_api.storage.nonces import Nonces
from tests.support import forks
from tests.support.clients import ROOT
from tests.support.postgres import Postgres, running_postgres

pytestmark = pytest.mark.integration

CONSUMER = "0x" + "12" * 20
NEWEST = "0005"


@pytest.fixture
def mortal() -> Iterator[Postgres]:
    """A server that the test may stop."""
    with running_postgres() as server:
        yield server


async def opened(url: str, wait_seconds: float = 0.0) -> Upgrade:
    database = Database(url)
    try:
        return await database.open(wait_seconds)
    finally:
        await database.close()


async def execute(database: Database, *statements: str) -> None:
    await database.write(lambda connection: [connection.execute(text(statement)) for statement in statements])


async def versions(database: Database) -> list[str]:
    rows = await database.rows(select(column("version_num")).select_from(table("alembic_version")))
    return [row.version_num for row in rows]


def test_the_names_of_files_are_their_revisions() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    scripts = ScriptDirectory.from_config(config)
    assert migrations.HEAD == scripts.get_current_head() == NEWEST
    assert {script.revision for script in scripts.walk_revisions()} == migrations.REVISIONS


async def test_an_empty_database_and_an_up_to_date_one(storage_url: str) -> None:
    assert await opened(storage_url) == Upgrade(None, NEWEST)
    assert await opened(storage_url) == Upgrade(NEWEST, NEWEST)


async def test_tables_of_a_later_release_are_used_as_they_are(storage_url: str) -> None:
    """While the later release is rolled out, pods of this one may start again; and it may be taken back."""
    await opened(storage_url)
    database = Database(storage_url)
    try:
        await execute(
            database,
            "UPDATE alembic_version SET version_num = '9999'",
            "ALTER TABLE nonces ADD COLUMN later INTEGER",
        )
        assert await database.open() == Upgrade("9999", "9999", newer=True)
        assert await Nonces(database).find(CONSUMER) is None
        assert await versions(database) == ["9999"]
    finally:
        await database.close()


async def test_a_database_that_comes_later_is_waited_for(mortal: Postgres) -> None:
    url = await mortal.create_database()
    mortal.stop()
    waiting = asyncio.create_task(opened(url, wait_seconds=120))
    try:
        done, _ = await asyncio.wait({waiting}, timeout=0.8)
        assert not done
    finally:
        await asyncio.to_thread(mortal.start)
    assert await waiting == Upgrade(None, NEWEST)


async def test_a_user_without_rights_waits_for_the_migrations_of_another(mortal: Postgres) -> None:
    """The service's user may be one that cannot change tables: then it waits for `c2d admin migrate` by one who can."""
    url = await mortal.create_database()
    owner = Database(url)
    try:
        await execute(owner, "CREATE ROLE plain LOGIN")
        plain = url.replace("postgres@", "plain@")
        assert plain != url
        with pytest.raises(StorageUnavailable):
            await opened(plain)
        waiting = asyncio.create_task(opened(plain, wait_seconds=120))
        await asyncio.sleep(0.8)
        assert not waiting.done()
        await owner.open()
        await execute(owner, "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO plain")
        assert await waiting == Upgrade(NEWEST, NEWEST)
    finally:
        await owner.close()


async def test_without_patience_it_is_told_at_once(mortal: Postgres) -> None:
    url = await mortal.create_database()
    mortal.stop()
    with pytest.raises(StorageUnavailable):
        await opened(url)


# --- The command -----------------------------------------------------------------------------------------------------


def run(environment: dict[str, str], *options: str) -> tuple[int, str]:
    done = forks.run(forks.C2D, "admin", "migrate", *options, env=environment, cwd=ROOT)
    return done.returncode, done.stdout + done.stderr


def test_the_command_says_what_it_did(storage_url: str) -> None:
    assert run({"C2D_STORAGE__URL": storage_url}) == (0, f"the database went from nothing to revision {NEWEST}\n")
    assert run({"C2D_STORAGE__URL": storage_url}) == (0, f"the database is up to date (revision {NEWEST})\n")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (
            "postgresql+asyncpg://name:covert@127.0.0.1:1/x",
            "the database at 127.0.0.1:1/x does not answer: ConnectionRefusedError",
        ),
        (
            "postgresq://name:covert@127.0.0.1/x",
            "settings: C2D_STORAGE__URL: postgresq:// is no database of this service; expected sqlite:// or"
            " postgresql+asyncpg://…",
        ),
        (
            "sqlite:////nowhere/at/all.sqlite",
            "the database at /nowhere/at/all.sqlite does not answer: OperationalError",
        ),
    ],
)
def test_the_command_fails_in_one_line_without_secrets(url: str, said: str) -> None:
    code, output = run({"C2D_STORAGE__URL": url}, "--wait-seconds", "0")
    assert code == 1
    assert output == said + "\n"


def test_the_command_needs_no_other_setting(tmp_path: Path) -> None:
    """A job that runs before anything else of a deployment exists has nothing but the address."""
    assert run({"C2D_DATA_FOLDER": str(tmp_path / "new")})[0] == 0
    assert (tmp_path / "new" / "service.sqlite").exists()
