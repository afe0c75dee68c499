"""Jobs with data and algorithms of another provider: a second API process with a key of its own, on the same chain."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from ocean.chain.development import account
from ocean.chain.metadata import COMPRESSED
from ocean.client import Consumer
from ocean.ddo import DDO
from ocean.fees import Quote, make_quote, quote_signer
from provider_api.deploy.file_server import FileServer
from tests.support.chain import consumer, environment, stranger
from tests.support.chain import provider as our_key
from tests.support.second_provider import SecondProvider
from tests.support.service import FREE, PAID, Buyer, Service
from tests.support.starts import Caller, claims, job_of, raw, reference, refusal, refused_orders

pytestmark = pytest.mark.integration

UNAVAILABLE = {"datasets[1].serviceId": "remote_provider_unavailable"}
ORDER_INVALID = {"datasets[1].serviceId": "order_invalid"}
READS_ALL = "find $INPUTS -name 0 | sort | xargs cat > $OUTPUTS/all"


@pytest.fixture(scope="module")
def second(tmp_path_factory: pytest.TempPathFactory, files: FileServer) -> Iterator[tuple[Service, SecondProvider]]:
    """Our service, and the other provider beside it."""
    folder = tmp_path_factory.mktemp("other")
    with SecondProvider(folder / "second", allow_private=[files.address]) as other:
        allowed = [files.address, other.address]
        with Service(folder / "first", allow_private=allowed) as service:
            other.start(service)
            yield service, other
            other.stop()


@pytest.fixture
def service(second: tuple[Service, SecondProvider]) -> Service:
    """Instead of the one that the other modules share: jobs may download from the other provider."""
    return second[0]


@pytest.fixture
def other(second: tuple[Service, SecondProvider]) -> SecondProvider:
    return second[1]


@pytest.fixture
async def caller(service: Service) -> AsyncIterator[Caller]:
    async with Caller.open(service, account(6)) as opened:
        yield opened


@pytest.fixture
async def main(buyer: Buyer, files: FileServer) -> DDO:
    """Our own compute dataset, which takes any algorithm."""
    return await buyer.publish(files.urls["rain.csv"], compute={"allowRawAlgorithm": True})


@pytest.fixture
async def wind(buyer: Buyer, other: SecondProvider, files: FileServer) -> DDO:
    """A dataset of the other provider. Its document can be read without that one."""
    return await other.publish(buyer.network, files.urls["wind.csv"], flags=COMPRESSED)


def quote(caller: Caller, asset: DDO, key: Any, **changes: Any) -> Quote:
    """For a download, as providers make it."""
    details: dict[str, Any] = {
        "environment": None,
        "datatoken": asset.services[0].datatoken_address,
        "service_id": asset.services[0].id,
        "fee_token": caller.network.ocean,
        "amount": 0,
        "valid_until": 0,
        "now": time.time(),
    }
    return make_quote(key, **(details | changes))


async def test_data_and_algorithm_of_another_provider(
    buyer: Buyer, other: SecondProvider, files: FileServer, main: DDO, wind: DDO, tmp_path: Path
) -> None:
    """Ask us what to buy, buy it, start: as for assets that are all ours."""
    algorithm = await other.publish(buyer.network, files.urls["algorithm.py"], kind="algorithm")
    ordered, ordered_algorithm = await buyer.order([main, wind], algorithm)
    started = await buyer.consumer.start(await buyer.consumer.start_request(FREE, ordered, ordered_algorithm))
    assert started["agreementId"] == ordered[0]["transferTxId"]

    job = await buyer.finished(started["jobId"])
    assert (job["status"], job["exitCode"]) == (70, 0), job
    assert job["inputDID"] == [main.id, wind.id]
    seen = json.loads(await buyer.result(job, "seen.json", tmp_path))
    for asset in (main, wind):
        assert f"{asset.id.removeprefix('did:op:')}/0" in seen["inputs"]
    log = await buyer.result(job, "configure.log", tmp_path)
    assert other.address.encode() not in log


async def test_what_must_be_ordered_there(caller: Caller, other: SecondProvider, main: DDO, wind: DDO) -> None:
    answer = (await caller.initialize([reference(main), reference(wind)], raw())).json()
    ours, theirs = (Quote.from_json(entry["providerFee"]) for entry in answer["datasets"])
    assert quote_signer(ours) == our_key.address
    assert quote_signer(theirs) == theirs.fee_address == other.key.address
    assert (theirs.amount, theirs.valid_until) == (0, 0)

    bought = await caller.buy(wind, theirs)
    again = (await caller.initialize([reference(main), bought], raw())).json()
    assert again["datasets"][1]["validOrder"] == bought["transferTxId"]


async def test_a_trusted_algorithm_is_one_with_the_bytes_that_were_trusted(
    buyer: Buyer, other: SecondProvider, files: FileServer
) -> None:
    algorithm = await other.publish(buyer.network, files.urls["algorithm.py"], kind="algorithm")
    async with Consumer(other.url, consumer) as client:
        asked = {"did": algorithm.id, "serviceId": algorithm.services[0].id, "checksum": True}
        told = (await client.call("fileinfo", body=asked))[0]["checksum"]
    for checksum, expected in ((told, 200), ("0" * 64, 400)):
        entry = {"did": algorithm.id, "filesChecksum": checksum, "containerSectionChecksum": ""}
        dataset = await buyer.publish(files.urls["rain.csv"], compute={"publisherTrustedAlgorithms": [entry]})
        async with Caller.open(buyer.service, account(6)) as caller:
            answer = await caller.initialize([reference(dataset)], reference(algorithm))
        assert answer.status_code == expected, answer.text
        if expected == 400:
            assert refusal(answer) == {"dataset": "algorithm_file_checksum_mismatch"}


async def test_orders_that_the_other_provider_would_not_take(
    service: Service, caller: Caller, other: SecondProvider, main: DDO, wind: DDO
) -> None:
    """Signed by a third party, by us, in the other's name; bought for the consumer instead of the environment."""
    paid = await caller.buy(main)
    theirs, of_stranger = quote(caller, wind, other.key), quote(caller, wind, stranger)
    bought = {
        "foreign_fee": [await caller.buy(wind, of_stranger), await caller.buy(wind, quote(caller, wind, our_key))],
        "consumer_mismatch": [await caller.buy(wind, theirs, to=caller.address)],
    }
    before = claims(service)
    for reason, orders in bought.items():
        for order in orders:
            assert refusal(await caller.start([paid, order], raw())) == ORDER_INVALID
            assert refused_orders(service)[-1] == reason
    assert claims(service) == before

    good = await caller.buy(wind, theirs)
    job = await caller.finished(job_of(await caller.start([paid, good], raw(READS_ALL)))["jobId"])
    assert job["status"] == 70


