"""A finished job's passport, as the service makes it: when there is one, where it stands, and that it is always the
same."""

import hashlib
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from contract import names
from contract.manifest import summary_of
from contract.provenance import InputDigest, Provisioned, StartRecord, file_salt
from provider_api.jobs.results import ResultStore
from provider_api.jobs.start_record import asset_salt
from records.verify import read_passport, verify
from results.store import open_store
from tests.support.owners import nobody
from tests.support.provider_neighbours import PROVIDER_KEY, World
from tests.support.stored_results import store_files

pytestmark = pytest.mark.unit

DID = "did:op:" + "0" * 64
FILES = (("model.csv", b"a,b\n", "output"), ("algorithm.log", b"hello\n", "algorithmLog"))
DIGESTS = {name: hashlib.sha256(content).hexdigest() for name, content, _ in FILES}


@pytest.fixture
async def records(tmp_path: Path) -> AsyncIterator[World]:
    """A world whose environments make passports."""
    world = World(tmp_path)
    world.argo.has_record = True
    async with world.running() as running:
        yield running


async def started(world: World, nonce: int = 5) -> str:
    answer = await world.start(world.start_body(nonce))
    assert answer.status_code == 200, answer.text
    return str(answer.json()[0]["jobId"])


def finished(world: World, job: str, *, listed: bool = True, provisioned: bool = True, **measured: Any) -> None:
    """Files in the store as the publishing pod puts them, and the job's end. `measured`: by configuration."""
    manifest = store_files(
        world.settings.data_folder / "results", job, FILES, created=int(datetime.now(UTC).timestamp())
    )
    spec = world.argo.spec(job, world.keys)
    went_in = Provisioned(
        inputs=tuple(
            InputDigest(did=asset.did, service_id=asset.service_id, index=0, salted="3" * 64) for asset in spec.inputs
        ),
        algorithm=("4" * 64,),
        documents={DID: "5" * 64},
        custom_data="6" * 64,
        input_bytes=1_000,
        **measured,
    )
    manifest = manifest.model_copy(update={"provisioned": went_in if provisioned else None})
    encoded = manifest.encoded()
    (world.settings.data_folder / "results" / job / "manifest.json").write_bytes(encoded)
    summary = summary_of(manifest, encoded)
    if not listed:
        summary = summary.model_copy(update={"files": None, "provisioned": None})
    world.argo.finish(job, results=summary.encoded())


async def listed(world: World, job: str) -> Any:
    query = {"consumerAddress": world.consumer.address, "jobId": job}
    (found,) = (await world.http.get("/api/services/compute", params=query)).json()
    return found["results"]


@pytest.mark.parametrize("in_summary", [True, False])
async def test_the_passport_is_the_last_result_and_verifies_the_others(records: World, in_summary: bool) -> None:
    job = await started(records)
    finished(records, job, listed=in_summary)
    results = await listed(records, job)
    assert [(entry["index"], entry["filename"], entry["type"]) for entry in results] == [
        (0, "model.csv", "output"),
        (1, "algorithm.log", "algorithmLog"),
        (2, "passport.dsse.json", "passport"),
    ]
    answer = await records.result(10, job, 2)
    assert answer.status_code == 200, answer.text
    assert len(answer.content) == results[2]["filesize"] == int(answer.headers["content-length"])
    assert "passport.dsse.json" in answer.headers["content-disposition"]
    assert answer.headers["etag"] == f'"{hashlib.sha256(answer.content).hexdigest()}"'
    found = verify(read_passport(answer.content), DIGESTS, [records.keys.address])
    assert found.passport.job_id == job
    part = await records.result(11, job, 2, range="bytes=5-14")
    assert (part.status_code, part.content) == (206, answer.content[5:15])
    assert (await records.result(12, job, 3)).status_code == 404
    assert (await records.result(13, job, 0)).content == b"a,b\n"


async def test_it_says_what_was_asked_for(records: World) -> None:
    job = await started(records)
    finished(records, job)
    statement = read_passport((await records.result(10, job, 2)).content).statement
    definition, run = statement.predicate["buildDefinition"], statement.predicate["runDetails"]
    request, workflow = definition["externalParameters"], records.argo.workflows[job]
    assert request["consumer"] == records.consumer.address
    assert request["agreementId"] == workflow.annotations[names.AGREEMENT_ID]
    assert [(each["did"], each["serviceId"]) for each in request["datasets"]] == [(DID, "svc")]
    assert request["datasets"][0]["order"] == request["agreementId"]
    assert definition["internalParameters"]["image"] == workflow.annotations[names.IMAGE]
    assert run["builder"]["id"] == "ethereum:" + records.keys.address
    assert (run["metadata"]["invocationId"], run["metadata"]["c2d_reason"]) == (job, "completed")
    assert [step["name"] for step in run["metadata"]["c2d_steps"]] == ["configuration", "algorithm", "publishing"]
    names_of = [each["name"] for each in definition["resolvedDependencies"]]
    assert names_of[:3] == ["image", "algorithm/0", "algoCustomData.json"]
    assert names_of[-1] == f"inputs/{DID}/svc/0"


