"""Ends of a job that are nobody's wish, as its owner reads them (others: test_hostile, test_secrecy, test_stop).

What the owner gets of a failed job is as much a part of it as the number: the logs, and outputs written until then.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from contract import names
from ocean.client import ConsumerError
from ocean.ddo import DDO
from provider_api.deploy.file_server import FileServer
from provider_api.deploy.folder import write_secret
from tests.support.service import CONTAINER, FREE, PAID, Buyer, Service, raw_python
from tests.support.stages import assert_nothing_left
from workflow_templates.environment import read_environments
from workflow_templates.render import write

pytestmark = pytest.mark.integration

OWN = ["algorithmLog", "configrationLog", "publishLog", "passport"]
HOG = "open(out + '/early', 'w').write('kept'); kept = [bytearray(1 << 26) for _ in range(64)]"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, files: FileServer) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("ends")
    changes: dict[str, dict[str, Any]] = {
        PAID: {"max_jobs": 1, "price_per_minute": "0"},
    }
    described = [environment.model_copy(update=changes.get(environment.id, {})) for environment in read_environments()]
    write(folder / "gitops", described)
    with Service(
        folder / "service",
        allow_private=[files.address],
        settings={"C2D_LIMITS__MINIMUM_PAID_SECONDS": "1"},
        manifests=folder / "gitops" / "base",
    ) as running:
        yield running


@pytest.fixture
async def dataset(buyer: Buyer, files: FileServer) -> DDO:
    return await buyer.publish(files.urls["rain.csv"], compute={"allowRawAlgorithm": True})


async def started(
    buyer: Buyer, dataset: DDO, algorithm: dict[str, Any], environment: str = FREE, minutes: float = 10
) -> str:
    ordered, wanted = await buyer.order([dataset], algorithm, environment=environment, minutes=minutes)
    request = await buyer.consumer.start_request(environment, ordered, wanted)
    return str((await buyer.consumer.start(request))["jobId"])


def end(job: dict[str, Any]) -> tuple[Any, ...]:
    return job["status"], job["statusText"], job["reason"], job["exitCode"], job["stopreq"]


def kinds(job: dict[str, Any]) -> list[str]:
    return [result["type"] for result in job["results"]]


async def test_out_of_memory(service: Service, buyer: Buyer, dataset: DDO, tmp_path: Path) -> None:
    algorithm = raw_python(f"import os; out = os.environ['OUTPUTS']; {HOG}")
    job = await buyer.finished(await started(buyer, dataset, algorithm))
    assert end(job) == (41, "Algorithm failed", "out_of_memory", 137, 0)
    assert kinds(job) == ["output", *OWN]
    assert await buyer.result(job, "early", tmp_path) == b"kept"
    await assert_nothing_left(service.folder)


async def test_an_image_that_is_not_there(service: Service, buyer: Buyer, dataset: DDO) -> None:
    """Nothing is pulled on a single machine: the start says so at once, with what was asked for and what there is."""
    container = {**CONTAINER, "image": "nobody/nothing", "tag": "latest"}
    algorithm = {"rawcode": "print('never')", "container": container}
    with pytest.raises(ConsumerError, match="image_unavailable"):
        await started(buyer, dataset, algorithm)
    await assert_nothing_left(service.folder)


@pytest.mark.parametrize("code", [31, 75, 79, 124, 137, 143])
async def test_an_exit_code_of_its_own(buyer: Buyer, dataset: DDO, code: int) -> None:
    """An algorithm may end with any of the codes that ours mean something by."""
    job = await buyer.finished(await started(buyer, dataset, raw_python(f"raise SystemExit({code})")))
    assert end(job) == (41, "Algorithm failed", "algorithm_failed", code, 0)


async def test_paid_time_runs_out_in_the_queue(service: Service, buyer: Buyer, dataset: DDO) -> None:
    """Time in the queue counts. Nothing of the job runs, and the owner is told why."""
    first = await started(buyer, dataset, raw_python("import time; time.sleep(600)"), PAID)
    late = await started(buyer, dataset, raw_python("print('never')"), PAID, minutes=15 / 60)
    paid_until = time.time() + 15  # at the latest, since the fee was asked for before
    while time.time() <= paid_until:
        await asyncio.sleep(0.1)
    waiting = await buyer.job(late)
    assert waiting is not None
    assert (waiting["status"], waiting["queuePosition"]) == (1, 1)
    await buyer.consumer.stop(first)
    job = await buyer.finished(late)
    assert end(job) == (70, "Job finished", "paid_time_over", None, 2)
    assert "output" not in kinds(job)
    assert (await buyer.finished(first))["reason"] == "stopped"
    await assert_nothing_left(service.folder)


async def test_a_store_that_takes_nothing(service: Service, buyer: Buyer, dataset: DDO) -> None:
    store = service.folder.secrets / names.RESULT_STORE_SECRET / "store.json"
    good = store.read_text()
    write_secret(store, '{"url": "s3://nowhere", "options": {"region": "none", "endpoint": "http://127.0.0.1:9"}}')
    try:
        job_id = await started(buyer, dataset, raw_python("print('ran')"))
        job = await buyer.finished(job_id, 100)
    finally:
        write_secret(store, good)
    assert end(job) == (62, "Publishing results failed", "upload_incomplete", 0, 0)
    assert job["results"] == ""
    await assert_nothing_left(service.folder)