async def test_while_the_other_provider_is_away(
    service: Service, caller: Caller, other: SecondProvider, main: DDO, wind: DDO
) -> None:
    paid, bought = await caller.buy(main), await caller.buy(wind, quote(caller, wind, other.key))
    before = claims(service)
    request = await caller.fresh([paid, bought], raw(READS_ALL))
    other.stop()
    try:
        assert refusal(await caller.initialize([reference(main), reference(wind)], raw())) == UNAVAILABLE
        assert refusal(await caller.send(request)) == UNAVAILABLE
        assert claims(service) == before
    finally:
        other.start(service)
    async with asyncio.timeout(60):  # its absence is remembered for a moment
        while (answer := await caller.send(request)).status_code == 400:
            assert refusal(answer) == UNAVAILABLE
            await asyncio.sleep(0.5)
    assert (await caller.finished(job_of(answer)["jobId"]))["status"] == 70


async def test_jobs_at_the_same_time_share_the_environments_account(
    service: Service, buyer: Buyer, other: SecondProvider, files: FileServer, main: DDO, wind: DDO
) -> None:
    """Their pods overtake each other's nonces at the other provider, and all come through."""
    theirs = [wind, await other.publish(buyer.network, files.urls["wind.csv"])]
    async with AsyncExitStack() as stack:
        callers = [await stack.enter_async_context(Caller.open(service, account(n))) for n in (6, 7)]
        requests = []
        for one in callers:
            orders = [await one.buy(main), *[await one.buy(asset, quote(one, asset, other.key)) for asset in theirs]]
            requests.append(await one.fresh(orders, raw(READS_ALL)))
        answers = await asyncio.gather(*(one.send(request) for one, request in zip(callers, requests, strict=True)))
        for one, answer in zip(callers, answers, strict=True):
            job = await one.finished(job_of(answer)["jobId"])
            assert job["status"] == 70, job
            entry = next(i for i, result in enumerate(job["results"]) if result["filename"] == "all")
            content = (await one.result(job["jobId"], entry)).text
            assert content.count("kmh") == len(theirs)
            assert content.count("mm") == 1


async def test_an_order_there_does_not_pay_here(caller: Caller, other: SecondProvider, main: DDO, wind: DDO) -> None:
    """However much was paid to the other provider, and whatever its fee says it is for."""
    unpaid = await caller.buy(main, caller.quote(main, environment=PAID))
    end = int(time.time()) + 600
    rich = quote(caller, wind, other.key, environment=PAID, amount=100 * 10**18, valid_until=end)
    bought = await caller.buy(wind, rich)
    assert refusal(await caller.start([unpaid, bought], raw(), environment=PAID)) == {"order": "fees_not_paid"}

    answer = (await caller.initialize([unpaid, bought], raw(), environment=PAID)).json()
    assert int(answer["datasets"][0]["providerFee"]["providerFeeAmount"]) > 0
    assert answer["datasets"][1]["validOrder"] == bought["transferTxId"]
    renewed = await caller.renew(main, unpaid, Quote.from_json(answer["datasets"][0]["providerFee"]))
    started = job_of(await caller.start([renewed, bought], raw(), environment=PAID))
    assert started["agreementId"] == renewed["transferTxId"]


async def test_compute_services_there_stay_there(
    buyer: Buyer, caller: Caller, other: SecondProvider, files: FileServer, main: DDO
) -> None:
    compute = await other.publish(buyer.network, files.urls["wind.csv"], service="compute")
    refused = "compute_services_not_in_same_provider"
    answer = await caller.initialize([reference(compute)], raw())
    assert refusal(answer) == {"dataset.serviceId": refused}
    answer = await caller.initialize([reference(main), reference(compute)], raw())
    assert refusal(answer) == {"datasets[1].serviceId": refused}


async def test_credentials_must_let_the_environment_in(
    buyer: Buyer, caller: Caller, other: SecondProvider, files: FileServer, main: DDO
) -> None:
    """The other provider sees only the environment, and so it is said before anybody pays."""
    only_me = {"allow": [{"type": "address", "values": [caller.address]}], "deny": []}
    closed = await other.publish(buyer.network, files.urls["wind.csv"], credentials=only_me)
    text = f"Error: Access to asset {closed.id} was denied with code: ConsumableCodes.CREDENTIAL_NOT_IN_ALLOW_LIST."
    assert refusal(await caller.initialize([reference(main), reference(closed)], raw())) == {"datasets[1]": text}
    both = {"allow": [{"type": "address", "values": [caller.address, environment.address]}], "deny": []}
    opened = await other.publish(buyer.network, files.urls["wind.csv"], credentials=both)
    assert (await caller.initialize([reference(main), reference(opened)], raw())).status_code == 200
