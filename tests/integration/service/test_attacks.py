"""Attacks that worked on Ocean's Provider, mounted on the real contracts over HTTP. Each is refused, and the honest
request that differs from it in nothing but the forgery is accepted."""

from __future__ import annotations

import asyncio
import time
from decimal import Decimal
from typing import Any

import httpx
import pytest

from ocean.addresses import checksum
from ocean.ddo import DDO
from ocean.fees import fee_amount
from provider_api.deploy.file_server import FileServer
from tests.support.chain import Asset, Chain, mined_at, stranger
from tests.support.service import PAID, Buyer, Service
from tests.support.starts import Caller, claims, job_of, raw, reference, refusal, refused_orders

pytestmark = pytest.mark.integration
ORDER_INVALID = {"dataset.serviceId": "order_invalid"}
ALGORITHM_ORDER_INVALID = {"algorithm": "in_use_or_not_on_chain"}
PRICE = Decimal("0.1")  # of a minute in the paid environment
ONE = 10**18


@pytest.fixture
async def algorithm(buyer: Buyer, files: FileServer) -> DDO:
    return await buyer.publish(files.urls["algorithm.py"], kind="algorithm")


def require_refused(service: Service, answer: httpx.Response, error: object, reason: str) -> None:
    """Refused for this very reason, and nothing claimed."""
    assert refusal(answer) == error
    assert refused_orders(service)[-1] == reason


# --- 1, 2, 3: orders that nobody paid for ---------------------------------------------------------------------------


async def test_order_of_a_datatoken_of_the_attackers_own(
    service: Service, attacker: Caller, tricks: Chain, buyer: Buyer, open_dataset: DDO, algorithm: DDO
) -> None:
    own = await tricks.attackers_asset()
    quote = await attacker.offered(open_dataset)
    forged = reference(open_dataset, await tricks.order_of_own_token(own, quote))
    require_refused(service, await attacker.start([forged], raw()), ORDER_INVALID, "no_order")
    honest = await attacker.buy(open_dataset, quote)
    job_of(await attacker.start([honest], raw()))

    quote = attacker.quote(algorithm)
    forged = reference(algorithm, await tricks.order_of_own_token(own, quote))
    dataset = await attacker.buy(open_dataset)
    require_refused(service, await attacker.start([dataset], forged), ALGORITHM_ORDER_INVALID, "no_order")
    job_of(await attacker.start([dataset], await attacker.buy(algorithm, quote)))


async def test_invented_logs_in_the_paid_environment(
    service: Service, attacker: Caller, tricks: Chain, open_dataset: DDO
) -> None:
    quote = await attacker.offered(open_dataset, PAID)
    assert quote.amount > 0
    wealth = await attacker.ocean_balance()
    tx = await tricks.forged_order(Asset(open_dataset), quote, payer=attacker.address)
    forged = reference(open_dataset, tx)
    answer = await attacker.start([forged], raw(), environment=PAID)
    require_refused(service, answer, ORDER_INVALID, "no_order")
    assert await attacker.ocean_balance() == wealth

    honest = await attacker.buy(open_dataset, quote)
    job_of(await attacker.start([honest], raw(), environment=PAID))
    assert await attacker.ocean_balance() == wealth - quote.amount


async def test_reuse_of_an_order_of_something_else(
    service: Service, attacker: Caller, caller: Caller, tricks: Chain, open_dataset: DDO
) -> None:
    cheap = await tricks.attackers_asset()
    own_order = await tricks.order_of_own_token(cheap, attacker.quote(cheap.ddo))
    victims_order = (await caller.buy(open_dataset))["transferTxId"]
    attempts = {
        "another asset's": (own_order, "reuse_of_other_order"),
        "none at all": ("0x" + "17" * 32, "reuse_of_other_order"),
        "somebody else's": (victims_order, "reuse_by_stranger"),
    }
    for name, (order, reason) in attempts.items():
        reused = await attacker.renew(open_dataset, order)
        answer = await attacker.start([reused], raw())
        assert refusal(answer) == ORDER_INVALID, name
        assert refused_orders(service)[-1] == reason, name

    honest = await attacker.renew(open_dataset, await attacker.buy(open_dataset))
    assert job_of(await attacker.start([honest], raw()))["agreementId"] == honest["transferTxId"]


# --- 4, 5, 6: orders that have been paid for, but not for this -------------------------------------------------------


