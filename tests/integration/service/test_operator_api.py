"""The Operator-Service API, with the requests of an Ocean Provider that has its own key, files and orders."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from eth_account import Account

from ocean.addresses import checksum
from ocean.chain.development import account
from ocean.chain.metadata import COMPRESSED
from ocean.ddo import DDO
from ocean.fees import make_quote
from ocean.signing import sign
from provider_api.deploy.file_server import FileServer
from tests.support.chain import stranger
from tests.support.downloads import document_of
from tests.support.operator_peer import OperatorPeer, published, workflow
from tests.support.second_provider import SecondProvider
from tests.support.service import CONTAINER, FREE, PAID, Service
from tests.support.starts import Caller, raw

pytestmark = pytest.mark.integration

ADMIN = {"admin": "an-admin's-secret"}
OTHER_PROVIDER = account(5)
SLEEP = {"id": "", "url": None, **raw("echo asleep; exec sleep 600")["meta"]}
READS = "find $INPUTS -type f | sort | xargs cat > $OUTPUTS/all; echo read"


@dataclass
class Pair:
    """Our service as operator, and the Ocean Provider that uses it."""

    service: Service
    provider: SecondProvider


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory, files: FileServer) -> Iterator[Pair]:
    folder = tmp_path_factory.mktemp("operator")
    with SecondProvider(folder / "provider", allow_private=[files.address]) as provider:
        known = {"acme": [provider.key.address], "other": [OTHER_PROVIDER.address.lower()]}
        settings = {
            "C2D_OPERATOR__PROVIDERS": json.dumps(known),
            "C2D_OPERATOR__ADMINS": json.dumps([ADMIN["admin"]]),
        }
        with Service(
            folder / "operator", allow_private=[files.address, provider.address], settings=settings
        ) as service:
            provider.start(service)
            yield Pair(service, provider)
            provider.stop()


@pytest.fixture
def service(pair: Pair) -> Service:
    return pair.service


@pytest.fixture
async def caller(service: Service) -> AsyncIterator[Caller]:
    async with Caller.open(service, account(6)) as opened:
        yield opened


@pytest.fixture
async def peer(pair: Pair) -> AsyncIterator[OperatorPeer]:
    async with OperatorPeer.open(pair.service.url, pair.provider.key) as opened:
        yield opened


@pytest.fixture
async def dataset(caller: Caller, pair: Pair, files: FileServer) -> DDO:
    """Encrypted for the Ocean Provider: the operator cannot open its files."""
    made = {"service": "compute", "compute": {"allowRawAlgorithm": True}, "flags": COMPRESSED}
    return await pair.provider.publish(caller.network, files.urls["rain.csv"], **made)


async def buy(caller: Caller, pair: Pair, asset: DDO, environment: str = FREE) -> str:
    """An order with the Ocean Provider's fee; its transaction."""
    now = time.time()
    quote = make_quote(
        pair.provider.key,
        environment=environment,
        datatoken=asset.services[0].datatoken_address,
        service_id=asset.services[0].id,
        fee_token=caller.network.ocean,
        amount=0,
        valid_until=int(now) + 600,
        now=now,
    )
    return str((await caller.buy(asset, quote))["transferTxId"])


async def started(
    caller: Caller, pair: Pair, peer: OperatorPeer, asset: DDO, algorithm: dict[str, Any]
) -> dict[str, Any]:
    order = await buy(caller, pair, asset)
    answer = await peer.start(peer.start_body(workflow([(asset, order)], algorithm), caller.address, order))
    assert answer.status_code == 200, answer.text
    job: dict[str, Any] = answer.json()[0]
    return job


async def finished(peer: OperatorPeer, owner: str, job_id: str, seconds: float = 120) -> dict[str, Any]:
    async with asyncio.timeout(seconds):
        while True:
            (job,) = (await peer.call("GET", peer.query(owner, job_id))).json()
            if job["dateFinished"] is not None:
                return dict(job)
            await asyncio.sleep(0.05)


