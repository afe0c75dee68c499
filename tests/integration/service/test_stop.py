"""A stop meets a job at each of its steps. (Of jobs that wait or run: tests/integration/service/test_answers.py.)"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ocean.ddo import DDO
from tests.support.data_owner import DataOwner
from tests.support.service import Buyer, Service
from tests.support.stages import (
    MANY_FILES,
    WAIT,
    AtEveryStep,
    assert_nothing_left,
    assert_ran_once,
    publish,
    request_for,
)

pytestmark = pytest.mark.integration
PLACES = 4  # of the free environment


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, owner: DataOwner) -> Iterator[Service]:
    with Service(tmp_path_factory.mktemp("stopped"), allow_private=[owner.address]) as running:
        yield running


def outputs(job: dict[str, Any]) -> list[str]:
    return [result["filename"] for result in job["results"] if result["type"] == "output"]


async def test_a_stop_at_every_step(service: Service, buyer: Buyer, owner: DataOwner, tmp_path: Path) -> None:
    """Before the algorithm's end it ends the job, with what is there; a job that publishes is finished all the same.
    (Left alone, the first two would last for minutes.)"""
    at = await AtEveryStep.start(buyer, owner, service.folder)
    answers = [job for job_id in at.jobs for job in await buyer.consumer.stop(job_id)]
    assert [(job["jobId"], job["stopreq"]) for job in answers[:2]] == [(at.configuring, 1), (at.running, 1)]

    configuring = await buyer.finished(at.configuring)  # while its input is still held back
    assert (configuring["status"], configuring["reason"], configuring["stopreq"]) == (70, "stopped", 1)
    assert (outputs(configuring), configuring["exitCode"], configuring["startedAt"]) == ([], None, None)
    assert at.slow.requests == 1

    running = await buyer.finished(at.running)
    assert (running["status"], running["reason"], running["stopreq"]) == (70, "stopped", 1)
    assert await buyer.result(running, "runs", tmp_path) == b"ran\n"

    published = await assert_ran_once(buyer, at.publishing, tmp_path)
    assert (published["stopreq"], len(outputs(published))) == (0, MANY_FILES + 1)
    at.release_input()
    await assert_nothing_left(service.folder)


async def test_a_stopped_job_of_the_queue_downloads_nothing(
    service: Service, buyer: Buyer, owner: DataOwner, tmp_path: Path
) -> None:
    here, never = owner.serve("1,2\n"), owner.serve("3,4\n")
    dataset, unread = await publish(buyer, here.url), await publish(buyer, never.url)
    running = [await started(buyer, dataset) for _ in range(PLACES)]
    queued = await started(buyer, unread)
    asked = never.requests  # by whoever looked at the asset
    (answer,) = await buyer.consumer.stop(queued)
    assert answer["stopreq"] == 1
    job = await buyer.finished(queued)
    assert (job["status"], job["reason"], job["stopreq"], job["startedAt"]) == (70, "stopped", 1, None)
    assert (never.requests, outputs(job)) == (asked, [])
    for job_id in running:
        await buyer.consumer.stop(job_id)
        await buyer.finished(job_id)
    await assert_nothing_left(service.folder)


async def started(buyer: Buyer, dataset: DDO) -> str:
    return str((await buyer.consumer.start(await request_for(buyer, dataset, WAIT)))["jobId"])