async def test_reuse_does_not_renew_the_time_of_the_purchase(
    service: Service, caller: Caller, buyer: Buyer, files: FileServer
) -> None:
    dataset = await buyer.publish(files.urls["rain.csv"], compute={"allowRawAlgorithm": True}, timeout=8)
    order = await caller.buy(dataset)
    in_time = await caller.renew(dataset, order)
    job_of(await caller.start([in_time], raw()))

    await caller.until_over(await mined_at(caller.network, order["transferTxId"]) + 8.01)
    for stale in (await caller.renew(dataset, order), await caller.renew(dataset, in_time)):
        require_refused(service, await caller.start([stale], raw()), ORDER_INVALID, "order_expired")


async def test_one_order_backs_one_job_at_a_time(service: Service, caller: Caller, open_dataset: DDO) -> None:
    order = await caller.buy(open_dataset)
    agreement = order["transferTxId"]
    in_use = f"agreementId {agreement} is already in use for other job."
    first_nonce = await caller.next_nonce()
    crowd = [caller.request([order], raw("sleep 600"), first_nonce + more) for more in range(4)]
    answers = await asyncio.gather(*(caller.send(request) for request in crowd))
    (running,) = [job_of(answer) for answer in answers if answer.status_code == 200]

    spellings = (agreement, agreement.upper(), agreement[2:], "0x" + agreement[2:].upper())
    for tx in spellings:
        assert refusal(await caller.start([{**order, "transferTxId": tx}], raw())) == in_use
    second = caller.request([order], raw(), await caller.next_nonce() + 1)
    assert refusal(await caller.send(second)) == in_use
    assert [job["jobId"] for job in await caller.jobs(agreementId=agreement)] == [running["jobId"]]

    await caller.stop(running["jobId"])
    await caller.finished(running["jobId"])
    assert job_of(await caller.send(second))["agreementId"] == agreement
    assert claims(service)[running["jobId"]] == "closed"


async def test_a_fee_pays_once_at_a_time_wherever_its_order_stands(
    caller: Caller, buyer: Buyer, files: FileServer, open_dataset: DDO
) -> None:
    other = await buyer.publish(files.urls["wind.csv"], compute={"allowRawAlgorithm": True})
    paid = await caller.buy(open_dataset, caller.quote(open_dataset, environment=PAID, amount=2 * ONE))
    unpaid = await caller.buy(other, caller.quote(other, environment=PAID))
    running = job_of(await caller.start([paid], raw("sleep 600"), environment=PAID))
    request = await caller.fresh([unpaid, paid], raw(), environment=PAID)
    assert "already in use for other job" in refusal(await caller.send(request))
    job_of(await caller.stop(running["jobId"]))
    await caller.finished(running["jobId"])
    job_of(await caller.start([unpaid, paid], raw(), environment=PAID))


async def test_algorithm_orders_of_another_environment_or_long_over(
    service: Service, caller: Caller, open_dataset: DDO, algorithm: DDO
) -> None:
    dataset = await caller.buy(open_dataset, caller.quote(open_dataset, environment=PAID))
    now = time.time()
    honest = {"environment": PAID, "amount": 2 * ONE}
    forgeries: dict[str, dict[str, Any]] = {
        "environment_mismatch": {"environment": "ocean-compute"},
        "fee_expired": {"valid_until": int(now) - 100_000, "now": now - 100_600},
    }
    for reason, change in forgeries.items():
        order = await caller.buy(algorithm, caller.quote(algorithm, **(honest | change)))
        answer = await caller.start([dataset], order, environment=PAID)
        require_refused(service, answer, ALGORITHM_ORDER_INVALID, reason)
    order = await caller.buy(algorithm, caller.quote(algorithm, **honest))
    job_of(await caller.start([dataset], order, environment=PAID))


# --- 7, 8: requests that somebody has overheard ----------------------------------------------------------------------


@pytest.mark.parametrize("kind", [int, str])
async def test_replay_of_an_overheard_start(caller: Caller, open_dataset: DDO, kind: type) -> None:
    order, further = await caller.buy(open_dataset), await caller.buy(open_dataset)
    overheard = caller.request([order], raw(), kind(await caller.next_nonce()))
    job = job_of(await caller.send(overheard))
    await caller.finished(job["jobId"])
    before = len(await caller.jobs())

    assert job_of(await caller.send(overheard))["jobId"] == job["jobId"]
    for change in ({"algorithm": raw("curl evil")}, {"dataset": further}, {"environment": PAID}):
        assert "expected nonce" in refusal(await caller.send(overheard | change))["signature"]
    assert len(await caller.jobs()) == before

    again = caller.request([order], raw(), kind(await caller.next_nonce()))
    assert job_of(await caller.send(again))["jobId"] != job["jobId"]


