"""initializeCompute: its answers, their fees, and that a start which follows them is accepted."""

import time
from typing import Any

import pytest

from ocean.fees import Quote, quote_signer, read_provider_data
from tests.support import provider_facts as facts
from tests.support.provider_neighbours import FREE, PAID, World

pytestmark = pytest.mark.unit

URL = "/api/services/initializeCompute"


def body(
    world: World, *datasets: dict[str, Any], env: str = FREE, seconds: int = 600, **changes: Any
) -> dict[str, Any]:
    return {
        "datasets": list(datasets),
        "algorithm": {"meta": dict(facts.raw().meta or {})},
        "compute": {"env": env, "validUntil": int(time.time()) + seconds},
        "consumerAddress": world.consumer.address,
    } | changes


async def asked(world: World, *datasets: dict[str, Any], **more: Any) -> Any:
    answer = await world.http.post(URL, json=body(world, *datasets, **more))
    assert answer.status_code == 200, answer.text
    return answer.json()


def item(world: World, number: int = 0, order: str = "", **more: Any) -> dict[str, Any]:
    entry = {"documentId": world.publish(number), "serviceId": "svc"} | more
    return entry | ({"transferTxId": order} if order else {})


def still_paid(tx: str, nonce: str | None = None) -> dict[str, Any]:
    return {"datatoken": facts.TOKEN, "nonce": nonce, "validOrder": tx}


async def test_every_part_of_the_answer_names_datatoken_and_nonce(world: World) -> None:
    """Clients find the answer that belongs to an asset by its datatoken, whichever of the three it is."""
    assert (await world.start(world.start_body(41))).status_code == 200
    now = int(time.time())
    paid, over = world.order(), world.order(valid_until=now - 50)
    answer = await asked(world, item(world, order=paid), item(world, 1, order=over), item(world, 2))
    kinds = [{"validOrder"}, {"providerFee", "validOrder"}, {"providerFee"}]
    assert [set(entry) - {"datatoken", "nonce"} for entry in answer["datasets"]] == kinds
    assert [(entry["datatoken"], entry["nonce"]) for entry in answer["datasets"]] == [(facts.TOKEN, "41")] * 3


async def test_new_orders(world: World) -> None:
    answer = await asked(world, item(world), item(world, 1), env=PAID)
    assert list(answer) == ["datasets"], "a raw algorithm needs no order"
    first, second = (Quote.from_json(entry["providerFee"]) for entry in answer["datasets"])
    assert set(answer["datasets"][0]) == {"datatoken", "nonce", "providerFee"}
    per_second = int(2.5 * 10**18) // 60
    assert 597 * per_second <= first.amount <= int(2.5 * 10**18) * 600 // 60
    assert second.amount == 0
    assert first.valid_until == second.valid_until
    for quote in (first, second):
        assert quote_signer(quote) == world.keys.address == quote.fee_address
        data = read_provider_data(quote.provider_data)
        assert (data.environment, data.datatoken, data.service_id) == (PAID, facts.TOKEN, "svc")
    assert first.fee_token == facts.TOKEN
    fee = answer["datasets"][0]["providerFee"]
    assert isinstance(fee["providerFeeAmount"], str)
    assert isinstance(fee["v"], int)
    assert isinstance(fee["validUntil"], int)


async def test_free_environments_cost_nothing(world: World) -> None:
    answer = await asked(world, item(world))
    assert answer["datasets"][0]["providerFee"]["providerFeeAmount"] == "0"


async def test_a_valid_order_needs_nothing(world: World) -> None:
    reuse = world.order(start_tx_hash="0x" + "9" * 64)
    answer = await asked(world, item(world, order=reuse))
    assert answer["datasets"] == [still_paid(reuse)], "the hash that was checked, not the original purchase"


@pytest.mark.parametrize("left", [-50, 300])
async def test_a_fee_that_is_too_short_is_renewed(world: World, left: int) -> None:
    order = world.order(start_tx_hash="0x" + "9" * 64, valid_until=int(time.time()) + left)
    (entry,) = (await asked(world, item(world, order=order)))["datasets"]
    assert set(entry) == {"datatoken", "nonce", "providerFee", "validOrder"}
    assert entry["validOrder"] == "0x" + "9" * 64, "the contract wants the original purchase"


async def test_an_unusable_order_is_bought_anew(world: World) -> None:
    (entry,) = (await asked(world, item(world, order="0x1234")))["datasets"]
    assert set(entry) == {"datatoken", "nonce", "providerFee"}


async def test_valid_orders_without_the_fee_are_asked_for_it(world: World) -> None:
    orders = [world.order(environment=PAID) for _ in range(2)]
    answer = await asked(world, item(world, order=orders[0]), item(world, 1, order=orders[1]), env=PAID)
    first, second = answer["datasets"]
    assert int(first["providerFee"]["providerFeeAmount"]) > 0
    assert first["validOrder"] == orders[0]
    assert Quote.from_json(first["providerFee"]).valid_until >= int(time.time()) + 1700, "as far as the other order"
    assert second == still_paid(orders[1])