async def test_outputs_become_an_asset_of_the_owner(
    caller: Caller, pair: Pair, peer: OperatorPeer, dataset: DDO
) -> None:
    order = await buy(caller, pair, dataset)
    algorithm = {"id": "", "url": None, **raw("echo 42 > $OUTPUTS/answer")["meta"]}
    wanted = {"metadataUri": "http://metadata.example", "publishOutput": True, "metadata": {"name": "The answer"}}
    body = peer.start_body(workflow([(dataset, order)], algorithm, output=wanted), caller.address, order)
    answer = await peer.start(body)
    assert answer.status_code == 200, answer.text
    done = await finished(peer, caller.address, answer.json()[0]["jobId"])
    assert (done["status"], done["reason"]) == (70, "completed")
    asset = await document_of(pair.service, done["resultsDid"])
    assert asset.document()["metadata"]["name"] == "The answer"
    assert await caller.network.nft_owner(asset.nft_address) == caller.address

    wanted["metadata"] = {"name": "The answer", "author": 5}
    order = await buy(caller, pair, dataset)
    body = peer.start_body(workflow([(dataset, order)], algorithm, output=wanted), caller.address, order)
    assert "metadata.author_invalid" in refused(await peer.start(body))


def refused(answer: httpx.Response, status: int = 400) -> str:
    assert answer.status_code == status, answer.text
    assert list(answer.json()) == ["error"]
    return str(answer.json()["error"])


# --- the whole way ---------------------------------------------------------------------------------------------------


async def test_a_job_of_a_providers_consumer(
    caller: Caller, pair: Pair, peer: OperatorPeer, dataset: DDO, files: FileServer
) -> None:
    """Published algorithm, parameters in every spelling; status, results, the job's agreement."""
    container = {**CONTAINER, "entrypoint": READS}
    described = {"language": "sh", "version": "1", "container": container}
    algorithm = await pair.provider.publish(
        caller.network, files.urls["algorithm.py"], kind="algorithm", algorithm=described, flags=COMPRESSED
    )
    orders = [await buy(caller, pair, asset) for asset in (dataset, algorithm)]
    named = published(algorithm, orders[1], container, algocustomdata={"epochs": 5})
    body = peer.start_body(workflow([(dataset, orders[0])], named), caller.address, orders[0])
    answer = await peer.start(body)
    assert answer.status_code == 200, answer.text
    (job,) = answer.json()
    assert (job["results"], job["dateFinished"], job["owner"], job["agreementId"]) == (
        "",
        None,
        caller.address,
        orders[0],
    )
    assert job["status"] < 70
    again = await peer.start(body)
    assert again.json()[0]["jobId"] == job["jobId"], "the identical request is the same job"

    done = await finished(peer, caller.address, job["jobId"])
    assert (done["status"], done["reason"], done["algoDID"], done["inputDID"]) == (
        70,
        "completed",
        algorithm.id,
        [dataset.id],
    )
    assert done["validUntil"] == body["validUntil"]
    names = [entry["filename"] for entry in done["results"]]
    got = await peer.result(caller.address, job["jobId"], names.index("all"))
    assert got.status_code == 200
    assert got.text.startswith("day,mm\n1,3\n2,0\n")
    assert '"epochs":5' in got.text.replace(" ", "")
    part = await peer.result(caller.address, job["jobId"], names.index("all"), range="bytes=0-2")
    assert (part.status_code, part.text, part.headers["content-range"].startswith("bytes 0-2/")) == (206, "day", True)
    for file in range(len(names)):
        answer = await peer.result(caller.address, job["jobId"], file)
        assert answer.headers["content-disposition"] == f"attachment;filename={names[file]}"
        assert pair.provider.address not in answer.text


