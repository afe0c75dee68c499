"""The filter that runs ACRO as a step of real jobs: its image, its environment, its example of an algorithm."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from provider_api.deploy.file_server import FileServer
from tests.support.acro_filter import EXAMPLE
from tests.support.acro_image import unpack
from tests.support.clients import require_client
from tests.support.service import FREE, Buyer, Service, raw_python
from workflow_templates.environment import read_environment, read_environments
from workflow_templates.render import write

pytestmark = pytest.mark.integration

OWN = ["configure.log", "filter.log", "publish.log", "passport.dsse.json"]
ALGORITHM = (EXAMPLE / "algorithm.py").read_text()
THIEF = """
import json, os, pathlib
outputs, did = pathlib.Path(os.environ["OUTPUTS"]), json.loads(os.environ["DIDS"])[0].removeprefix("did:op:")
text = pathlib.Path(os.environ["INPUTS"], did, "0").read_text()
print(text)
(outputs / "results.json").write_text(text)
asked = {"analysis": "crosstab", "data": f"{did}/0", "index": ["district"], "columns": ["sex"]}
(outputs / "acro.json").write_text(json.dumps({"analyses": [asked]}))
"""


@pytest.fixture(scope="module")
def files() -> Iterator[FileServer]:
    with FileServer({"survey.csv": EXAMPLE / "survey.csv"}) as server:
        yield server


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, files: FileServer) -> Iterator[Service]:
    """The free environment with the filter and the release rules of the example's."""
    require_client("acro")
    folder = tmp_path_factory.mktemp("acro")
    own = read_environment(EXAMPLE / "survey.toml")
    assert own.filter is not None
    described = [
        environment.model_copy(update={"filter": own.filter, "release": own.release})
        if environment.id == FREE
        else environment
        for environment in read_environments()
    ]
    write(folder / "gitops", described)
    images = folder / "images.toml"
    images.write_text(f'"{own.filter.image}" = "{unpack(folder / "image")}"\n')
    settings = {"C2D_MACHINE__IMAGES": str(images)}
    manifests = folder / "gitops" / "base"
    with Service(folder / "service", allow_private=[files.address], settings=settings, manifests=manifests) as running:
        yield running


@pytest.fixture
async def buyer(service: Service) -> AsyncIterator[Buyer]:
    async with Buyer.open(service) as opened:
        yield opened


async def job_of(buyer: Buyer, files: FileServer, code: str) -> dict[str, Any]:
    dataset = await buyer.publish(files.urls["survey.csv"], compute={"allowRawAlgorithm": True})
    ordered, algorithm = await buyer.order([dataset], raw_python(code))
    started = await buyer.consumer.start(await buyer.consumer.start_request(FREE, ordered, algorithm))
    return await buyer.finished(started["jobId"])


async def test_a_job_delivers_what_acro_let_pass(buyer: Buyer, files: FileServer, tmp_path: Path) -> None:
    job = await job_of(buyer, files, ALGORITHM)
    said = await buyer.result(job, "filter.log", tmp_path)
    assert (job["status"], job["reason"]) == (70, "completed"), said
    assert said == b"Released: the analyses were computed from the inputs and have passed.\n"
    made = ["output_0_0.csv", "output_1_0.csv", "output_2_0.csv", "output_2_1.csv", "output_2_2.csv", "results.json"]
    assert [entry["filename"] for entry in job["results"]] == [*made, *OWN]
    assert (await buyer.result(job, "output_0_0.csv", tmp_path)).startswith(b"region,f,m\neast,")
    told = json.loads(await buyer.result(job, "results.json", tmp_path))
    assert [output["status"] for output in told["results"].values()] == ["pass"] * 3


async def test_nothing_comes_of_a_job_with_a_small_cell(buyer: Buyer, files: FileServer, tmp_path: Path) -> None:
    job = await job_of(buyer, files, THIEF)
    assert (job["status"], job["reason"], job["exitCode"]) == (41, "filtered", 0)
    assert [entry["filename"] for entry in job["results"]] == OWN
    for name in OWN:
        assert b"island" not in await buyer.result(job, name, tmp_path)
    assert await buyer.result(job, "filter.log", tmp_path) == b"Withheld: an analysis has not passed.\n"