async def test_it_says_what_ran_and_of_which_results_inputs_were_made(records: World) -> None:
    job = await started(records)
    finished(records, job, program="7" * 64, made_of={DID: "8" * 64})
    definition = read_passport((await records.result(10, job, 2)).content).statement.predicate["buildDefinition"]
    went_in = {each["name"]: each for each in definition["resolvedDependencies"]}
    assert went_in["algorithm"] == {"name": "algorithm", "digest": {"c2dProgram": "7" * 64}}
    assert went_in[f"results/{DID}"] == {
        "uri": DID,
        "name": f"results/{DID}",
        "digest": {"c2dOutputs": "8" * 64},
    }


async def test_it_is_the_same_at_each_asking_and_in_each_process(records: World) -> None:
    job = await started(records)
    finished(records, job)
    first, again = (await records.result(10, job, 2)).content, (await records.result(11, job, 2)).content
    other = ResultStore(open_store(records.settings.results_url()), 5, PROVIDER_KEY, nobody)
    elsewhere = await other.file(records.argo.workflows[job], 2)
    assert first == again == elsewhere.content  # type: ignore[union-attr]


async def test_there_is_none_before_the_end(records: World) -> None:
    job = await started(records)
    finished(records, job)
    records.argo.workflows[job] = replace(records.argo.workflows[job], phase="Running", finished_at=None)
    assert [entry["type"] for entry in await listed(records, job)] == ["output", "algorithmLog"]
    assert (await records.result(10, job, 2)).status_code == 404


async def test_there_is_none_for_jobs_of_pods_that_do_not_know_it(world: World) -> None:
    job = await started(world)
    finished(world, job, provisioned=False)
    assert names.RECORD not in world.argo.workflows[job].annotations
    assert {asset.salt for asset in world.argo.spec(job, world.keys).inputs} == {""}
    assert [entry["type"] for entry in await listed(world, job)] == ["output", "algorithmLog"]
    assert (await world.result(10, job, 2)).status_code == 404


async def test_a_job_that_was_never_configured_has_one_without_inputs(records: World) -> None:
    job = await started(records)
    finished(records, job, provisioned=False)
    found = read_passport((await records.result(10, job, 2)).content)
    dependencies = found.statement.predicate["buildDefinition"]["resolvedDependencies"]
    assert [each["name"] for each in dependencies] == ["image"]
    assert verify(found, DIGESTS, [records.keys.address])


async def test_a_job_that_published_nothing_has_none(records: World) -> None:
    job = await started(records)
    records.argo.finish(job)
    assert await listed(records, job) == ""
    assert (await records.result(10, job, 0)).status_code == 404


async def test_one_that_this_version_does_not_know_is_none(records: World) -> None:
    job = await started(records)
    finished(records, job)
    workflow = records.argo.workflows[job]
    for text in ("", "{", '{"version": 2}', "[]"):
        records.argo.workflows[job] = replace(workflow, annotations={**workflow.annotations, names.RECORD: text})
        assert [entry["type"] for entry in await listed(records, job)] == ["output", "algorithmLog"], text


async def test_salts_are_sealed_and_of_one_job(records: World) -> None:
    jobs = [await started(records, nonce) for nonce in (5, 6)]
    salts = []
    for job in jobs:
        (asset,) = records.argo.spec(job, records.keys).inputs
        salts.append(asset.salt)
        assert asset.salt == asset_salt(records.keys, job, asset.did, asset.service_id).hex()
        workflow = records.argo.workflows[job]
        told = json.dumps([dict(workflow.annotations), dict(workflow.labels), dict(workflow.arguments)])
        assert asset.salt not in told
        record = StartRecord.model_validate_json(workflow.annotations[names.RECORD])
        assert asset.salt not in record.model_dump_json()
    assert len(set(salts)) == 2
    assert file_salt(bytes.fromhex(salts[0]), 0) != file_salt(bytes.fromhex(salts[0]), 1)
