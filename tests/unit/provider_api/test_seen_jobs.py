"""Who is answered from what the watch keeps: statuses. Who is not: whatever decides, ends or delivers something."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from argo.client.seen import SeenWorkflows
from tests.support.provider_neighbours import World

pytestmark = pytest.mark.unit

COMPUTE = "/api/services/compute"


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    world = World(tmp_path)
    world.argo.watched["00"] = SeenWorkflows()
    async with world.running():
        yield world


async def started(world: World) -> str:
    """A job that has ended meanwhile, though what is kept says that it publishes."""
    job_id: str = (await world.start(world.start_body())).json()[0]["jobId"]
    end(world, job_id)
    return job_id


def end(world: World, job_id: str) -> None:
    world.argo.finish(job_id)
    world.argo.kept[job_id] = replace(world.argo.workflows[job_id], phase="Running", finished_at=None)


async def test_a_status_shows_what_is_kept(world: World) -> None:
    job_id = await started(world)
    query = {"consumerAddress": world.consumer.address, "jobId": job_id}
    world.argo.away = True
    assert (await world.http.get(COMPUTE, params=query)).json()[0]["status"] == 60
    world.argo.away = False
    del world.argo.kept[job_id]
    assert (await world.http.get(COMPUTE, params=query)).json()[0]["status"] == 70


async def test_of_another_account_nothing_is_shown(world: World) -> None:
    job_id = await started(world)
    query = {"consumerAddress": "0x" + "12" * 20, "jobId": job_id}
    assert (await world.http.get(COMPUTE, params=query)).json() == []


async def test_a_list_and_a_stop_ask_argo(world: World) -> None:
    await started(world)
    listed = await world.http.get(COMPUTE, params={"consumerAddress": world.consumer.address})
    assert [job["status"] for job in listed.json()] == [70]
    answer = await world.stop(6, listed.json()[0]["jobId"])
    assert answer.json()[0]["status"] == 70


async def test_a_repeated_start_asks_argo(world: World) -> None:
    body = world.start_body()
    job_id = (await world.start(body)).json()[0]["jobId"]
    end(world, job_id)
    assert (await world.start(body)).json()[0]["status"] == 70


@pytest.mark.parametrize("unfinished_only", [False, True])
async def test_of_the_operators_calls_only_the_status_may_lag(world: World, unfinished_only: bool) -> None:
    job_id = await started(world)
    reader, provider = world.services.reader, world.argo.workflows[job_id].labels
    addresses = {value for value in provider.values() if value}

    async def found(*, may_lag: bool) -> list[bool]:
        jobs = await reader.of_provider(addresses, job_id=job_id, unfinished_only=unfinished_only, may_lag=may_lag)
        return [job.finished for job in jobs]

    assert await found(may_lag=False) == ([] if unfinished_only else [True])
    assert await found(may_lag=True) == [False]


async def test_metrics_tell_of_the_watch(world: World) -> None:
    seen = world.argo.watched["00"]
    seen.opened()
    seen.find("a")
    text = world.services.metrics.text().decode()
    assert 'c2d_argo_watch_alive{server="00"} 1.0' in text
    assert 'c2d_argo_statuses_total{answer="asked",server="00"} 1.0' in text
    assert 'c2d_argo_statuses_total{answer="known",server="00"} 0.0' in text
    seen.lost()
    assert 'c2d_argo_watch_alive{server="00"} 0.0' in world.services.metrics.text().decode()
