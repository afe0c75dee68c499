"""Results that wait for the owner of their dataset: nothing leaves by any door before, everything is right after."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from eth_account import Account

from ocean.client import Consumer, ConsumerError
from ocean.ddo import DDO
from provider_api.deploy.file_server import FileServer
from records.verify import read_passport
from tests.support.chain import publisher as publisher_account
from tests.support.chain import stranger as stranger_account
from tests.support.clients import ROOT
from tests.support.owners import Owner
from tests.support.service import FREE, Buyer, Service, raw_python

pytestmark = pytest.mark.integration

CODE = "import os; open(os.environ['OUTPUTS'] + '/answer', 'w').write('the secret answer'); print('the secret log')"


@pytest.fixture
async def holder(service: Service) -> Any:
    async with httpx.AsyncClient() as http, Consumer(service.url, publisher_account) as consumer:
        yield Owner(service.url, publisher_account, http, consumer)


@pytest.fixture
async def stranger(service: Service) -> Any:
    async with httpx.AsyncClient() as http, Consumer(service.url, stranger_account) as consumer:
        yield Owner(service.url, stranger_account, http, consumer)


@pytest.fixture
async def dataset(buyer: Buyer, files: FileServer) -> DDO:
    rules = {"approval": "owner", "maxFiles": 3}
    return await buyer.publish(files.urls["rain.csv"], compute={"allowRawAlgorithm": True}, release=rules)


async def held(buyer: Buyer, datasets: list[DDO], code: str = CODE) -> dict[str, Any]:
    """A job whose results wait."""
    ordered, algorithm = await buyer.order(datasets, raw_python(code))
    started = await buyer.consumer.start(await buyer.consumer.start_request(FREE, ordered, algorithm))
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        (job,) = await buyer.consumer.status(started["jobId"])
        if "held" in job or job["dateFinished"] is not None:
            return dict(job)
    raise AssertionError(job)


async def now(buyer: Buyer, job: dict[str, Any]) -> dict[str, Any]:
    (found,) = await buyer.consumer.status(job["jobId"])
    return dict(found)


async def everything(buyer: Buyer, job: dict[str, Any], folder: Path) -> bytes:
    """All that the consumer can get of a job: by every index, whatever the list says."""
    found = json.dumps(await now(buyer, job)).encode()
    for index in range(12):
        try:
            await buyer.consumer.result(job["jobId"], index, folder / "one")
        except ConsumerError as refused:
            found += str(refused).encode()
            continue
        found += (folder / "one").read_bytes()
    return found


async def test_nothing_leaves_until_the_owner_says_so(
    buyer: Buyer, holder: Owner, dataset: DDO, tmp_path: Path
) -> None:
    job = await held(buyer, [dataset])
    assert (job["status"], job["statusText"], job["dateFinished"]) == (60, "Publishing results", None)
    assert job["held"]["for"] == [dataset.id]
    assert job["held"]["until"] > time.time()
    assert [result["type"] for result in job["results"]] == ["configrationLog", "publishLog"]
    got = await everything(buyer, job, tmp_path)
    for secret in (b"the secret answer", b"the secret log", b"passport", b"outputs/answer"):
        assert secret not in got
    assert b"publishing 3 files" in got or b"manifest" in got, "the logs of our own steps are there"

    (waiting,) = [each for each in await holder.waiting() if each["jobId"] == job["jobId"]]
    assert (waiting["documentId"], waiting["standing"], waiting["files"]) == (dataset.id, "held", 2)
    shown = (await holder.show(job["jobId"])).json()
    assert [(file["path"], file["filesize"]) for file in shown["files"]] == [
        ("outputs/answer", 17),
        ("logs/algorithm.log", 15),
    ]
    assert shown["datasets"] == [{"documentId": dataset.id, "mine": True, "standing": "waiting"}]
    answer = await holder.put(job["jobId"], holder.decision(shown, dataset.id, released=True))
    assert (answer.status_code, answer.json()["standing"]) == (200, "released"), answer.text

    done = await now(buyer, job)
    assert (done["status"], done["reason"], "held" in done) == (70, "completed", False)
    assert done["dateFinished"] is not None
    assert [result["type"] for result in done["results"]] == [
        *("configrationLog", "publishLog", "output", "algorithmLog", "passport"),
    ]
    assert await buyer.result(done, "answer", tmp_path) == b"the secret answer"
    passport = read_passport(await buyer.result(done, "passport.dsse.json", tmp_path))
    assert "outputs/answer" in [subject.name for subject in passport.statement.subjects]
    assert [each for each in await holder.waiting() if each["jobId"] == job["jobId"]] == []
    history = [each for each in await holder.waiting(history="true") if each["jobId"] == job["jobId"]]
    assert [each["standing"] for each in history] == ["released"]

    again = await holder.put(job["jobId"], holder.decision(shown, dataset.id, released=True))
    assert again.status_code == 200, "the same once more"
    other = await holder.put(job["jobId"], holder.decision(shown, dataset.id, released=False))
    assert (other.status_code, "for good" in other.text) == (409, True)
    assert (await now(buyer, job))["status"] == 70


async def test_what_is_refused_never_leaves(buyer: Buyer, holder: Owner, dataset: DDO, tmp_path: Path) -> None:
    job = await held(buyer, [dataset])
    shown = (await holder.show(job["jobId"])).json()
    answer = await holder.put(job["jobId"], holder.decision(shown, dataset.id, released=False, reason="too detailed"))
    assert (answer.status_code, answer.json()["standing"]) == (200, "refused")
    assert answer.json()["datasets"][0]["reason"] == "too detailed"
    done = await now(buyer, job)
    assert (done["status"], done["statusText"], done["reason"]) == (41, "Algorithm failed", "refused")
    assert done["dateFinished"] is not None
    assert [result["type"] for result in done["results"]] == ["configrationLog", "publishLog", "passport"]
    got = await everything(buyer, job, tmp_path)
    for secret in (b"the secret answer", b"the secret log", b"too detailed", b"outputs/answer"):
        assert secret not in got
    kept = [path for path in (buyer.service.folder.root / "results" / job["jobId"]).rglob("*") if path.is_file()]
    assert all("secret" not in path.read_text(errors="replace") for path in kept), "and is gone from the store"
    assert len(kept) == 4, "our logs, the manifest, the decision"
    passport = read_passport(await buyer.result(done, "passport.dsse.json", tmp_path)).statement
    assert [subject.name for subject in passport.subjects] == [
        *("manifest.json", "adminlogs/configure.log", "adminlogs/publish.log"),
    ]
    late = await holder.put(job["jobId"], holder.decision(shown, dataset.id, released=True))
    assert late.status_code == 409


Forged = Callable[[Owner, Owner, dict[str, Any], str, dict[str, Any]], Awaitable[httpx.Response]]


async def by_stranger(holder: Owner, stranger: Owner, shown: dict[str, Any], did: str, other: Any) -> httpx.Response:
    return await stranger.put(shown["jobId"], stranger.decision(shown, did, released=True))


async def in_owners_name(holder: Owner, stranger: Owner, shown: dict[str, Any], did: str, other: Any) -> httpx.Response:
    return await stranger.put(shown["jobId"], holder.decision(shown, did, released=True))


async def of_another_job(holder: Owner, stranger: Owner, shown: dict[str, Any], did: str, other: Any) -> httpx.Response:
    return await holder.put(shown["jobId"], holder.decision(other, did, released=True))


async def of_other_results(
    holder: Owner, stranger: Owner, shown: dict[str, Any], did: str, other: Any
) -> httpx.Response:
    decision = holder.decision(shown, did, released=True, manifest_digest=other["manifestDigest"])
    return await holder.put(shown["jobId"], decision)


async def of_another_dataset(
    holder: Owner, stranger: Owner, shown: dict[str, Any], did: str, other: Any
) -> httpx.Response:
    return await holder.put(shown["jobId"], holder.decision(shown, "did:op:" + "0" * 64, released=True))


async def from_before(holder: Owner, stranger: Owner, shown: dict[str, Any], did: str, other: Any) -> httpx.Response:
    return await holder.put(shown["jobId"], holder.decision(shown, did, released=True, at=int(time.time()) - 86_400))


async def from_tomorrow(holder: Owner, stranger: Owner, shown: dict[str, Any], did: str, other: Any) -> httpx.Response:
    return await holder.put(shown["jobId"], holder.decision(shown, did, released=True, at=int(time.time()) + 86_400))


FORGERIES: dict[str, tuple[int, Forged]] = {
    "signed by a stranger": (403, by_stranger),
    "in the owner's name": (400, in_owners_name),
    "on another job": (400, of_another_job),
    "on other results": (400, of_other_results),
    "on another dataset": (400, of_another_dataset),
    "from before the job": (400, from_before),
    "from tomorrow": (400, from_tomorrow),
}


async def test_no_forged_or_replayed_decision_counts(
    buyer: Buyer, holder: Owner, stranger: Owner, dataset: DDO, tmp_path: Path
) -> None:
    job, another = await held(buyer, [dataset]), await held(buyer, [dataset])
    shown, other = [(await holder.show(each["jobId"])).json() for each in (job, another)]
    assert (await holder.put(another["jobId"], holder.decision(other, dataset.id, released=True))).status_code == 200
    for name, (status, forge) in FORGERIES.items():
        answer = await forge(holder, stranger, shown, dataset.id, other)
        assert answer.status_code == status, f"{name}: {answer.text}"
    async with httpx.AsyncClient() as http:
        for content in (b"", b"{", b"[]", b"x" * 20_000, b'{"payloadType": 1}'):
            answer = await http.put(f"{buyer.service.url}/api/v1/releases/{job['jobId']}", content=content)
            assert answer.status_code == 400, answer.text
    assert (await stranger.show(job["jobId"])).status_code == 404
    assert await stranger.waiting() == []
    assert (await now(buyer, job))["status"] == 60
    assert b"the secret" not in await everything(buyer, job, tmp_path)


async def test_all_owners_have_to_release(
    buyer: Buyer, holder: Owner, files: FileServer, dataset: DDO, tmp_path: Path
) -> None:
    second = await buyer.publish(
        files.urls["wind.csv"], compute={"allowRawAlgorithm": True}, release={"approval": "owner"}
    )
    free = await buyer.publish(files.urls["wind.csv"], compute={"allowRawAlgorithm": True})
    job = await held(buyer, [free, dataset, second])
    assert set(job["held"]["for"]) == {dataset.id, second.id}
    shown = (await holder.show(job["jobId"])).json()
    first = await holder.put(job["jobId"], holder.decision(shown, dataset.id, released=True))
    assert first.json()["standing"] == "held"
    assert (await now(buyer, job))["held"]["for"] == [second.id]
    assert b"the secret" not in await everything(buyer, job, tmp_path)
    last = await holder.put(job["jobId"], holder.decision(shown, second.id, released=True))
    assert last.json()["standing"] == "released"
    assert await buyer.result(await now(buyer, job), "answer", tmp_path) == b"the secret answer"


async def test_a_job_that_fails_or_breaks_a_rule(buyer: Buyer, holder: Owner, dataset: DDO, tmp_path: Path) -> None:
    failed = await held(buyer, [dataset], CODE + "; raise SystemExit(3)")
    assert (failed["status"], failed["exitCode"]) == (60, 3), "its log may be as telling"
    assert b"the secret" not in await everything(buyer, failed, tmp_path)
    shown = (await holder.show(failed["jobId"])).json()
    await holder.put(failed["jobId"], holder.decision(shown, dataset.id, released=True))
    assert ((await now(buyer, failed))["status"], (await now(buyer, failed))["reason"]) == (41, "algorithm_failed")
    many = "import os; [open(os.environ['OUTPUTS'] + f'/{n}', 'w') for n in range(9)]"
    broken = await held(buyer, [dataset], many)
    assert (broken["status"], broken["reason"], "held" in broken) == (41, "withheld", False)
    assert (await holder.show(broken["jobId"])).status_code == 404, "there is nothing to decide"


async def test_the_command_line_of_an_owner(buyer: Buyer, service: Service, dataset: DDO, tmp_path: Path) -> None:
    job = await held(buyer, [dataset])
    keystore, password = tmp_path / "owner.json", tmp_path / "password"
    made = Account.encrypt(bytes(publisher_account.key), "open, sesame", kdf="pbkdf2", iterations=2)
    await asyncio.to_thread(keystore.write_text, json.dumps(made))
    await asyncio.to_thread(password.write_text, "open, sesame\n")
    access = ["--url", service.url, "--keystore", str(keystore), "--password-file", str(password)]

    async def ran(*words: str) -> str:
        command = [str(Path(sys.executable).with_name("c2d")), "releases", *words, *access]
        done = await asyncio.to_thread(
            subprocess.run, command, cwd=ROOT, capture_output=True, text=True, timeout=200, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert job["jobId"] in await ran("list")
    shown = await ran("show", job["jobId"])
    assert "outputs/answer" in shown
    assert (await now(buyer, job))["status"] == 60
    assert "the results are released" in await ran("approve", job["jobId"], "--yes")
    assert await buyer.result(await now(buyer, job), "answer", tmp_path) == b"the secret answer"
    assert f"{job['jobId']}  released" in await ran("list", "--history")
