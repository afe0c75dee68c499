"""Many jobs at once in an environment that runs four at a time: all end well, in order, none twice.

Two hundred in `make soak`, forty otherwise.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from ocean.chain.development import account
from ocean.chain.ordering import start_order
from ocean.chain.publishing import mint
from ocean.client import Consumer
from provider_api.deploy.file_server import FileServer
from tests.support.chain import consumer, publisher
from tests.support.chain import environment as environment_account
from tests.support.lanes import size
from tests.support.service import Buyer, Service
from tests.support.stages import assert_nothing_left
from tests.support.starts import Caller, job_of, raw, reference
from workflow_templates.environment import read_environments
from workflow_templates.render import write

pytestmark = pytest.mark.integration

JOBS, AT_ONCE = size(test=40, soak=200), 4
OVERTAKEN_BY = 2 * AT_ONCE  # jobs whose configuration was faster: a place is given in order, an algorithm starts later
COUNTS = "set $OUTPUTS/*; test -e $1 && exit 9; echo {number} > $OUTPUTS/number"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, files: FileServer) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("many")
    described = [
        environment.model_copy(update={"max_jobs": AT_ONCE, "max_queued_jobs": JOBS, "max_jobs_per_account": JOBS})
        for environment in read_environments()
    ]
    write(folder / "gitops", described)
    with Service(
        folder / "service",
        allow_private=[files.address],
        settings={"C2D_LIMITS__LIST_LIMIT": str(JOBS)},
        manifests=folder / "gitops" / "base",
    ) as running:
        yield running


@pytest.mark.timeout(1800)
async def test_many_at_once(service: Service, files: FileServer) -> None:
    network = await service.network()
    async with Consumer(service.url, consumer) as client:
        dataset = await Buyer(service, network, client).publish(
            files.urls["rain.csv"], compute={"allowRawAlgorithm": True}
        )
    datatoken = dataset.services[0].datatoken_address
    async with Caller.open(service, account(6)) as caller:
        await mint(network, publisher, datatoken, caller.address, JOBS * 10**18)
        quote = caller.quote(dataset)
        orders = [
            await start_order(network, caller.key, datatoken, environment_account.address, 0, quote)
            for _ in range(JOBS)
        ]
        first = await caller.next_nonce()
        started = []
        for number, order in enumerate(orders):
            algorithm = raw(COUNTS.format(number=number))
            body = caller.request([reference(dataset, order)], algorithm, str(first + number))
            started.append(job_of(await caller.send(body))["jobId"])
        assert len(set(started)) == JOBS

        most_running = 0
        async with asyncio.timeout(1500):
            while True:
                jobs = await caller.jobs()
                most_running = max(most_running, sum(10 <= job["status"] <= 40 for job in jobs))
                if all(job["dateFinished"] for job in jobs):
                    break
                await asyncio.sleep(0.5)

        assert sorted(job["jobId"] for job in jobs) == sorted(started)
        assert {(job["status"], job["reason"], job["exitCode"]) for job in jobs} == {(70, "completed", 0)}
        assert most_running == AT_ONCE

        begun = sorted(jobs, key=lambda job: float(job["startedAt"]))
        places = [started.index(job["jobId"]) for job in begun]
        assert max(abs(place - position) for position, place in enumerate(places)) <= OVERTAKEN_BY

        for number in range(0, JOBS, 10):
            result = await caller.result(started[number], 0)
            assert (result.status_code, result.text) == (200, f"{number}\n")
    await network.close()
    await assert_nothing_left(service.folder)
