"""Results in an IPFS node as the service deals with them: swept when they are over, honest answers while it is away."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from contract import names
from contract.manifest import ResultFile
from provider_api.environments.catalogue import Environments
from provider_api.http.errors import NeighbourAway, NeighbourFailed, Refused
from provider_api.jobs.expiry import Sweeper
from provider_api.jobs.results import Part, ResultStore
from results.ipfs import folder_name
from results.store import open_store, put_object
from tests.support.kubo import FOLDER, Kubo, running_kubo
from tests.support.owners import nobody
from tests.support.provider_neighbours import PROVIDER_KEY, World
from tests.support.published import SERVICE

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kubo]:
    with running_kubo(tmp_path_factory.mktemp("kubo") / "repository") as running:
        yield running


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with World(tmp_path).running() as opened:
        yield opened


@pytest.fixture
def results(node: Kubo) -> ResultStore:
    return ResultStore(open_store(node.store, key=SERVICE, retry_timeout_seconds=0.2), 5, PROVIDER_KEY, nobody)


def publish(node: Kubo, job_id: str, content: bytes = b"a,b\n") -> ResultFile:
    key = f"{job_id}/{'0b' * 16}"
    put_object(open_store(node.store, seal_for=SERVICE.public_key), key, [content], most=len(content))
    return ResultFile(
        index=0,
        path="outputs/a.csv",
        filename="a.csv",
        filesize=len(content),
        sha256="00" * 32,
        type="output",
        content_type="text/csv",
        key=key,
    )


async def test_a_sweep_leaves_nothing_of_what_is_over(node: Kubo, world: World, results: ResultStore) -> None:
    jobs = []
    for nonce, ago_seconds in ((5, 61), (6, 30)):
        job_id = str((await world.start(world.start_body(nonce))).json()[0]["jobId"])
        publish(node, job_id)
        world.argo.finish(job_id)
        job = world.argo.workflows[job_id]
        kept = {**job.annotations, names.STORAGE_EXPIRY: "60"}
        moment = datetime.now(UTC) - timedelta(seconds=ago_seconds)
        world.argo.workflows[job_id] = replace(job, annotations=kept, finished_at=moment)
        jobs.append(job_id)
    environments = Environments(world.argo)
    try:
        sweeper = Sweeper(world.argo, results)
        assert (await sweeper.sweep(time.time())).removed == 1
        assert node.names() == [folder_name(jobs[1])]
        assert (await Sweeper(world.argo, results).sweep(time.time() + 31)).removed == 2
        assert node.names() == []
    finally:
        await environments.close()


async def test_answers_while_it_is_there_and_away(node: Kubo, results: ResultStore) -> None:
    file = publish(node, "00" + "b2" * 15)
    whole = Part(0, file.filesize)
    assert b"".join([piece async for piece in await results.stream(file, whole)]) == b"a,b\n"
    with pytest.raises(Refused) as missing:
        await results.stream(file.model_copy(update={"key": "00" + "b3" * 15 + "/x"}), whole)
    assert missing.value.status == 404
    path = f"{FOLDER}/{folder_name('00' + 'b2' * 15)}/{'0b' * 16}"
    assert node.call("files/write", path, content=b"of somebody else", truncate="true").is_success
    with pytest.raises(NeighbourFailed):
        await results.stream(file, whole)
    node.kill()
    try:
        with pytest.raises(NeighbourAway):
            await results.stream(file, whole)
        with pytest.raises(NeighbourAway):
            await results.delete("00" + "b2" * 15)
    finally:
        node.start()
    await results.delete("00" + "b2" * 15)
    assert node.names() == []
