"""Jobs with many results: lists are cut and say so, what is remembered is bounded by bytes."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from cachetools import LRUCache

from contract.manifest import Manifest, ResultFile, summary_of
from provider_api.jobs import results as job_results
from provider_api.jobs.read import MOST_LISTED_EACH
from provider_api.jobs.results import MOST_LISTED
from tests.support.provider_neighbours import World

pytestmark = pytest.mark.integration

STATUS = "/api/services/compute"


def publish(world: World, job_id: str, count: int, *, name_length: int = 12) -> None:
    """So many outputs and two logs."""
    names = [f"{number:06}".ljust(name_length, "x") for number in range(count)]
    files = [result(job_id, place, f"outputs/{name}", "output") for place, name in enumerate(names)]
    files += [
        result(job_id, count, "logs/algorithm.log", "algorithmLog"),
        result(job_id, count + 1, "adminlogs/configure.log", "configrationLog"),
    ]
    manifest = Manifest(job_id=job_id, created=0, complete=True, files=tuple(files))
    encoded = manifest.encoded()
    folder = world.settings.data_folder / "results" / job_id
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_bytes(encoded)
    world.argo.finish(job_id, results=summary_of(manifest, encoded).encoded())


def result(job_id: str, index: int, path: str, type_: Any) -> ResultFile:
    return ResultFile(
        index=index,
        path=path,
        filename=path.rpartition("/")[2],
        filesize=1,
        sha256="0" * 64,
        type=type_,
        content_type="text/plain",
        key=f"{job_id}/{path}",
    )


async def start(world: World, nonce: int) -> str:
    (job,) = (await world.start(world.start_body(nonce))).json()
    found: str = job["jobId"]
    return found


@pytest.fixture
async def world(tmp_path: Path) -> Any:
    async with World(tmp_path).running() as opened:
        (tmp_path / "results").mkdir(exist_ok=True)
        yield opened


async def status(world: World, **query: Any) -> list[dict[str, Any]]:
    asked = {"consumerAddress": world.consumer.address, **query}
    found: list[dict[str, Any]] = (await world.http.get(STATUS, params=asked)).json()
    return found


async def test_a_list_that_is_cut_can_be_followed_to_its_end(world: World) -> None:
    job_id, count = await start(world, 5), 2 * MOST_LISTED + 500
    publish(world, job_id, count)
    seen, following, rounds = dict[int, str](), 0, 0
    while True:
        (job,) = await status(world, jobId=job_id, resultsFrom=following)
        rounds += 1
        assert len(job["results"]) <= MOST_LISTED
        places = [entry["index"] for entry in job["results"]]
        assert places == list(range(following, following + len(places))), "clients take a place for an index"
        seen |= {entry["index"]: entry["filename"] for entry in job["results"]}
        if "resultsNext" not in job:
            break
        assert job["resultsCount"] == count + 2
        following = job["resultsNext"]
    assert rounds == 3
    assert sorted(seen) == list(range(count + 2))
    assert len(set(seen.values())) == count + 2


async def test_a_short_list_says_nothing_of_it(world: World) -> None:
    job_id = await start(world, 5)
    publish(world, job_id, MOST_LISTED - 2)
    (job,) = await status(world, jobId=job_id)
    assert len(job["results"]) == MOST_LISTED
    assert not {"resultsNext", "resultsCount"} & set(job)


async def test_the_length_of_an_answer_is_bounded(world: World) -> None:
    """Also where names are long, and where there are many jobs."""
    job_ids = [await start(world, nonce) for nonce in range(5, 9)]
    for job_id in job_ids:
        publish(world, job_id, 3000, name_length=1000)
    (job,) = await status(world, jobId=job_ids[0])
    assert len(json.dumps(job)) < 1_500_000
    assert job["resultsNext"] > 0
    for each in await status(world):
        assert len(each["results"]) <= MOST_LISTED_EACH
        assert len(json.dumps(each)) < 60_000
        assert each["resultsNext"] > 0


async def test_what_is_remembered_is_bounded_by_bytes(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    remembered = LRUCache[Any, Manifest](3_000_000, getsizeof=job_results._size_of)
    monkeypatch.setattr(world.services.results, "_manifests", remembered)
    job_ids = [await start(world, nonce) for nonce in range(5, 11)]
    for number, job_id in enumerate(job_ids):
        publish(world, job_id, 1000 if number else 5000)
    store = world.services.results
    for job_id in job_ids * 2:
        await status(world, jobId=job_id)
        assert sum(map(job_results._size_of, store._manifests.values())) <= 3_000_000
    assert job_ids[0] not in {key[0] for key in store._manifests}, "one that is larger than all together"
    assert 1 < len(store._manifests) < len(job_ids)


async def test_all_who_ask_at_once_share_one_reading(world: World) -> None:
    job_id = await start(world, 5)
    publish(world, job_id, 5000)
    store = world.services.results
    loaded = 0
    inner = store._loaded

    async def counted(key: Any) -> Manifest:
        nonlocal loaded
        loaded += 1
        return await inner(key)

    store._loaded = counted  # type: ignore[method-assign]
    answers = await asyncio.gather(*(status(world, jobId=job_id) for _ in range(10)))
    assert loaded == 1
    assert all(answer == answers[0] for answer in answers)


@pytest.mark.parametrize("value", ["x", "-1", "1.5"])
async def test_a_start_that_is_no_number(world: World, value: str) -> None:
    asked = {"consumerAddress": world.consumer.address, "resultsFrom": value}
    refused = await world.http.get(STATUS, params=asked)
    assert refused.status_code == 400
    assert refused.json()["errors"] == {"resultsFrom": ["The resultsFrom must be an integer."]}
