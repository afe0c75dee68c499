"""The main job over HTTP, with real contracts, sandboxes and files: publish, order, start, watch, fetch."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from provider_api.deploy.file_server import FileServer
from tests.support.service import FREE, PAID, Buyer, raw_python

pytestmark = pytest.mark.integration


@pytest.mark.parametrize("environment", [FREE, PAID])
async def test_two_datasets_and_a_published_algorithm(
    buyer: Buyer, files: FileServer, tmp_path: Path, environment: str
) -> None:
    datasets = [await buyer.publish(files.urls[name]) for name in ("rain.csv", "wind.csv")]
    algorithm = await buyer.publish(files.urls["algorithm.py"], kind="algorithm")
    ordered, algorithm_order = await buyer.order(datasets, algorithm, environment=environment)
    request = await buyer.consumer.start_request(environment, ordered, algorithm_order)

    started = await buyer.consumer.start(request)
    assert started["status"] < 70
    assert started["dateFinished"] is None
    job = await buyer.finished(started["jobId"])

    assert (job["status"], job["statusText"], job["reason"], job["exitCode"]) == (70, "Job finished", "completed", 0)
    assert job["inputDID"] == [asset.id for asset in datasets]
    assert job["algoDID"] == algorithm.id
    names = [(result["filename"], result["type"]) for result in job["results"]]
    assert names == [
        ("seen.json", "output"),
        ("algorithm.log", "algorithmLog"),
        ("configure.log", "configrationLog"),
        ("publish.log", "publishLog"),
        ("passport.dsse.json", "passport"),
    ]
    seen = json.loads(await buyer.result(job, "seen.json", tmp_path))
    for asset in datasets:
        assert f"{asset.id.removeprefix('did:op:')}/0" in seen["inputs"]
    assert (await buyer.result(job, "algorithm.log", tmp_path)).startswith(b"saw ")


async def test_raw_algorithm_runs_where_every_dataset_allows_it(
    buyer: Buyer, files: FileServer, tmp_path: Path
) -> None:
    dataset = await buyer.publish(files.urls["rain.csv"], compute={"allowRawAlgorithm": True})
    code = "import os; open(os.environ['OUTPUTS'] + '/answer', 'w').write(str(6 * 7))"
    ordered, algorithm = await buyer.order([dataset], raw_python(code))
    started = await buyer.consumer.start(await buyer.consumer.start_request(FREE, ordered, algorithm))
    job = await buyer.finished(started["jobId"])
    assert job["status"] == 70
    assert await buyer.result(job, "answer", tmp_path) == b"42"


async def test_an_entrypoint_is_literal_for_everybody_but_the_shell(
    buyer: Buyer, files: FileServer, tmp_path: Path
) -> None:
    """The controller of Argo evaluates {{=…}} in arguments; an entrypoint never is one."""
    dataset = await buyer.publish(files.urls["rain.csv"], compute={"allowRawAlgorithm": True})
    entrypoint = "echo '{{=1+1}} {{workflow.uid}}' | tr a-z A-Z; test -f $ALGO && exit 3"
    ordered, algorithm = await buyer.order([dataset], raw_python("not run at all", entrypoint))
    started = await buyer.consumer.start(await buyer.consumer.start_request(FREE, ordered, algorithm))
    job = await buyer.finished(started["jobId"])
    assert (job["status"], job["exitCode"], job["reason"]) == (41, 3, "algorithm_failed")
    assert await buyer.result(job, "algorithm.log", tmp_path) == b"{{=1+1}} {{WORKFLOW.UID}}\n"
