"""When the database does not answer, or not as it should: 503 with Retry-After, and nothing has happened."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url

from provider_api.settings import StorageSettings
from provider_api.storage.database import Database
from tests.support.postgres import Postgres, running_postgres
from tests.support.provider_neighbours import CONSUMER_KEY, World
from tests.support.tokens import create

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def mortal() -> Iterator[Postgres]:
    """A server that this module may stop."""
    with running_postgres() as server:
        yield server


def world_on(folder: Path, url: str) -> World:
    return World(folder, storage=StorageSettings(url=url))  # type: ignore[arg-type]


async def require_503(world: World) -> None:
    """Every kind of request that needs the database."""
    job = "00" + "1" * 30
    answers = [
        await world.http.get("/api/services/nonce", params={"userAddress": world.consumer.address}),
        await create(world.http, CONSUMER_KEY, 1),
        await world.start(world.start_body(1)),
        await world.stop(1),
        await world.result(1, job, 0),
    ]
    for answer in answers:
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "5"
        assert answer.json() == {"context": None, "error": "The service's database does not answer at the moment."}
    assert world.argo.created == 0


async def test_postgresql_is_stopped_and_comes_back(tmp_path: Path, mortal: Postgres) -> None:
    async with world_on(tmp_path, await mortal.create_database()).running() as world:
        assert (await create(world.http, CONSUMER_KEY, 1)).status_code == 200
        mortal.stop()
        try:
            await require_503(world)
            ready = await world.http.get("/health/ready")
            assert (ready.status_code, ready.json()["checks"]["storage"]) == (503, "unavailable")
            assert (await world.http.get("/")).status_code == 200, "what needs no database works"
        finally:
            mortal.start()
        assert await world.nonce() == "1"
        assert (await create(world.http, CONSUMER_KEY, 1)).status_code == 400
        assert (await world.start(world.start_body(2))).status_code == 200


async def test_postgresql_is_restarted_between_two_requests(tmp_path: Path, mortal: Postgres) -> None:
    """The pool's connections are dead, and no consumer notices."""
    async with world_on(tmp_path, await mortal.create_database()).running() as world:
        for nonce in range(1, 4):
            assert (await create(world.http, CONSUMER_KEY, nonce)).status_code == 200
            mortal.stop()
            mortal.start()
        assert await world.nonce() == "3"


async def test_postgresql_lets_nobody_in(tmp_path: Path, mortal: Postgres) -> None:
    """It answers, but with an error of its own before there is a connection."""
    url = await mortal.create_database()
    name = make_url(url).database
    administrator = Database(mortal.url("postgres"))
    async with world_on(tmp_path, url).running() as world:
        await administrator.read(lambda c: c.execute(text(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")))
        ending = text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name")
        await administrator.read(lambda c: c.execute(ending, {"name": name}))
        await require_503(world)
        await administrator.read(lambda c: c.execute(text(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")))
        assert (await create(world.http, CONSUMER_KEY, 1)).status_code == 200
    await administrator.close()


async def test_a_statement_that_fails(tmp_path: Path, storage_url: str) -> None:
    """Ocean Provider made a status of an error's code, which was no number."""
    async with world_on(tmp_path, storage_url).running() as world:
        other = Database(storage_url)
        await other.write(lambda c: c.execute(text("DROP TABLE nonces")))
        await other.close()
        await require_503(world)
