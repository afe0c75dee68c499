"""A job's passport: fetched from the running service and verified by our command and by other people's tools."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from ocean.client import Consumer
from ocean.signing import salts_message, sign
from provider_api.deploy.file_server import FileServer
from records.verify import read_passport
from tests.support.chain import publisher as publisher_account
from tests.support.clients import ROOT
from tests.support.how_to import blocks
from tests.support.service import CONTAINER, FREE, PAID, Buyer, Service, raw_python

pytestmark = pytest.mark.integration

PAGE = "verify-results.md"
ACCOUNT = "0xE0C5674F10c49b823836b38A686131CCAE1f7227"  # that the page names


async def fetch_all(consumer: Consumer, job: dict[str, Any], folder: Path) -> Path:
    """All results of a job, in a folder."""
    await asyncio.to_thread(folder.mkdir)
    for index, result in enumerate(job["results"]):
        await consumer.result(job["jobId"], index, folder / result["filename"])
    return folder


def ran(*command: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=200, check=False)


def verified(*arguments: str) -> subprocess.CompletedProcess[str]:
    return ran(str(Path(sys.executable).with_name("c2d")), "verify", *arguments)


@pytest.fixture
async def results(buyer: Buyer, files: FileServer, tmp_path: Path) -> tuple[dict[str, Any], Path]:
    """A job that went well, and the folder with its results."""
    datasets = [await buyer.publish(files.urls[name]) for name in ("rain.csv", "wind.csv")]
    algorithm = await buyer.publish(files.urls["algorithm.py"], kind="algorithm")
    ordered, algorithm_order = await buyer.order(datasets, algorithm, environment=PAID)
    started = await buyer.consumer.start(await buyer.consumer.start_request(PAID, ordered, algorithm_order))
    job = await buyer.finished(started["jobId"])
    assert [result["type"] for result in job["results"]][-1] == "passport"
    return job, await fetch_all(buyer.consumer, job, tmp_path / "results")


async def test_the_command_says_who_released_which_files(
    buyer: Buyer, service: Service, results: tuple[dict[str, Any], Path]
) -> None:
    job, folder = results
    (signer,) = set((await buyer.consumer.root())["providerAddresses"].values())
    for trust in (
        ["--signer", signer],
        ["--provider", service.url],
        ["--signer", signer, "--chain", service.chain_url],
    ):
        done = verified(str(folder), *trust)
        assert done.returncode == 0, done.stderr
        assert f"job {job['jobId']}, signed by {signer}" in done.stdout
        assert "seen.json: outputs/seen.json" in done.stdout
        assert f"{len(job['results']) - 1} files are as this job released them" in done.stdout
        assert ("paid its fee" in done.stdout) == ("--chain" in trust)

    unsaid = verified(str(folder))
    assert (unsaid.returncode, unsaid.stdout) == (2, "")
    assert signer in unsaid.stderr
    stranger = verified(str(folder), "--signer", buyer.consumer.address)
    assert (stranger.returncode, stranger.stdout) == (1, "")
    assert "rule 5" in stranger.stderr

    seen = folder / "seen.json"
    seen.write_bytes(seen.read_bytes() + b" ")
    changed = verified(str(folder), "--signer", signer)
    assert (changed.returncode, changed.stdout) == (1, "")
    assert "seen.json is not among the files" in changed.stderr
    alone = verified(
        str(folder / "algorithm.log"), "--passport", str(folder / "passport.dsse.json"), "--signer", signer
    )
    assert alone.returncode == 0, "the others are still good"


async def test_other_tools_verify_it_as_the_page_says(buyer: Buyer, results: tuple[dict[str, Any], Path]) -> None:
    _, folder = results
    (signer,) = set((await buyer.consumer.root())["providerAddresses"].values())
    by_hand, by_library = blocks(PAGE, "python")
    assert ACCOUNT in by_library
    for number, code in enumerate((by_hand, by_library.replace(ACCOUNT, signer))):
        (folder / f"{number}.py").write_text(code)
        done = ran(sys.executable, f"{number}.py", folder=folder)
        assert done.returncode == 0, done.stderr
        assert (signer in done.stdout) == (number == 0)
        assert "outputs/seen.json" in done.stdout
    (folder / "2.py").write_text(by_library)
    assert ran(sys.executable, "2.py", folder=folder).returncode != 0, "another account"


async def test_it_says_what_ran_and_by_whose_programs(results: tuple[dict[str, Any], Path]) -> None:
    """By the formula of the page, which owners who trust an algorithm sign."""
    _, folder = results
    definition = read_passport((folder / "passport.dsse.json").read_bytes()).statement.predicate["buildDefinition"]
    went_in = {each["name"]: each["digest"] for each in definition["resolvedDependencies"] if "digest" in each}
    formula: dict[str, Any] = {}
    exec(blocks("../reference/decisions.md", "python")[0], formula)  # noqa: S102  the page's own program
    said = definition["internalParameters"]
    entrypoint = f"{CONTAINER['entrypoint']}"
    files = [went_in["algorithm/0"]["sha256"]]
    assert went_in["algorithm"] == {"c2dProgram": formula["program"](said["image"], entrypoint, files)}
    assert went_in["algorithm"] != {"c2dProgram": formula["program"](said["image"], entrypoint + " ", files)}
    assert set(said["steps"]) == {"configuration", "publishing"}


async def test_an_owner_can_open_what_is_said_of_his_files(
    service: Service, buyer: Buyer, results: tuple[dict[str, Any], Path]
) -> None:
    """With the salt that the service tells him, by the formula of the page."""
    job, folder = results
    statement = read_passport((folder / "passport.dsse.json").read_bytes()).statement
    (did, _) = job["inputDID"]
    (told,) = [
        each
        for each in statement.predicate["buildDefinition"]["resolvedDependencies"]
        if each["name"].startswith(f"inputs/{did}/")
    ]
    async with Consumer(service.url, publisher_account) as owner:
        nonce = await owner.next_nonce()
        message = salts_message(owner.address, job["jobId"], did, nonce)
        signature = sign(message, bytes(publisher_account.key))
        query = {"consumerAddress": owner.address, "jobId": job["jobId"], "documentId": did}
        async with httpx.AsyncClient() as http:
            answer = await http.get(
                service.url + "/api/v1/salts", params={**query, "nonce": str(nonce), "signature": signature}
            )
    assert answer.status_code == 200, answer.text
    (salt,) = answer.json()["salts"]
    assert told["name"] == f"inputs/{did}/{salt['serviceId']}/0"
    formula: dict[str, Any] = {}
    code = blocks("../reference/passport.md", "python")[0]
    exec(code, formula)  # noqa: S102  the page's own program
    assert told["digest"] == {"c2dSalted": formula["salted"](salt["salt"], 0, b"day,mm\n1,3\n2,0\n")}
    assert told["digest"] != {"c2dSalted": formula["salted"](salt["salt"], 0, b"day,mm\n1,3\n2,1\n")}


async def test_a_job_that_fails_has_a_passport_too(buyer: Buyer, files: FileServer, tmp_path: Path) -> None:
    dataset = await buyer.publish(files.urls["rain.csv"], compute={"allowRawAlgorithm": True})
    ordered, algorithm = await buyer.order([dataset], raw_python("raise SystemExit(3)"))
    started = await buyer.consumer.start(await buyer.consumer.start_request(FREE, ordered, algorithm))
    job = await buyer.finished(started["jobId"])
    folder = await fetch_all(buyer.consumer, job, tmp_path / "failed")
    predicate = read_passport((folder / "passport.dsse.json").read_bytes()).statement.predicate
    run = predicate["runDetails"]["metadata"]
    assert (run["c2d_status"], run["c2d_reason"], run["c2d_exitCode"]) == (41, "algorithm_failed", 3)
    assert predicate["buildDefinition"]["externalParameters"]["algorithm"] == {"sentAlong": True}
