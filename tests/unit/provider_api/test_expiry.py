"""Results are kept as long as their environment said, and no longer."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from argo.client.records import ARCHIVING, PENDING
from contract import names
from provider_api.http.errors import ApiError, NeighbourAway, NeighbourFailed
from provider_api.jobs.expiry import ARCHIVED_SECONDS, AWAY_IN_A_ROW, Round, Sweeper, expires_at, is_expired
from provider_api.jobs.orphans import Orphans
from provider_api.jobs.results import ResultStore
from provider_api.storage.claims import Claims
from provider_api.storage.database import Database
from results.store import open_store
from tests.support.owners import nobody
from tests.support.provider_neighbours import PROVIDER_KEY, World
from tests.unit.provider_api.test_jobs import publish_results, started, status

pytestmark = pytest.mark.unit


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with World(tmp_path).running() as opened:
        yield opened


async def finished_job(world: World, kept: str, ago_seconds: float, nonce: int) -> str:
    """A job with a result, of an environment that keeps results so long, finished so long ago."""
    job_id = await started(world, nonce)
    publish_results(world, job_id, ("a.csv", b"a,b", "output"))
    job = world.argo.workflows[job_id]
    moment = datetime.now(UTC) - timedelta(seconds=ago_seconds)
    annotations = {**job.annotations, names.STORAGE_EXPIRY: kept}
    world.argo.workflows[job_id] = replace(job, annotations=annotations, finished_at=moment)
    return job_id


def files_of(world: World, job_id: str) -> list[Path]:
    return list((world.settings.data_folder / "results").glob(f"{job_id}/**/*"))


async def test_a_job_remembers_what_its_environment_promised(world: World) -> None:
    job = world.argo.workflows[await started(world)]
    assert job.annotations[names.STORAGE_EXPIRY] == "0"


async def test_results_that_are_over_are_neither_shown_nor_delivered(world: World) -> None:
    over = await finished_job(world, "60", 61, 5)
    kept = await finished_job(world, "60", 30, 6)
    for_ever = await finished_job(world, "0", 10**8, 7)
    assert (await status(world, jobId=over))[0]["results"] == ""
    for job_id in (kept, for_ever):
        assert (await status(world, jobId=job_id))[0]["results"][0]["filename"] == "a.csv"
    gone = await world.result(8, over, 0)
    assert (gone.status_code, "time was over" in gone.json()["error"]) == (404, True)
    assert (await world.result(9, kept, 0)).content == b"a,b"


async def test_a_sweep_removes_them_and_may_run_again(world: World) -> None:
    jobs = [await finished_job(world, "60", age, nonce) for nonce, age in ((5, 61), (6, 30))]
    unfinished = await started(world, 7)
    store = ResultStore(open_store(world.settings.results_url()), 5, PROVIDER_KEY, nobody)
    sweeper = Sweeper(world.argo, store)
    assert (await sweeper.sweep(time.time())).removed == 1
    assert (files_of(world, jobs[0]), len(files_of(world, jobs[1])) > 0) == ([], True)
    assert (await sweeper.sweep(time.time())).removed == 0
    another = Sweeper(world.argo, store)
    assert (await another.sweep(time.time())).removed == 1, (
        "another process finds nothing left to remove, and no harm is done"
    )
    assert (await sweeper.sweep(time.time() + 31)).removed == 1
    assert files_of(world, jobs[1]) == []
    assert unfinished in world.argo.workflows


async def test_results_of_an_environment_that_was_removed(world: World) -> None:
    """Its jobs are still ours: expiry was promised, and the operator's lists show them."""
    over = await finished_job(world, "60", 61, 5)
    unfinished = await started(world, 6)
    world.argo.prices.clear()
    assert (
        await Sweeper(world.argo, ResultStore(open_store(world.settings.results_url()), 5, PROVIDER_KEY, nobody)).sweep(
            time.time()
        )
    ).removed == 1
    assert files_of(world, over) == []
    every = await world.argo.list({names.ENVIRONMENT: names.ANY}, limit=None)
    assert {job.name for job in every} == {over, unfinished}


class Stubborn(ResultStore):
    """Some jobs' results cannot be removed."""

    def __init__(self, world: World, refused: dict[str, ApiError]) -> None:
        super().__init__(open_store(world.settings.results_url()), 5, PROVIDER_KEY, nobody)
        self.refused, self.asked = refused, list[str]()

    async def delete(self, job_id: str) -> None:
        self.asked.append(job_id)
        if job_id in self.refused:
            raise self.refused[job_id]
        await super().delete(job_id)


async def test_what_cannot_be_removed_starves_nobody_and_is_told(world: World) -> None:
    jobs = [await finished_job(world, "60", 61, nonce) for nonce in range(5, 11)]
    refused: dict[str, ApiError] = {jobs[-1]: NeighbourFailed("no"), jobs[2]: NeighbourFailed("no")}
    store = Stubborn(world, refused)
    sweeper = Sweeper(world.argo, store)
    assert await sweeper.sweep(time.time()) == Round(removed=4, left=2)
    assert {job for job in jobs if files_of(world, job)} == set(refused)
    refused.clear()
    assert await sweeper.sweep(time.time()) == Round(removed=2)
    assert all(files_of(world, job) == [] for job in jobs)