async def test_another_spelling_of_the_address_has_the_same_nonces(caller: Caller, open_dataset: DDO) -> None:
    order = await caller.buy(open_dataset)
    stored = await caller.next_nonce()
    job_of(await caller.send(caller.request([order], raw(), stored)))
    further = await caller.buy(open_dataset)
    lower, upper = caller.address.lower(), caller.address.upper()
    for spelling in (lower, upper, "0x" + upper[2:], caller.address.swapcase()):
        assert await caller.nonce(spelling) == str(stored)
        for nonce in (1, stored):
            answer = await caller.send(caller.request([further], raw(), nonce, address=spelling))
            text = f"Invalid signature expected nonce ({stored}) > current nonce ({nonce})."
            assert refusal(answer) == {"signature": text}, spelling
    job = job_of(await caller.start([further], raw(), address=upper))
    assert (checksum(job["owner"].lower()), job["owner"]) == (caller.address, upper)
    assert job["jobId"] in {found["jobId"] for found in await caller.jobs()}


# --- what else could be had for nothing ------------------------------------------------------------------------------


async def test_days_of_a_fee_are_not_free(caller: Caller, open_dataset: DDO) -> None:
    """Ocean Provider's own arithmetic forgets whole days, so it would have sold this order."""
    seconds = 3 * 86_400 + 60
    details: dict[str, Any] = {"environment": PAID, "valid_until": int(time.time()) + seconds}
    cheap = await caller.buy(open_dataset, caller.quote(open_dataset, amount=fee_amount(PRICE, 60, 18), **details))
    answer = await caller.start([cheap], raw(), environment=PAID)
    assert refusal(answer) == {"order": "fees_not_paid"}
    dear = await caller.buy(open_dataset, caller.quote(open_dataset, amount=fee_amount(PRICE, seconds, 18), **details))
    job_of(await caller.start([dear], raw(), environment=PAID))


async def test_two_halves_of_a_fee_are_not_one(
    caller: Caller, buyer: Buyer, files: FileServer, open_dataset: DDO
) -> None:
    other = await buyer.publish(files.urls["wind.csv"], compute={"allowRawAlgorithm": True})
    half = {"environment": PAID, "amount": fee_amount(PRICE, 300, 18)}
    orders = [await caller.buy(asset, caller.quote(asset, **half)) for asset in (open_dataset, other)]
    assert refusal(await caller.start(orders, raw(), environment=PAID)) == {"order": "fees_not_paid"}
    whole = caller.quote(other, environment=PAID, amount=fee_amount(PRICE, 600, 18))
    job_of(await caller.start([orders[0], await caller.buy(other, whole)], raw(), environment=PAID))


async def test_only_true_allows_raw_algorithms(caller: Caller, buyer: Buyer, files: FileServer) -> None:
    forbidden = {"dataset": "no_raw_algo_allowed"}
    values: list[Any] = [None, 0, 1, "false", "true", False, [], {}]
    for value in values:
        dataset = await buyer.publish(files.urls["rain.csv"], compute={"allowRawAlgorithm": value})
        order = await caller.buy(dataset)
        assert refusal(await caller.start([order], raw())) == forbidden, value
        assert refusal(await caller.initialize([order], raw())) == forbidden, value
    dataset = await buyer.publish(files.urls["rain.csv"], compute={"allowRawAlgorithm": True})
    job_of(await caller.start([await caller.buy(dataset)], raw()))


async def test_the_consumer_of_an_order_is_the_environment(service: Service, caller: Caller, open_dataset: DDO) -> None:
    """The environment could not download with an order whose consumer is somebody else."""
    for somebody in (caller.address, stranger.address):
        order = await caller.buy(open_dataset, to=somebody)
        require_refused(service, await caller.start([order], raw()), ORDER_INVALID, "consumer_mismatch")
    job_of(await caller.start([await caller.buy(open_dataset)], raw()))


async def test_an_order_is_of_use_to_its_payer_only(
    service: Service, caller: Caller, attacker: Caller, open_dataset: DDO
) -> None:
    order = await caller.buy(open_dataset)
    require_refused(service, await attacker.start([order], raw()), ORDER_INVALID, "sender_mismatch")
    job_of(await caller.start([order], raw()))


async def test_files_copied_into_a_document_of_the_attackers_own(
    caller: Caller, buyer: Buyer, files: FileServer
) -> None:
    """Encrypted files of a 4.0.0 document are bound to no asset: whoever sees them could publish them as his own."""
    unbound = await buyer.publish(files.urls["rain.csv"], compute={"allowRawAlgorithm": True}, version="4.0.0")
    answer = await caller.start([await caller.buy(unbound)], raw())
    assert refusal(answer) == {"dataset.serviceId": "compute_services_not_in_same_provider"}
    bound = await buyer.publish(files.urls["rain.csv"], compute={"allowRawAlgorithm": True}, version="4.1.0")
    job_of(await caller.start([await caller.buy(bound)], raw()))