async def test_the_consumers_own_calls_here_do_not_show_it(
    caller: Caller, pair: Pair, peer: OperatorPeer, dataset: DDO
) -> None:
    job = await started(caller, pair, peer, dataset, SLEEP)
    newest = (await peer.call("GET", peer.query(caller.address))).json()[0]
    assert newest["jobId"] == job["jobId"]
    async with OperatorPeer.open(pair.service.url, OTHER_PROVIDER) as other:
        for one in ("", job["jobId"]):
            for method in ("GET", "PUT"):
                assert (await other.call(method, other.query(caller.address, one))).json() == []
        assert (await other.call("DELETE", other.query(caller.address, job["jobId"]))).json() == ""
        assert (await other.result(caller.address, job["jobId"], 0)).status_code == 404
    assert (await peer.call("DELETE", peer.query(caller.address, job["jobId"]))).json()[0]["removed"] == 1


async def test_stop_and_delete(caller: Caller, pair: Pair, peer: OperatorPeer, dataset: DDO) -> None:
    job = await started(caller, pair, peer, dataset, SLEEP)
    by_body = peer.query(caller.address, job["jobId"], documentId=dataset.id)
    stopped = await peer.http.put("compute", json=by_body)
    assert (stopped.json()[0]["jobId"], stopped.json()[0]["stopreq"]) == (job["jobId"], 1)
    done = await finished(peer, caller.address, job["jobId"])
    assert (done["status"], done["stopreq"], done["reason"]) == (70, 1, "stopped")
    again = await peer.call("PUT", peer.query(caller.address, job["jobId"]))
    assert again.json() == [done], "a finished job stays as it is"
    deleted = await peer.call("DELETE", peer.query(caller.address, job["jobId"]))
    assert [(one["jobId"], one["removed"]) for one in deleted.json()] == [(job["jobId"], 1)]
    assert (await peer.call("GET", peer.query(caller.address, job["jobId"]))).json() == []
    assert (await peer.call("DELETE", peer.query(caller.address, job["jobId"]))).text.strip() == '""'
    assert (await peer.result(caller.address, job["jobId"], 0)).status_code == 404


async def test_stop_all_of_an_owner(caller: Caller, pair: Pair, peer: OperatorPeer, dataset: DDO) -> None:
    """Without a job's id; finished ones are not among them, and the next call finds nothing to stop."""
    jobs = [(await started(caller, pair, peer, dataset, SLEEP))["jobId"] for _ in range(2)]
    stopped = await peer.call("PUT", peer.query(caller.address))
    assert {one["jobId"]: one["stopreq"] for one in stopped.json()} == dict.fromkeys(jobs, 1)
    for job_id in jobs:
        assert (await finished(peer, caller.address, job_id))["reason"] == "stopped"
    assert (await peer.call("PUT", peer.query(caller.address))).json() == []


# --- start: what is refused ------------------------------------------------------------------------------------------


async def test_what_a_start_must_have(caller: Caller, pair: Pair, peer: OperatorPeer, dataset: DDO) -> None:
    order = await buy(caller, pair, dataset)
    good = workflow([(dataset, order)], SLEEP)
    assert "JSON object" in refused(await peer.start({}))
    for name in ("workflow", "agreementId", "owner", "providerSignature", "environment", "nonce"):
        body = peer.start_body(good, caller.address, order)
        del body[name]
        assert refused(await peer.start(body)) == f"{name} is missing."
    stage = good["stages"][0]
    for document, text in (
        ({}, "workflow is empty."),
        ({"stages": []}, "The workflow has no stages."),
        ({"stages": [stage, stage]}, "The workflow has more than one stage."),
        *(({"stages": [{k: v for k, v in stage.items() if k != part}]}, f"The stage has no {part}.")
          for part in ("algorithm", "compute", "input", "output")),
    ):  # fmt: skip
        assert refused(await peer.start(peer.start_body(document, caller.address, order))) == text
    for changes in ({"environment": "nowhere"}, {"chainId": 1, "environment": "x"}):
        assert "environment" in refused(await peer.start(peer.start_body(good, caller.address, order, **changes)))
    for changes in (
        {"agreementId": "0x17"},
        {"agreementId": "0x" + "17" * 32},
        {"validUntil": "soon"},
        {"chainId": "x"},
    ):
        assert refused(await peer.start(peer.start_body(good, caller.address, order, **changes)))
    assert refused(await peer.start(peer.start_body(good, "0x1", order))) == "owner is not an address."
    assert await peer_jobs(peer, caller) == []


