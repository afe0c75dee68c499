"""Why not: every reason at once, on the real contracts; and whoever mends them all is let in by the start."""

from __future__ import annotations

import json
import re
import secrets
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from ocean.ddo import DDO
from provider_api.deploy.file_server import FileServer
from tests.support.chain import publisher, set_state, stranger
from tests.support.provider_neighbours import World
from tests.support.service import FREE, PAID, Buyer, Service
from tests.support.starts import Caller, Reference, claims, job_of, raw, reference, refusal

pytestmark = pytest.mark.integration

PATH = "/api/v1/why-not"
FIELDS = ["code", "expected", "found", "place", "rule", "who"]


async def ask(
    caller: Caller, datasets: list[Reference], algorithm: dict[str, Any], environment: str = FREE, **more: Any
) -> httpx.Response:
    body = {
        "consumerAddress": caller.address,
        "datasets": datasets,
        "algorithm": algorithm,
        "environment": environment,
        **more,
    }
    return await caller.http.post(PATH, json=body)


async def reasons(caller: Caller, *args: Any, **more: Any) -> list[dict[str, Any]]:
    answer = await ask(caller, *args, **more)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert answer.text == json.dumps(body, sort_keys=True, separators=(",", ":")) + "\n"
    assert [name for name in body if name not in ("notes", "startNeeds")] == ["ordersJudged", "reasons"]
    assert all(list(reason) == FIELDS for reason in body["reasons"])
    found: list[dict[str, Any]] = body["reasons"]
    return found


