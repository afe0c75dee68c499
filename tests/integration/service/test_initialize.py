"""initializeCompute: its three answers per item, and that whoever follows them is let in."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest

from ocean.chain.publishing import mint
from ocean.ddo import DDO
from ocean.fees import Quote, fee_amount, quote_signer, read_provider_data
from ocean.purchase import Wish, order_all
from provider_api.deploy.file_server import FileServer
from tests.support.chain import environment, provider, publisher
from tests.support.service import FREE, PAID, Buyer, Service
from tests.support.stages import until
from tests.support.starts import Caller, Reference, job_of, raw, reference, refusal

pytestmark = pytest.mark.integration
ONE = 10**18


@pytest.fixture
async def algorithm(buyer: Buyer, files: FileServer) -> DDO:
    return await buyer.publish(files.urls["algorithm.py"], kind="algorithm")


@pytest.fixture
async def second(buyer: Buyer, files: FileServer) -> DDO:
    return await buyer.publish(files.urls["wind.csv"], compute={"allowRawAlgorithm": True})


async def answers(
    caller: Caller, datasets: list[Reference], algorithm: dict[str, Any], **more: Any
) -> list[dict[str, Any]]:
    """Datasets, then the published algorithm."""
    answer = await caller.initialize(datasets, algorithm, **more)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert answer.text == json.dumps(body, sort_keys=True, separators=(",", ":")) + "\n"
    assert list(body) == (["datasets"] if "meta" in algorithm else ["algorithm", "datasets"])
    return [*body["datasets"], *([body["algorithm"]] if "algorithm" in body else [])]


async def follow(caller: Caller, assets: list[DDO], told: list[dict[str, Any]]) -> list[Reference]:
    """Do what the answers ask for."""
    followed = []
    for asset, answer in zip(assets, told, strict=True):
        if "providerFee" in answer and "validOrder" not in answer:
            await mint(caller.network, publisher, answer["datatoken"], caller.address)
        wish = Wish(asset, asset.services[0].id)
        (ordered,) = await order_all(caller.network, caller.key, environment.address, [wish], [answer])
        followed.append(reference(asset, ordered["transferTxId"]))
    return followed


async def test_first_purchase_in_the_paid_environment(
    caller: Caller, open_dataset: DDO, second: DDO, algorithm: DDO
) -> None:
    assets = [open_dataset, second, algorithm]
    valid_until = int(time.time()) + 599
    asked = [reference(asset) for asset in assets]
    told = await answers(caller, asked[:2], asked[2], environment=PAID, valid_until=valid_until)

    for asset, answer in zip(assets, told, strict=True):
        assert list(answer) == ["datatoken", "nonce", "providerFee"]
        assert answer["datatoken"] == asset.services[0].datatoken_address
        quote = Quote.from_json(answer["providerFee"])
        assert quote_signer(quote) == quote.fee_address == provider.address
        data = read_provider_data(quote.provider_data)
        assert (data.environment, data.datatoken, data.service_id) == (PAID, answer["datatoken"], "main")
        assert (quote.valid_until, quote.fee_token) == (valid_until, caller.network.ocean)
        carries = answer is told[0]
        seconds = valid_until - int(data.timestamp)
        assert quote.amount == (fee_amount(Decimal("0.1"), seconds, 18) if carries else 0)
        assert list(answer["providerFee"]) == sorted(answer["providerFee"])
        assert isinstance(answer["providerFee"]["providerFeeAmount"], str)

    *datasets, algorithm_order = await follow(caller, assets, told)
    job = job_of(await caller.start(datasets, algorithm_order, environment=PAID))
    assert (job["agreementId"], job["validUntil"]) == (datasets[0]["transferTxId"], valid_until)


async def test_a_valid_order_needs_nothing(caller: Caller, open_dataset: DDO, algorithm: DDO) -> None:
    now = int(time.time())
    dataset = await caller.buy(open_dataset, caller.quote(open_dataset, environment=PAID, amount=2 * ONE))
    bought = await caller.buy(algorithm, caller.quote(algorithm, environment=PAID))
    told = await answers(caller, [dataset], bought, environment=PAID, valid_until=now + 500)
    assert [list(answer) for answer in told] == [["datatoken", "nonce", "validOrder"]] * 2
    assert [(answer["datatoken"], answer["validOrder"]) for answer in told] == [
        (open_dataset.services[0].datatoken_address, dataset["transferTxId"]),
        (algorithm.services[0].datatoken_address, bought["transferTxId"]),
    ]
    job_of(await caller.start([dataset], bought, environment=PAID))


async def test_an_order_is_renewed_and_the_renewal_counts(caller: Caller, open_dataset: DDO) -> None:
    """Ocean Provider answers the purchase where the renewal is meant, and refuses a start that follows it."""
    order = await caller.buy(open_dataset, caller.quote(open_dataset, environment=PAID, amount=2 * ONE))
    longer = int(time.time()) + 700
    (told,) = await answers(caller, [order], raw(), environment=PAID, valid_until=longer + 20)
    assert list(told) == ["datatoken", "nonce", "providerFee", "validOrder"]
    assert told["validOrder"] == order["transferTxId"]
    (renewed,) = await follow(caller, [open_dataset], [told])
    tx = renewed["transferTxId"]
    assert tx != order["transferTxId"]

    (kept,) = await answers(caller, [renewed], raw(), environment=PAID, valid_until=longer)
    assert (kept["validOrder"], "providerFee" in kept) == (tx, False)
    (again,) = await answers(caller, [renewed], raw(), environment=PAID, valid_until=longer + 50)
    assert again["validOrder"] == order["transferTxId"]  # the contract wants the purchase
    job = job_of(await caller.start([renewed], raw(), environment=PAID))
    assert (job["agreementId"], job["validUntil"]) == (tx, longer + 20)


async def test_an_order_whose_fee_is_over(caller: Caller, open_dataset: DDO, algorithm: DDO) -> None:
    now = time.time()
    over = {"environment": PAID, "valid_until": int(now) - 1000, "now": now - 1600}
    dataset = await caller.buy(open_dataset, caller.quote(open_dataset, amount=ONE, **over))
    bought = await caller.buy(algorithm, caller.quote(algorithm, **over))
    assert refusal(await caller.start([dataset], bought, environment=PAID)) == {"dataset.serviceId": "order_invalid"}

    told = await answers(caller, [dataset], bought, environment=PAID)
    assert [answer["validOrder"] for answer in told] == [dataset["transferTxId"], bought["transferTxId"]]
    amounts = [int(answer["providerFee"]["providerFeeAmount"]) for answer in told]
    assert (amounts[0] > 0, amounts[1]) == (True, 0)
    followed = await follow(caller, [open_dataset, algorithm], told)
    job_of(await caller.start(followed[:1], followed[1], environment=PAID))


async def test_valid_orders_that_never_carried_the_fee(caller: Caller, open_dataset: DDO, algorithm: DDO) -> None:
    """Ocean Provider asks for nothing then, and refuses the start."""
    dataset = await caller.buy(open_dataset, caller.quote(open_dataset, environment=PAID))
    bought = await caller.buy(algorithm, caller.quote(algorithm, environment=PAID))
    assert refusal(await caller.start([dataset], bought, environment=PAID)) == {"order": "fees_not_paid"}
    told = await answers(caller, [dataset], bought, environment=PAID, valid_until=time.time() + 300)
    assert ["providerFee" in answer for answer in told].count(False) == 1
    followed = await follow(caller, [open_dataset, algorithm], told)
    job_of(await caller.start(followed[:1], followed[1], environment=PAID))


async def test_orders_that_are_of_no_use_are_bought_anew(caller: Caller, open_dataset: DDO) -> None:
    useless = {
        "unknown": reference(open_dataset, "0x" + "42" * 32),
        "no hash": reference(open_dataset, "0x42"),
        "for another environment": await caller.buy(open_dataset, caller.quote(open_dataset, environment=PAID)),
        "of another consumer": await caller.buy(open_dataset, to=caller.address),
    }
    for name, order in useless.items():
        (told,) = await answers(caller, [order], raw())
        assert list(told) == ["datatoken", "nonce", "providerFee"], name


async def test_too_large_a_job_is_not_sold(caller: Caller, open_dataset: DDO, algorithm: DDO) -> None:
    """Documents, code and parameters, whichever of them is too much; the start says the same."""
    code = raw()
    code["meta"]["rawcode"] = secrets.token_hex(80_000)
    parameters = {**reference(algorithm), "algocustomdata": {"weights": secrets.token_hex(80_000)}}
    for too_much in (code, parameters):
        said = refusal(await caller.initialize([reference(open_dataset)], too_much))
        assert list(said) == ["algorithm"]
        assert said["algorithm"].startswith("job_too_large: ")
    said = refusal(await caller.start([await caller.buy(open_dataset)], code))
    assert said["algorithm"].startswith("job_too_large: ")


@pytest.fixture
async def narrow(service: Service, caller: Caller) -> AsyncIterator[str]:
    """An environment like the free one that takes one job and lets none wait."""
    like = next(path for path in service.folder.templates.glob("*.yaml") if path.stem.endswith(FREE))
    text = like.read_text()
    for old, new in (
        (f"name: {FREE}\n", "name: narrow\n"),
        (f"environment: {FREE}\n", "environment: narrow\n"),
        (f"value: {FREE}\n", "value: narrow\n"),
        ("max-jobs: '4'", "max-jobs: '1'"),
        ("max-queued-jobs: '50'", "max-queued-jobs: '0'"),
    ):
        assert old in text
        text = text.replace(old, new)
    added = like.with_name("narrow.yaml")

    async def is_offered() -> bool:
        listed = (await caller.http.get("/api/services/computeEnvironments")).json()
        return "narrow" in [one["id"] for one in listed[str(caller.network.chain_id)]]

    added.write_text(text)
    await until(is_offered, "it is offered")
    yield "narrow"
    added.unlink()

    async def is_gone() -> bool:
        return not await is_offered()

    await until(is_gone, "it is not offered any more")


async def test_where_there_is_no_room_nothing_is_sold(caller: Caller, open_dataset: DDO, narrow: str) -> None:
    quote = caller.quote(open_dataset, environment=narrow)
    first, second = await caller.buy(open_dataset, quote), await caller.buy(open_dataset, quote)
    job = job_of(await caller.start([first], raw("exec sleep 60"), environment=narrow))
    full = {"environment": "queue_full"}
    assert refusal(await caller.initialize([reference(open_dataset)], raw(), environment=narrow)) == full
    assert refusal(await caller.start([second], raw(), environment=narrow)) == full

    job_of(await caller.delete(job["jobId"]))
    await answers(caller, [reference(open_dataset)], raw(), environment=narrow)
    done = await caller.finished(job_of(await caller.start([second], raw(), environment=narrow))["jobId"])
    assert (done["status"], done["environment"]) == (70, narrow)


async def test_refusals(caller: Caller, open_dataset: DDO, algorithm: DDO) -> None:
    dataset, now = reference(open_dataset), time.time()
    period = "The validUntil value is not correct."
    for end in (now - 5, now + 30 * 86_400):
        assert refusal(await caller.initialize([dataset], raw(), valid_until=end)).startswith(period)
    nowhere = "Compute environment does not exist"
    assert refusal(await caller.initialize([dataset], raw(), environment="nowhere")) == nowhere
    no_algorithm = "DID is not a valid algorithm"
    assert refusal(await caller.initialize([dataset], reference(open_dataset))) == no_algorithm
    unknown = {"documentId": "did:op:" + "00" * 32, "serviceId": "main"}
    assert refusal(await caller.initialize([unknown], raw())) == {"dataset.documentId": "did_not_found"}
    assert refusal(await caller.initialize([dataset, unknown], raw())) == {"datasets[1].documentId": "did_not_found"}
    assert refusal(await caller.initialize([dataset], unknown)) == {"algorithm.documentId": "did_not_found"}
    no_service = {"documentId": algorithm.id}
    assert refusal(await caller.initialize([dataset], no_service)) == {"algorithm.serviceId": "missing"}

    required = {"datasets": ["The datasets field is required."]}
    assert refusal(await caller.initialize([], raw())) == required
    errors = refusal(await caller.http.post("/api/services/initializeCompute", json={"algorithm": {}}))
    assert set(errors) == {
        *("datasets", "algorithm.documentId", "algorithm.meta", "compute.env", "compute.validUntil", "consumerAddress")
    }
    text = ["The compute.validUntil must be an integer."]
    compute = {"env": FREE, "validUntil": "1.5"}
    assert refusal(await caller.initialize([dataset], raw(), compute=compute)) == {"compute.validUntil": text}