async def peer_jobs(peer: OperatorPeer, caller: Caller) -> list[dict[str, Any]]:
    """Unfinished ones."""
    jobs = (await peer.call("GET", peer.query(caller.address))).json()
    return [job for job in jobs if job["dateFinished"] is None]


async def test_one_unfinished_job_per_agreement(caller: Caller, pair: Pair, peer: OperatorPeer, dataset: DDO) -> None:
    order = await buy(caller, pair, dataset)
    document = workflow([(dataset, order)], SLEEP)
    bodies = [peer.start_body(document, caller.address, order) for _ in range(4)]
    answers = await asyncio.gather(*(peer.start(body) for body in bodies))
    assert sorted(answer.status_code for answer in answers) == [200, 400, 400, 400]
    (job,) = next(answer for answer in answers if answer.status_code == 200).json()
    assert "already in use for other job." in next(a for a in answers if a.status_code == 400).json()["error"]
    await peer.call("PUT", peer.query(caller.address, job["jobId"]))
    await finished(peer, caller.address, job["jobId"])
    second = await peer.start(peer.start_body(document, caller.address, order))
    assert second.status_code == 200, "after the end the agreement may be used again"
    await peer.call("DELETE", peer.query(caller.address, second.json()[0]["jobId"]))


async def test_orders_and_trust_are_verified_again(
    caller: Caller, pair: Pair, peer: OperatorPeer, dataset: DDO, files: FileServer
) -> None:
    """Whoever may call cannot use an order of somebody else, nor data whose publisher does not want it."""
    order = await buy(caller, pair, dataset)
    document = workflow([(dataset, order)], SLEEP)
    victim = await peer.start(peer.start_body(document, stranger.address, order))
    assert victim.json() == {"error": {"dataset.serviceId": "order_invalid"}}
    unpaid = "0x" + "17" * 32
    forged = await peer.start(peer.start_body(workflow([(dataset, unpaid)], SLEEP), caller.address, unpaid))
    assert forged.json() == {"error": {"dataset.serviceId": "order_invalid"}}
    elsewhere = await buy(caller, pair, dataset, environment=PAID)
    other = await peer.start(peer.start_body(workflow([(dataset, elsewhere)], SLEEP), caller.address, elsewhere))
    assert other.json() == {"error": {"dataset.serviceId": "order_invalid"}}
    closed = await pair.provider.publish(
        caller.network,
        files.urls["rain.csv"],
        service="compute",
        compute={"allowRawAlgorithm": False},
        flags=COMPRESSED,
    )
    refused_order = await buy(caller, pair, closed)
    told = await peer.start(peer.start_body(workflow([(closed, refused_order)], SLEEP), caller.address, refused_order))
    assert told.json() == {"error": {"dataset": "no_raw_algo_allowed"}}
    bare = {"index": 0, "id": dataset.id, "url": files.urls["rain.csv"]}
    without_order = workflow([(dataset, order)], SLEEP, input=[bare])
    answer = await peer.start(peer.start_body(without_order, caller.address, order))
    assert answer.json() == {"error": {"dataset": "remote_missing"}}


async def test_the_provider_must_be_the_datasets(caller: Caller, pair: Pair, dataset: DDO) -> None:
    """Another known provider cannot start jobs on its compute services."""
    order = await buy(caller, pair, dataset)
    async with OperatorPeer.open(pair.service.url, OTHER_PROVIDER) as other:
        answer = await other.start(other.start_body(workflow([(dataset, order)], SLEEP), caller.address, order))
    assert answer.json() == {"error": {"dataset.serviceId": "compute_services_not_in_same_provider"}}