async def test_a_store_that_is_away_is_not_asked_for_every_job(world: World) -> None:
    jobs = [await finished_job(world, "60", 61, nonce) for nonce in range(5, 11)]
    store = Stubborn(world, {job: NeighbourAway("away", 1) for job in jobs})
    sweeper = Sweeper(world.argo, store)
    assert await sweeper.sweep(time.time()) == Round(left=len(jobs))
    assert len(store.asked) == AWAY_IN_A_ROW


async def test_jobs_that_argo_does_not_archive_are_counted(world: World) -> None:
    """It writes a job into its archive right after its end, or, where the database is away, perhaps never."""
    late, soon = ARCHIVED_SECONDS + 1, ARCHIVED_SECONDS - 60
    cases = [(PENDING, late, 1), (PENDING, soon, 0), ("Archived", late, 0), ("Persisted", late, 0), (None, late, 0)]
    for nonce, (state, ago, _) in enumerate(cases, start=5):
        job = world.argo.workflows[job_id := await finished_job(world, "0", ago, nonce)]
        labels = {**job.labels, **({} if state is None else {ARCHIVING: state})}
        world.argo.workflows[job_id] = replace(job, labels=labels)
    running = world.argo.workflows[running_id := await started(world, 20)]
    world.argo.workflows[running_id] = replace(running, labels={**running.labels, ARCHIVING: PENDING})
    done = await Sweeper(world.argo, world.services.results).sweep(time.time())
    assert done == Round(unarchived=sum(counted for *_, counted in cases))


# --- results whose job is gone ---------------------------------------------------------------------------------------

WEEK = 7 * 86_400


async def orphaned(world: World, nonce: int) -> str:
    job_id = await finished_job(world, "0", 60, nonce)
    del world.argo.workflows[job_id]
    return job_id


@pytest.fixture
async def claims(world: World) -> AsyncIterator[Claims]:
    database = Database(world.settings.storage_url())
    yield Claims(database)
    await database.close()


def orphans(world: World, claims: Claims, keep_seconds: int = WEEK) -> Orphans:
    return Orphans(
        world.argo, ResultStore(open_store(world.settings.results_url()), 5, PROVIDER_KEY, nobody), claims, keep_seconds
    )


async def test_results_whose_job_is_gone_are_removed_after_a_while(world: World, claims: Claims) -> None:
    gone = await orphaned(world, 5)
    kept = await finished_job(world, "0", 10**7, 6)
    assert await orphans(world, claims).sweep(time.time()) == 0
    assert await orphans(world, claims, 0).sweep(time.time() + 10 * WEEK) == 0
    assert await orphans(world, claims).sweep(time.time() + WEEK + 60) == 1
    assert files_of(world, gone) == []
    assert files_of(world, kept)
    assert await orphans(world, claims).sweep(time.time() + WEEK + 60) == 0


async def test_what_is_not_certainly_nobodys_stays(world: World, claims: Claims) -> None:
    """Of other services and people, of an order that is not submitted, of servers that are away or unknown; assets."""
    later, root = time.time() + 10 * WEEK, world.settings.data_folder / "results"
    unfinished = await started(world, 5)
    publish_results(world, unfinished, ("a.csv", b"a", "output"))
    strangers = ["ab" * 16, "00" * 16, "asset-" + "0" * 64, "notes", "00" + "AB" * 15]
    for name in strangers:
        (root / name).mkdir()
        (root / name / "manifest.json").write_text("{}")
    pending = await orphaned(world, 6)
    await claims.mark(pending, "submitted", "open")
    (root / "loose").write_text("x")
    assert await orphans(world, claims).sweep(later) == 0
    await claims.mark(pending, "open", "submitted")
    world.argo.away = True
    assert await orphans(world, claims).sweep(later) == 0
    world.argo.away = False
    assert all((root / name / "manifest.json").exists() for name in [*strangers, unfinished, pending])
    assert await orphans(world, claims).sweep(later) == 1
    assert not (root / pending).exists()


def test_an_end_without_a_time_counts_from_the_creation() -> None:
    from argo.client.records import Workflow

    created = datetime(2026, 1, 1, tzinfo=UTC)
    job = Workflow("j", "u", {}, {names.STORAGE_EXPIRY: "60"}, {}, created, "Error", "", None, None, "")
    assert expires_at(job) == created.timestamp() + 60
    assert (is_expired(job, created.timestamp() + 59), is_expired(job, created.timestamp() + 60)) == (False, True)
    for odd in ("", "x", "-1", "1.5"):
        assert expires_at(replace(job, annotations={names.STORAGE_EXPIRY: odd})) is None
