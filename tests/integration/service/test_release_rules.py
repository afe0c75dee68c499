"""Release rules of datasets, from the publisher's document to what the consumer gets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from ocean.ddo import DDO
from provider_api.deploy.file_server import FileServer
from records.verify import read_passport
from tests.support.service import FREE, Buyer, raw_python

pytestmark = pytest.mark.integration

RULES = {"maxBytes": 200, "maxFiles": 1, "types": ["csv", "json"], "logBytes": 100}
COPY = "import os, shutil; shutil.copytree(os.environ['INPUTS'], os.environ['OUTPUTS'] + '/all')"
MEAN = "import os; open(os.environ['OUTPUTS'] + '/mean.csv', 'w').write('days,mm\\n2,1.5\\n'); print('two days')"


@pytest.fixture
async def limited(buyer: Buyer, files: FileServer) -> DDO:
    return await dataset_with(buyer, files, RULES)


async def dataset_with(buyer: Buyer, files: FileServer, rules: Any) -> DDO:
    return await buyer.publish(files.urls["rain.csv"], compute={"allowRawAlgorithm": True}, release=rules)


async def ended(buyer: Buyer, datasets: list[DDO], code: str) -> dict[str, Any]:
    ordered, algorithm = await buyer.order(datasets, raw_python(code))
    started = await buyer.consumer.start(await buyer.consumer.start_request(FREE, ordered, algorithm))
    return await buyer.finished(started["jobId"])


async def test_what_meets_the_rules_comes_out(buyer: Buyer, limited: DDO, tmp_path: Path) -> None:
    job = await ended(buyer, [limited], MEAN)
    assert (job["status"], job["reason"]) == (70, "completed")
    assert await buyer.result(job, "mean.csv", tmp_path) == b"days,mm\n2,1.5\n"
    assert await buyer.result(job, "algorithm.log", tmp_path) == b"two days\n"
    passport = read_passport(await buyer.result(job, "passport.dsse.json", tmp_path))
    terms = passport.statement.predicate["buildDefinition"]["internalParameters"]
    assert terms["release"] == RULES


async def test_a_copy_of_the_data_does_not(buyer: Buyer, files: FileServer, limited: DDO, tmp_path: Path) -> None:
    """Also beside a dataset whose publisher says nothing: the strictest rules of all hold."""
    free = await buyer.publish(files.urls["wind.csv"], compute={"allowRawAlgorithm": True})
    for datasets in ([limited], [free, limited]):
        job = await ended(buyer, datasets, COPY)
        assert (job["status"], job["statusText"], job["reason"]) == (41, "Algorithm failed", "withheld")
        types = [result["type"] for result in job["results"]]
        assert types == ["configrationLog", "publishLog", "passport"]
        said = json.dumps(job) + "".join(
            [(await buyer.result(job, result["filename"], tmp_path)).decode() for result in job["results"]]
        )
        for secret in ("rain", "maxFiles", "max_files", "all/"):
            assert secret not in said
        passport = read_passport(await buyer.result(job, "passport.dsse.json", tmp_path))
        assert passport.statement.predicate["runDetails"]["metadata"]["c2d_reason"] == "withheld"
    assert (await ended(buyer, [free], COPY))["reason"] == "completed"


async def asked(buyer: Buyer, dataset: DDO) -> dict[str, Any]:
    body = {
        "datasets": [{"documentId": dataset.id, "serviceId": dataset.services[0].id}],
        "algorithm": {"meta": raw_python("pass")},
        "environment": FREE,
        "consumerAddress": buyer.consumer.address,
    }
    async with httpx.AsyncClient() as http:
        found = await http.post(buyer.service.url + "/api/v1/why-not", json=body)
    assert found.status_code == 200, found.text
    return dict(found.json())


async def test_the_rules_are_told_before_anybody_pays(buyer: Buyer, limited: DDO) -> None:
    told = await asked(buyer, limited)
    assert told["reasons"] == []
    (note,) = [note["note"] for note in told["notes"] if note["place"] == "results"]
    assert json.loads(note[note.index("{") : note.rindex("}") + 1]) == RULES


@pytest.mark.parametrize(
    ("rules", "code"),
    [
        ({"maxBytes": "200"}, "release_rules_invalid"),
        ({"max_bytes": 200}, "release_rules_invalid"),
        ({"maxBytes": -1}, "release_rules_invalid"),
        ({"types": ["exe"]}, "release_rules_invalid"),
        ("at most 5 MB", "release_rules_invalid"),
        (["maxBytes"], "release_rules_invalid"),
    ],
    ids=["text", "spelling", "negative", "type", "words", "list"],
)
async def test_rules_that_cannot_be_kept_refuse_every_start(
    buyer: Buyer, files: FileServer, rules: Any, code: str
) -> None:
    dataset = await dataset_with(buyer, files, rules)
    reasons = (await asked(buyer, dataset))["reasons"]
    assert [reason["code"] for reason in reasons] == [code]