async def test_a_paying_order_is_enough(world: World) -> None:
    paying = world.order(environment=PAID, fee_amount=75 * 10**18)
    answer = await asked(world, item(world, order=paying), item(world, 1), env=PAID)
    assert answer["datasets"][0] == still_paid(paying)
    assert answer["datasets"][1]["providerFee"]["providerFeeAmount"] == "0"


async def test_who_must_order_anyway_carries_the_fee(world: World) -> None:
    valid = world.order(environment=PAID)
    answer = await asked(world, item(world, order=valid), item(world, 1), env=PAID)
    assert answer["datasets"][0] == still_paid(valid)
    assert int(answer["datasets"][1]["providerFee"]["providerFeeAmount"]) > 0


@pytest.mark.parametrize("had", ["nothing", "unpaid", "paid", "expired"])
async def test_a_start_that_follows_the_answers_is_accepted(world: World, had: str) -> None:
    now = int(time.time())
    hashes = {
        "nothing": "",
        "unpaid": world.order(environment=PAID),
        "paid": world.order(environment=PAID, fee_amount=75 * 10**18),
        "expired": world.order(environment=PAID, fee_amount=75 * 10**18, valid_until=now - 30),
    }
    wanted = [item(world, order=hashes[had]), item(world, 1)]
    answer = await asked(world, *wanted, env=PAID)
    ordered = []
    for entry, reply in zip(wanted, answer["datasets"], strict=True):
        fee = reply.get("providerFee")
        bought = reply.get("validOrder")
        if fee is not None:
            quote = Quote.from_json(fee)
            bought = world.order(environment=PAID, fee_amount=quote.amount, valid_until=quote.valid_until)
        ordered.append({**entry, "transferTxId": bought})
    start = world.start_body(5, dataset=ordered[0], additionalDatasets=ordered[1:], environment=PAID)
    assert (await world.start(start)).status_code == 200


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"env": "x"}, "Compute environment does not exist"),
        ({"algorithm": {"documentId": "did:op:x", "serviceId": "s"}}, {"algorithm.documentId": "did_not_found"}),
        ({"algorithm": {"meta": {"rawcode": "x"}}}, {"algorithm.container": "missing_entrypoint_image_checksum"}),
        ({"datasets": [{"documentId": "did:op:x", "serviceId": "s"}]}, {"dataset.documentId": "did_not_found"}),
        ({"datasets": [{"documentId": "did:op:x"}]}, {"dataset.serviceId": "missing"}),
    ],
)
async def test_refused(world: World, changes: dict[str, Any], error: Any) -> None:
    answer = await world.http.post(URL, json=body(world, item(world), **changes))
    assert (answer.status_code, answer.json()) == (400, {"error": error})


@pytest.mark.parametrize(("seconds", "limit"), [(-5, "after "), (4000, "at most ")])
async def test_an_end_that_cannot_be_is_refused_with_the_limit(world: World, seconds: int, limit: str) -> None:
    sent = body(world, item(world), seconds=seconds)
    answer = await world.http.post(URL, json=sent)
    text = answer.json()["error"]
    assert (answer.status_code, text.startswith("The validUntil value is not correct. It must lie ")) == (400, True)
    assert limit in text
    assert text.endswith(f"and is {sent['compute']['validUntil']}.")


async def test_a_dataset_is_no_algorithm(world: World) -> None:
    answer = await world.http.post(
        URL, json=body(world, item(world), algorithm={"documentId": world.publish(1), "serviceId": "svc"})
    )
    assert answer.json() == {"error": "DID is not a valid algorithm"}


@pytest.mark.parametrize(
    ("changes", "field", "text"),
    [
        ({"datasets": []}, "datasets", "The datasets field is required."),
        ({"datasets": "x"}, "datasets", "The datasets format is invalid."),
        ({"datasets": [1]}, "datasets", "The datasets format is invalid."),
        ({"compute": {"validUntil": 5}}, "compute.env", "The compute.env field is required."),
        ({"compute": {"env": FREE}}, "compute.validUntil", "The compute.validUntil field is required."),
        (
            {"compute": {"env": FREE, "validUntil": "-1"}},
            "compute.validUntil",
            "The compute.validUntil must be an integer.",
        ),
        (
            {"compute": {"env": FREE, "validUntil": 1.5}},
            "compute.validUntil",
            "The compute.validUntil must be an integer.",
        ),
        ({"consumerAddress": None}, "consumerAddress", "The consumerAddress field is required."),
    ],
)
async def test_shapes(world: World, changes: dict[str, Any], field: str, text: str) -> None:
    answer = await world.http.post(URL, json=body(world, item(world), **changes))
    assert answer.json()["errors"] == {field: [text]}


async def test_credentials_are_not_judged_for_an_environments_address(world: World) -> None:
    did = world.publish()
    source = world.chain.assets[did].document()
    source["credentials"] = {"allow": [{"type": "address", "values": [world.consumer.address]}]}
    world.chain.assets[did] = type(world.chain.assets[did]).parse(source)
    entry = {"documentId": did, "serviceId": "svc"}
    for consumer, status in ((world.consumer.address, 200), (facts.ENVIRONMENT_ADDRESS, 200), ("0x" + "1" * 40, 400)):
        answer = await world.http.post(URL, json=body(world, entry, consumerAddress=consumer))
        assert answer.status_code == status
