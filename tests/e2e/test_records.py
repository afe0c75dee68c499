"""Passports, release rules and decisions of owners on a deployment."""

from __future__ import annotations

import asyncio
import hashlib
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from ocean.client import Consumer, ConsumerError
from records.trust import Trust
from records.verify import read_passport, verify
from tests.e2e.conftest import nothing_left
from tests.e2e.test_deployment import end, started
from tests.support.chain import publisher
from tests.support.deployed import Deployed
from tests.support.owners import Owner
from tests.support.service import Buyer

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800)]

ANSWER = "import os; open(os.environ['OUTPUTS'] + '/answer.csv', 'w').write('a,b\\n1,2\\n'); print('the secret log')"
COPY = "import os, shutil; shutil.copytree(os.environ['INPUTS'], os.environ['OUTPUTS'] + '/all')"


async def verified(buyer: Buyer, job: dict[str, Any], folder: Path) -> list[str]:
    """Fetch all results; the names of the subjects of the passport, by which they are verified."""
    digests = {}
    for index, result in enumerate(job["results"]):
        path = folder / result["filename"]
        await buyer.consumer.result(job["jobId"], index, path)
        if result["type"] != "passport":
            digests[result["filename"]] = hashlib.sha256(await asyncio.to_thread(path.read_bytes)).hexdigest()
    passport = read_passport(await asyncio.to_thread((folder / "passport.dsse.json").read_bytes))
    trusted = set((await buyer.consumer.root())["providerAddresses"].values())
    found = verify(passport, digests, trusted)
    assert found.passport.job_id == job["jobId"]
    return [subject.name for subject in passport.statement.subjects]


async def test_what_comes_out_is_verified(deployed: Deployed, buyer: Buyer, tmp_path: Path) -> None:
    dataset = await buyer.publish(deployed.data_url, compute={"allowRawAlgorithm": True}, release={"types": ["csv"]})
    job = await buyer.finished(await started(buyer, dataset, ANSWER), deployed.seconds)
    assert end(job) == (70, "completed", 0, 0)
    assert "outputs/answer.csv" in await verified(buyer, job, tmp_path)
    await nothing_left(deployed, job["jobId"])


async def test_a_copy_of_the_data_stays(deployed: Deployed, buyer: Buyer, tmp_path: Path) -> None:
    rules = {"shareOfInputs": 0.5}
    dataset = await buyer.publish(deployed.data_url, compute={"allowRawAlgorithm": True}, release=rules)
    job = await buyer.finished(await started(buyer, dataset, COPY), deployed.seconds)
    assert end(job) == (41, "withheld", 0, 0)
    assert await verified(buyer, job, tmp_path) == [
        *("manifest.json", "adminlogs/configure.log", "adminlogs/publish.log"),
    ]
    await nothing_left(deployed, job["jobId"])


async def test_an_owner_lets_go_or_not(deployed: Deployed, buyer: Buyer, tmp_path: Path) -> None:
    rules = {"approval": "owner", "ownersLook": True}
    dataset = await buyer.publish(deployed.data_url, compute={"allowRawAlgorithm": True}, release=rules)
    jobs = [await started(buyer, dataset, ANSWER) for _ in range(2)]
    async with httpx.AsyncClient() as http, Consumer(deployed.url, publisher) as consumer:
        owner = Owner(deployed.url, publisher, http, consumer)
        for job_id, released in zip(jobs, (True, False), strict=True):
            async with asyncio.timeout(deployed.seconds):
                while "held" not in (job := await buyer.job(job_id) or {}):
                    assert job.get("dateFinished") is None, job
                    await asyncio.sleep(0.2)
            assert [result["type"] for result in job["results"]] == ["configrationLog", "publishLog"]
            await nothing_left(deployed, job_id)
            with pytest.raises(ConsumerError):
                await buyer.consumer.result(job_id, 2, tmp_path / "early")
            assert job_id in [each["jobId"] for each in await owner.waiting()]
            shown = (await owner.show(job_id)).json()
            index = next(each["index"] for each in shown["files"] if each["path"] == "outputs/answer.csv")
            assert (await owner.look(job_id, index)).content == b"a,b\n1,2\n"
            answer = await owner.put(job_id, owner.decision(shown, dataset.id, released=released))
            assert answer.status_code == 200, answer.text
            ended = await buyer.finished(job_id, deployed.seconds)
            assert end(ended) == ((70, "completed", 0, 0) if released else (41, "refused", 0, 0))
            assert ("outputs/answer.csv" in await verified(buyer, ended, tmp_path)) == released

        now = int(time.time())
        trust = Trust(shown["program"], dataset.id, publisher.address, now - 60, now + 86_400, jobs[0])
        answer = await owner.put_trust(trust)
        assert answer.status_code == 200, answer.text
    later = await buyer.finished(await started(buyer, dataset, ANSWER), deployed.seconds)
    assert end(later) == (70, "completed", 0, 0), "its owner trusts this algorithm"
    other = await started(buyer, dataset, ANSWER + "  # another one")
    async with asyncio.timeout(deployed.seconds):
        while "held" not in (await buyer.job(other) or {}):
            await asyncio.sleep(0.2)