def codes(found: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    return [(reason["place"], reason["code"], reason["who"]) for reason in found]


@pytest.fixture
async def algorithm(buyer: Buyer, files: FileServer) -> DDO:
    return await buyer.publish(files.urls["algorithm.py"], kind="algorithm")


def denied(asset: DDO, code: str) -> str:
    return f"Error: Access to asset {asset.id} was denied with code: ConsumableCodes.{code}."


async def test_nothing_stands_against_it(caller: Caller, open_dataset: DDO) -> None:
    bought = await caller.buy(open_dataset)
    assert await reasons(caller, [bought], raw()) == []
    job_of(await caller.start([bought], raw()))


async def test_everything_at_once_and_mended_one_by_one(
    service: Service, caller: Caller, buyer: Buyer, files: FileServer, algorithm: DDO
) -> None:
    """State, credentials, trust, parameter and order of a dataset, the order of the algorithm: all at once."""
    other = "did:op:" + "7" * 64
    asset = await buyer.publish(
        files.urls["rain.csv"],
        credentials={"allow": [], "deny": [{"type": "address", "values": [caller.address.lower()]}]},
        compute={"publisherTrustedAlgorithms": [{"did": other}]},
        consumer_parameters=[{"name": "year", "type": "number", "required": True}],
    )
    await set_state(buyer.network, publisher, asset.nft_address, 4)
    lost = reference(asset, "0x" + "12" * 32)
    before = claims(service)
    found = await reasons(caller, [lost], reference(algorithm))
    dataset_order = f"an order of this service by the consumer for environment {FREE}, whose fee is not over"
    assert found == [
        {"place": "dataset", "rule": "state_allows_use", "code": "Asset is not consumable.",
         "expected": ["0 (active)", "5 (unlisted)"], "found": "4 (ordering disabled)", "who": "publisher"},
        {"place": "dataset", "rule": "consumer_is_allowed", "code": denied(asset, "CREDENTIAL_IN_DENY_LIST"),
         "expected": "a consumer whom the asset's credentials allow", "found": caller.address.lower(),
         "who": "publisher"},
        {"place": "dataset", "rule": "algorithm_is_trusted", "code": "not_trusted_algo",
         "expected": [other], "found": algorithm.id, "who": "publisher"},
        {"place": "dataset.userdata", "rule": "parameters_fit", "code": "missing:year",
         "expected": "year: a number", "found": None, "who": "consumer"},
        {"place": "dataset.serviceId", "rule": "is_ordered", "code": "order_invalid",
         "expected": dataset_order, "found": "order_not_found", "who": "consumer"},
        {"place": "algorithm", "rule": "algorithm_is_ordered", "code": "in_use_or_not_on_chain",
         "expected": dataset_order, "found": "no_transaction", "who": "consumer"},
    ]  # fmt: skip
    assert claims(service) == before

    async def start(dataset: Reference, of: Reference) -> Any:
        """The start says the first reason."""
        told = await reasons(caller, [dataset], of)
        answer = await caller.start([dataset], of)
        if told:
            assert refusal(answer) == {told[0]["place"]: told[0]["code"]}
        return codes(told), answer

    order = await caller.buy(algorithm)
    told, _ = await start(lost, order)
    assert [code for _, code, _ in told] == [reason["code"] for reason in found[:-1]]
    await set_state(buyer.network, publisher, asset.nft_address, 0)
    bought = await caller.buy(asset) | {"userdata": {"year": 2020}}
    told, _ = await start(bought, order)
    assert told == [
        ("dataset", denied(asset, "CREDENTIAL_IN_DENY_LIST"), "publisher"),
        ("dataset", "not_trusted_algo", "publisher"),
    ]
    trusting = await buyer.publish(
        files.urls["rain.csv"], compute={"publisherTrustedAlgorithms": [{"did": algorithm.id}]}
    )
    told, answer = await start(await caller.buy(trusting), order)
    assert told == []
    job_of(answer)


async def test_both_sides_say_the_same(caller: Caller, buyer: Buyer, files: FileServer, algorithm: DDO) -> None:
    """What the start refuses first stands first, also for what only the algorithm's publisher can change."""
    await set_state(buyer.network, publisher, algorithm.nft_address, 3)
    dataset = await buyer.publish(
        files.urls["rain.csv"], compute={"publisherTrustedAlgorithmPublishers": [stranger.address]}
    )
    bought, order = await caller.buy(dataset), await caller.buy(algorithm)
    told = await reasons(caller, [bought], order)
    assert codes(told) == [
        ("algorithm.credentials", "Asset is not consumable.", "algorithm_publisher"),
        ("dataset", "not_trusted_algo_publisher", "publisher"),
    ]
    assert told[1]["expected"] == [stranger.address]
    assert told[1]["found"] == publisher.address
    assert refusal(await caller.start([bought], order)) == {told[0]["place"]: told[0]["code"]}


async def test_before_anything_is_bought(caller: Caller, open_dataset: DDO, algorithm: DDO) -> None:
    """No transaction is named: orders are not judged, and the answer says so."""
    answer = await ask(caller, [reference(open_dataset)], reference(algorithm))
    told = answer.json()
    (note,) = told.pop("notes")
    assert (note["place"], "every published algorithm may run" in note["note"]) == ("dataset", True)
    assert told == {"ordersJudged": False, "reasons": []}
    answer = await ask(caller, [await caller.buy(open_dataset)], reference(algorithm))
    assert answer.json()["ordersJudged"] is True
    assert codes(answer.json()["reasons"]) == [("algorithm", "in_use_or_not_on_chain", "consumer")]


async def test_the_body_of_initialize_compute(caller: Caller, open_dataset: DDO) -> None:
    """Environment and end as there; an end that is impossible is one reason of several."""
    body = {
        "consumerAddress": caller.address,
        "datasets": [reference(open_dataset)],
        "algorithm": raw(),
        "compute": {"env": FREE, "validUntil": int(time.time()) - 5},
    }
    told = (await caller.http.post(PATH, json=body)).json()["reasons"]
    assert codes(told) == [("compute.validUntil", "The validUntil value is not correct.", "consumer")]
    body["compute"]["validUntil"] = int(time.time()) + 600
    assert (await caller.http.post(PATH, json=body)).json()["reasons"] == []


async def test_an_unpaid_environment(caller: Caller, open_dataset: DDO) -> None:
    """A good order of the environment that carries no fee."""
    bought = await caller.buy(open_dataset, caller.quote(open_dataset, environment=PAID))
    told = await reasons(caller, [bought], raw(), environment=PAID)
    assert codes(told) == [("order", "fees_not_paid", "consumer")]
    assert told[0]["found"] == ["0"]
    assert "0.1 per minute" in told[0]["expected"]
    assert refusal(await caller.start([bought], raw(), environment=PAID)) == {"order": "fees_not_paid"}


async def test_an_unknown_environment_hides_nothing_else(caller: Caller, buyer: Buyer, files: FileServer) -> None:
    dataset = await buyer.publish(files.urls["rain.csv"])
    told = await reasons(caller, [reference(dataset)], raw(), environment="nowhere")
    assert codes(told) == [
        ("environment", "not_found", "consumer"),
        ("dataset", "no_raw_algo_allowed", "publisher"),
    ]
    assert told[0]["found"] == "nowhere"
    assert (told[1]["expected"], told[1]["found"]) == (True, False)


async def test_several_datasets(caller: Caller, buyer: Buyer, files: FileServer, open_dataset: DDO) -> None:
    unknown = {"documentId": "did:op:" + "5" * 64, "serviceId": "main"}
    closed = await buyer.publish(files.urls["wind.csv"])
    told = await reasons(caller, [reference(open_dataset), reference(closed), unknown], raw())
    assert codes(told) == [
        ("datasets[1]", "no_raw_algo_allowed", "publisher"),
        ("datasets[2].documentId", "did_not_found", "consumer"),
    ]


async def test_too_large_a_job(caller: Caller, open_dataset: DDO) -> None:
    """Measured when nothing else stands against it."""
    algorithm = raw()
    algorithm["meta"]["rawcode"] = secrets.token_hex(100_000)
    bought = await caller.buy(open_dataset)
    (told,) = await reasons(caller, [bought], algorithm)
    assert (told["place"], told["rule"], told["who"]) == ("algorithm", "job_spec_fits", "consumer")
    (refused,) = refusal(await caller.start([bought], algorithm)).values()
    for text in (told["code"], refused):  # the sizes differ by a few bytes: each spec has secrets of its own
        assert re.fullmatch(r"job_too_large: 1\d{5} bytes, at most 98304, of code, parameters and .* together", text)


async def test_a_full_queue(tmp_path: Path) -> None:
    async with World(tmp_path).running() as world:
        world.argo.max_queued = 0
        for nonce in (5, 6):  # as many as may run
            assert (await world.start(world.start_body(nonce))).status_code == 200
        body = world.start_body(7)
        asked = {"consumerAddress": body["consumerAddress"], "datasets": [body["dataset"]]}
        asked |= {name: body[name] for name in ("algorithm", "environment")}
        (told,) = (await world.http.post(PATH, json=asked)).json()["reasons"]
        assert (told["place"], told["code"], told["who"]) == ("environment", "queue_full", "operator")
        assert (told["expected"], told["found"]) == ("fewer than 2 unfinished jobs", 2)
        assert refusal(await world.start(body)) == {"environment": "queue_full"}


async def test_neighbours_away(tmp_path: Path) -> None:
    """Then nobody can judge."""
    async with World(tmp_path).running() as world:
        body = world.start_body()
        asked = {"consumerAddress": body["consumerAddress"], "datasets": [body["dataset"]]}
        asked |= {name: body[name] for name in ("algorithm", "environment")}
        for neighbour in (world.chain, world.argo):
            neighbour.away = True
            answer = await world.http.post(PATH, json=asked)
            assert (answer.status_code, "retry-after" in answer.headers) == (503, True)
            neighbour.away = False


async def test_it_shows_no_secret_and_costs_no_nonce(
    service: Service, caller: Caller, buyer: Buyer, files: FileServer
) -> None:
    """Neither URLs nor digests of files, not even of those that cannot be fetched."""
    gone = files.urls["algorithm.py"] + "-gone"
    algorithm = await buyer.publish(gone, kind="algorithm")
    kept = await buyer.publish(files.urls["algorithm.py"], kind="algorithm")
    trusting = [{"did": kept.id, "filesChecksum": "00" * 32, "containerSectionChecksum": "00" * 32}]
    dataset = await buyer.publish(files.urls["rain.csv"], compute={"publisherTrustedAlgorithms": trusting})
    nonce = await caller.nonce()
    for of in (algorithm, kept):
        answer = await ask(caller, [reference(dataset, "0x" + "12" * 32)], reference(of))
        assert answer.status_code == 200
        assert answer.json()["reasons"] != []
        assert "http" not in answer.text
        assert files.address not in answer.text
    rules = {reason["rule"]: reason for reason in answer.json()["reasons"]}
    assert rules["algorithm_files_are_trusted"]["found"] == "other files"
    assert rules["algorithm_container_is_trusted"]["expected"] == "00" * 32
    assert await caller.nonce() == nonce


ODD: dict[str, tuple[dict[str, Any], list[str]]] = {
    "nothing": ({}, ["consumerAddress", "datasets", "environment"]),
    "no list": ({"datasets": "x"}, ["datasets"]),
    "a list of texts": ({"datasets": ["x"]}, ["datasets"]),
    "no address": ({"consumerAddress": "me"}, ["consumerAddress"]),
    "no end": ({"compute": {"validUntil": "soon"}}, ["compute.validUntil"]),
}


@pytest.mark.parametrize("case", ODD)
async def test_what_is_no_request(caller: Caller, case: str) -> None:
    given, wrong = ODD[case]
    whole = {"consumerAddress": caller.address, "datasets": [{}], "algorithm": raw(), "environment": FREE}
    answer = await caller.http.post(PATH, json={**whole, **given} if given else {"algorithm": raw()})
    assert answer.status_code == 400
    assert sorted(answer.json()["errors"]) == wrong


async def test_empty_references(caller: Caller) -> None:
    told = await reasons(caller, [{}], raw())
    assert codes(told) == [
        ("dataset.documentId", "missing", "consumer"),
        ("dataset.serviceId", "missing", "consumer"),
    ]


async def test_it_is_none_of_the_sixteen(caller: Caller) -> None:
    endpoints = (await caller.http.get("/")).json()["serviceEndpoints"]
    assert len(endpoints) == 16
    assert (await caller.http.get(PATH)).status_code == 405


async def test_the_example_in_the_how_to(caller: Caller, buyer: Buyer, files: FileServer, algorithm: DDO) -> None:
    """It shows a real answer: this one, but for DIDs and addresses."""
    text = (Path(__file__).parents[3] / "docs/how-to/why-not.md").read_text(encoding="utf-8")
    request, shown = (json.loads(block) for block in re.findall(r"```json\n(.*?)```", text, re.DOTALL))
    asset = await buyer.publish(
        files.urls["rain.csv"],
        credentials={"allow": [{"type": "address", "values": [stranger.address]}], "deny": []},
        compute={"publisherTrustedAlgorithms": [{"did": "did:op:" + "7" * 64}]},
    )
    await set_state(buyer.network, publisher, algorithm.nft_address, 3)
    request["datasets"][0] |= reference(asset)
    request["algorithm"] |= reference(algorithm)
    answer = await caller.http.post(PATH, json=request | {"consumerAddress": caller.address})

    def plain(value: Any) -> str:
        hidden = re.sub(r"did:op:[0-9a-f]{64}", "DID", json.dumps(value, sort_keys=True))
        return re.sub(r"0x[0-9a-f]{40}\b", "ADDRESS", hidden)

    assert plain(shown) == plain(answer.json())