async def test_the_paid_time_ends_the_job(caller: Caller, pair: Pair, peer: OperatorPeer, dataset: DDO) -> None:
    order = await buy(caller, pair, dataset)
    document = workflow([(dataset, order)], SLEEP)
    over = await peer.start(peer.start_body(document, caller.address, order, validUntil=int(time.time()) + 2))
    assert over.json() == {"error": {"order": "paid_time_over"}}
    soon = int(time.time()) + 20
    (job,) = (await peer.start(peer.start_body(document, caller.address, order, validUntil=soon))).json()
    done = await finished(peer, caller.address, job["jobId"])
    assert (done["status"], done["stopreq"]) == (70, 2)
    assert float(done["dateFinished"]) < soon + 60


# --- signature and nonce ---------------------------------------------------------------------------------------------


async def test_who_may_call(caller: Caller, pair: Pair, peer: OperatorPeer, dataset: DDO) -> None:
    owner = caller.address

    good = peer.query(owner)
    proof = bytes.fromhex(good["providerSignature"][2:])
    other_family = proof[:64] + bytes([(proof[64] + 27) % 54])
    for spelled in (proof, other_family):
        query = good | {"providerSignature": spelled.hex()}
        assert (await peer.call("GET", query)).status_code == 200
    for bad in ("", "0x", "zz", proof[:64].hex(), proof.hex() + "00"):
        assert refused(await peer.call("GET", peer.query(owner, providerSignature=bad)))
    async with OperatorPeer.open(pair.service.url, Account.create()) as nobody:
        assert refused(await nobody.call("GET", nobody.query(owner)), 401)
        order = "0x" + "17" * 32
        body = nobody.start_body(workflow([(dataset, order)], SLEEP), owner, order)
        assert refused(await nobody.start(body), 401)
    unsigned_nonce = peer.query(owner) | {"providerSignature": sign(owner, peer.key)}
    assert refused(await peer.call("GET", unsigned_nonce), 401)
    assert refused(await peer.call("GET", peer.query(owner, providerAddress=stranger.address)), 401)


