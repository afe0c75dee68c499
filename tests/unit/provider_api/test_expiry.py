"""Results are kept as long as their environment said, and no longer."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pods.store import open_store
from provider_api.jobs.environments import Environments
from provider_api.jobs.expiry import Sweeper, expires_at, is_expired
from provider_api.jobs.results import ResultStore
from tests.support.provider_neighbours import World
from tests.unit.provider_api.test_jobs import publish_results, started, status
from workflow_templates import names

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
    store = ResultStore(open_store(world.settings.results_url()), 5)
    environments = Environments(world.argo)
    sweeper = Sweeper(world.argo, environments, store)
    assert await sweeper.sweep(time.time()) == 1
    assert (files_of(world, jobs[0]), len(files_of(world, jobs[1])) > 0) == ([], True)
    assert await sweeper.sweep(time.time()) == 0
    another = Sweeper(world.argo, environments, store)
    assert await another.sweep(time.time()) == 1, "another process finds nothing left to remove, and no harm is done"
    assert await sweeper.sweep(time.time() + 31) == 1
    assert files_of(world, jobs[1]) == []
    assert unfinished in world.argo.workflows
    await environments.close()


def test_an_end_without_a_time_counts_from_the_creation() -> None:
    from argo.client.records import Workflow

    created = datetime(2026, 1, 1, tzinfo=UTC)
    job = Workflow("j", "u", {}, {names.STORAGE_EXPIRY: "60"}, {}, created, "Error", "", None, None, "")
    assert expires_at(job) == created.timestamp() + 60
    assert (is_expired(job, created.timestamp() + 59), is_expired(job, created.timestamp() + 60)) == (False, True)
    for odd in ("", "x", "-1", "1.5"):
        assert expires_at(replace(job, annotations={names.STORAGE_EXPIRY: odd})) is None