async def test_nonces(caller: Caller, peer: OperatorPeer) -> None:
    """In any order within the window; the identical request again, nothing else with the same nonce."""
    owner, now = caller.address, time.time_ns()
    for nonce in (now, now - 10**9, now + 10**9, now // 10**6, f"{time.time():.4f}"):
        assert (await peer.call("GET", peer.query(owner, nonce=nonce))).status_code == 200, nonce
    again = peer.query(owner)
    assert [(await peer.call("GET", again)).status_code for _ in range(3)] == [200, 200, 200]
    assert refused(await peer.call("PUT", again), 401)
    assert refused(await peer.call("GET", again | {"agreementId": "0x" + "17" * 32}), 401)
    for old in (now - 400 * 10**9, now + 400 * 10**9, 5, "1.5"):
        assert refused(await peer.call("GET", peer.query(owner, nonce=old)), 401)
    for other in ("1e18", "9" * 80):  # well-formed, and not what was signed
        assert refused(await peer.call("GET", peer.query(owner) | {"nonce": other}), 401)
    for odd in ("", "x", "-1", "1e", "inf", "9" * 300):
        assert refused(await peer.call("GET", peer.query(owner) | {"nonce": odd}))


async def test_filters_must_be_there(caller: Caller, peer: OperatorPeer) -> None:
    assert "missing" in refused(await peer.call("GET", {"nonce": 1, "providerSignature": "0x00"}))
    for method in ("PUT", "DELETE"):
        for name in ("owner", "providerSignature", "nonce"):
            query = {key: value for key, value in peer.query(caller.address).items() if key != name}
            assert refused(await peer.call(method, query)) == f"{name} is missing."
    for index in ("x", "1.5", ""):
        answer = await peer.result(caller.address, "0" * 32, index)
        assert answer.status_code == 400
        assert answer.headers["content-disposition"] == "attachment;filename=error.json"
    for index in ("0", "-1", "99"):
        answer = await peer.result(caller.address, "0" * 32, index)
        assert (answer.status_code, answer.headers["content-disposition"]) == (404, "attachment;filename=error.json")


# --- environments, administration, absence ---------------------------------------------------------------------------


async def test_environments(peer: OperatorPeer) -> None:
    for query in ({"chainId": "8996"}, {"chain_id": "8996"}, {}):
        listed = (await peer.http.get("environments", params=query)).json()
        assert {one["id"] for one in listed} == {FREE, PAID}
        for one in listed:
            assert isinstance(one["priceMin"], int | float)
            assert checksum(one["consumerAddress"]) == one["consumerAddress"]
            assert "feeToken" not in one
    assert refused(await peer.http.get("environments", params={"chainId": "x"}))
    assert (await peer.http.get("")).json()["software"] == "Operator service"


async def test_administration(caller: Caller, pair: Pair, peer: OperatorPeer, dataset: DDO) -> None:
    job = await started(caller, pair, peer, dataset, SLEEP)
    for path in ("runningjobs", "list", "info", "logs"):
        assert refused(await peer.http.get(path, params={"jobId": job["jobId"]}))
        assert refused(await peer.http.get(path, headers={"admin": ADMIN["admin"].upper()}), 401)
    assert refused(await peer.http.post("pgsqlinit"))
    assert (await peer.http.post("pgsqlinit", headers=ADMIN)).content == b""
    (running,) = [
        one for one in (await peer.http.get("runningjobs", headers=ADMIN)).json() if one["jobId"] == job["jobId"]
    ]
    assert (running["namespace"], running["owner"], running["chainId"]) == (FREE, caller.address, 8996)
    assert job["jobId"] in (await peer.http.get("list", headers=ADMIN)).json()
    told = await peer.http.get("info", headers=ADMIN, params={"jobId": job["jobId"]})
    assert told.json()["name"] == job["jobId"]
    assert "job-spec" not in told.text
    algorithm = {"jobId": job["jobId"], "component": "algorithm"}
    async with asyncio.timeout(60):
        while (shown := await peer.http.get("logs", headers=ADMIN, params=algorithm)).status_code != 200:
            await asyncio.sleep(0.1)
    assert (shown.text.splitlines()[:1], shown.headers["content-type"]) == (["asleep"], "text/plain; charset=utf-8")
    await peer.call("PUT", peer.query(caller.address, job["jobId"]))
    await finished(peer, caller.address, job["jobId"])
    after = await peer.http.get("logs", headers=ADMIN, params=algorithm)
    assert after.text.startswith("asleep"), "also after the pod is gone"
    for query in ({"jobId": job["jobId"], "component": "x"}, {"jobId": job["jobId"]}):
        assert refused(await peer.http.get("logs", headers=ADMIN, params=query))
    assert refused(await peer.http.get("info", headers=ADMIN, params={"jobId": "0" * 32}), 404)


async def test_a_neighbour_that_is_away_is_nothing_to_repeat(pair: Pair, peer: OperatorPeer, caller: Caller) -> None:
    await pair.service.stop_part("argo")
    try:
        answer = await peer.call("GET", peer.query(caller.address))
        assert "does not answer" in refused(answer, 500)
    finally:
        await pair.service.start_part("argo")
        await pair.service.wait_ready()


async def test_without_known_providers_there_is_no_such_api(pair: Pair) -> None:
    """The provider itself has none configured."""
    async with httpx.AsyncClient(base_url=pair.provider.url, trust_env=False) as http:
        for path in ("", "environments", "compute", "getResult", "list"):
            assert (await http.get(f"/api/v1/operator/{path}")).status_code == 404
