"""Rules of a start over HTTP: one thing of an acceptable request is changed, and the answer names just that.

The whole table of rules is tested over plain values; here are those that need contracts, documents and files.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from ocean.chain.development import account
from ocean.client import Consumer
from ocean.ddo import DDO
from ocean.trust import container_checksum, files_checksum
from provider_api.deploy.file_server import FileServer
from tests.support.chain import consumer as buyer_account
from tests.support.chain import publisher, set_state, stranger
from tests.support.service import CONTAINER, Buyer, Service
from tests.support.starts import Caller, Reference, job_of, raw, refusal

pytestmark = pytest.mark.integration
UNKNOWN_DID = "did:op:" + "00" * 32
SOME_TX = "0x" + "42" * 32
CONSUMER = account(6)  # of `caller`


@dataclass
class Shop:
    """Published and ordered assets by name."""

    assets: dict[str, DDO] = field(default_factory=dict)
    orders: dict[str, Reference] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Reference:
        return self.orders[name]


@pytest.fixture(scope="module")
def shop(service: Service, files: FileServer) -> Shop:
    return service.call(_open(service, files.urls))


async def _open(service: Service, urls: Mapping[str, str]) -> Shop:
    made, network = Shop(), await service.network()
    async with Consumer(service.url, buyer_account) as client, Caller.open(service, CONSUMER) as caller:
        buyer = Buyer(service, network, client)

        async def offer(name: str, url: str, **draft: Any) -> DDO:
            made.assets[name] = await buyer.publish(url, **draft)
            made.orders[name] = await caller.buy(made.assets[name])
            return made.assets[name]

        code, rain, gone = urls["algorithm.py"], urls["rain.csv"], urls["rain.csv"] + "-gone"
        algorithm = await offer("algorithm", code, kind="algorithm")
        await offer("missing algorithm", gone, kind="algorithm")
        await offer("algorithm for others", code, kind="algorithm", credentials=only(stranger.address))
        bad = {"language": "python", "version": "1", "container": {**CONTAINER, "checksum": "md5:00"}}
        await offer("algorithm without digest", code, kind="algorithm", algorithm=bad)

        await offer("open", rain, compute={"allowRawAlgorithm": True})
        await offer("second", urls["wind.csv"], compute={"allowRawAlgorithm": True})
        await offer("no raw", rain)
        await offer("download", rain, service="access")
        await offer("for others", rain, credentials=only(stranger.address))
        await offer("not for you", rain, credentials=denied(CONSUMER.address.lower()))
        question = {"name": "region", "type": "text", "label": "l", "description": "d", "required": True, "default": ""}
        await offer("asking", rain, consumer_parameters=[question])
        for state in (1, 2, 3, 4, 5):
            asset = await offer(f"state {state}", rain)
            await set_state(network, publisher, asset.nft_address, state)

        digest = hashlib.sha256((await caller.http.get(code)).content).hexdigest()
        right = {
            "did": algorithm.id,
            "filesChecksum": files_checksum([digest]).upper(),
            "containerSectionChecksum": container_checksum(CONTAINER["entrypoint"], CONTAINER["checksum"]),
        }
        lists: dict[str, dict[str, Any]] = {
            "trusts": {"publisherTrustedAlgorithms": [right]},
            "trusts everybody": {"publisherTrustedAlgorithms": ["*"]},
            "trusts another": {"publisherTrustedAlgorithms": [{**right, "did": UNKNOWN_DID}]},
            "trusts nothing named": {"publisherTrustedAlgorithms": [{"filesChecksum": ""}]},
            "trusts other files": {"publisherTrustedAlgorithms": [{**right, "filesChecksum": "00" * 32}]},
            "trusts other container": {"publisherTrustedAlgorithms": [{**right, "containerSectionChecksum": "00"}]},
            "trusts the publisher": {"publisherTrustedAlgorithmPublishers": [publisher.address.lower()]},
            "trusts a stranger": {"publisherTrustedAlgorithmPublishers": [stranger.address]},
        }
        for name, section in lists.items():
            await offer(name, rain, compute=section)
    await network.close()
    return made


def only(*addresses: str) -> dict[str, Any]:
    return {"allow": [{"type": "address", "values": list(addresses)}], "deny": []}


def denied(*addresses: str) -> dict[str, Any]:
    return {"allow": [], "deny": [{"type": "address", "values": list(addresses)}]}


def not_allowed(did: str, code: str) -> str:
    return f"Error: Access to asset {did} was denied with code: ConsumableCodes.{code}."


def without(item: Reference, *names: str) -> Reference:
    return {name: value for name, value in item.items() if name not in names}


Change = Callable[[Shop], dict[str, Any]]
CONSUMABLE = "Asset is not consumable."
# name: what is changed of (datasets, algorithm, environment, further keys); the answer
CASES: dict[str, tuple[Change, dict[str, str]]] = {
    "environment": (lambda s: {"environment": "nowhere"}, {"environment": "not_found"}),
    "no environment": (lambda s: {"environment": None}, {"environment": "not_found"}),
    "additional text": (lambda s: {"additionalDatasets": "x"}, {"additional_input": "invalid"}),
    "additional item": (lambda s: {"additionalDatasets": ["x"]}, {"additional_input": "invalid"}),
    "both algorithms": (lambda s: {"algorithm": s["algorithm"] | raw()}, {"algorithm": "invalid"}),
    "broken meta": (lambda s: {"algorithm": {"meta": "{"}}, {"algorithm": "invalid"}),
    "unknown algorithm": (
        lambda s: {"algorithm": s["algorithm"] | {"documentId": UNKNOWN_DID}},
        {"algorithm.documentId": "did_not_found"},
    ),
    "dataset as algorithm": (lambda s: {"algorithm": s["second"]}, {"algorithm": "not_algo"}),
    "algorithm service": (
        lambda s: {"algorithm": without(s["algorithm"], "serviceId")},
        {"algorithm.serviceId": "missing"},
    ),
    "algorithm service unknown": (
        lambda s: {"algorithm": s["algorithm"] | {"serviceId": "other"}},
        {"algorithm": "file_unavailable"},
    ),
    "algorithm file": (lambda s: {"algorithm": s["missing algorithm"]}, {"algorithm": "file_unavailable"}),
    "algorithm digest": (
        lambda s: {"algorithm": s["algorithm without digest"]},
        {"algorithm.container": "checksum_prefix"},
    ),
    "algorithm order": (
        lambda s: {"algorithm": without(s["algorithm"], "transferTxId")},
        {"algorithm": "in_use_or_not_on_chain"},
    ),
    "algorithm order of the dataset": (
        lambda s: {"algorithm": s["algorithm"] | {"transferTxId": s["open"]["transferTxId"]}},
        {"algorithm": "in_use_or_not_on_chain"},
    ),
    "raw without code": (
        lambda s: {"algorithm": {"meta": {"container": CONTAINER}}},
        {"algorithm": "meta_oneof_url_rawcode_remote"},
    ),
    "raw without container": (
        lambda s: {"algorithm": {"meta": {"rawcode": "x"}}},
        {"algorithm.container": "missing_entrypoint_image_checksum"},
    ),
    "raw image": (
        lambda s: {"algorithm": {"meta": {"rawcode": "x", "container": {**CONTAINER, "image": "{{=1+1}}"}}}},
        {"algorithm.container": "invalid_image"},
    ),
    "raw not allowed": (
        lambda s: {"datasets": [s["no raw"]], "algorithm": raw()},
        {"dataset": "no_raw_algo_allowed"},
    ),
    "unknown dataset": (
        lambda s: {"datasets": [s["open"] | {"documentId": UNKNOWN_DID}]},
        {"dataset.documentId": "did_not_found"},
    ),
    "unknown service": (
        lambda s: {"datasets": [s["open"] | {"serviceId": "other"}]},
        {"dataset.serviceId": "not_found"},
    ),
    "second without order": (
        lambda s: {"datasets": [s["open"], without(s["second"], "transferTxId")]},
        {"datasets[1].transferTxId": "missing"},
    ),
    "second without document": (
        lambda s: {"datasets": [s["open"], without(s["second"], "documentId")]},
        {"datasets[1].documentId": "missing"},
    ),
    "twice the same": (lambda s: {"datasets": [s["open"], s["open"]]}, {"datasets[1]": "duplicate"}),
    "download first": (lambda s: {"datasets": [s["download"]]}, {"dataset.serviceId": "main_service_compute"}),
    "end of life": (lambda s: {"datasets": [s["state 1"]]}, {"dataset": CONSUMABLE}),
    "deprecated": (lambda s: {"datasets": [s["state 2"]]}, {"dataset": CONSUMABLE}),
    "revoked": (lambda s: {"datasets": [s["open"], s["state 3"]]}, {"datasets[1]": CONSUMABLE}),
    "no ordering": (lambda s: {"datasets": [s["state 4"]]}, {"dataset": CONSUMABLE}),
    "another did": (lambda s: {"datasets": [s["trusts another"]]}, {"dataset": "not_trusted_algo"}),
    "no did": (lambda s: {"datasets": [s["trusts nothing named"]]}, {"dataset": "no_publisherTrustedAlgorithms"}),
    "files": (lambda s: {"datasets": [s["trusts other files"]]}, {"dataset": "algorithm_file_checksum_mismatch"}),
    "container": (
        lambda s: {"datasets": [s["open"], s["trusts other container"]]},
        {"datasets[1]": "algorithm_container_checksum_mismatch"},
    ),
    "publisher": (lambda s: {"datasets": [s["trusts a stranger"]]}, {"dataset": "not_trusted_algo_publisher"}),
    "parameter": (lambda s: {"datasets": [s["asking"]]}, {"dataset.userdata": "missing:region"}),
    "unknown order": (
        lambda s: {"datasets": [s["open"] | {"transferTxId": SOME_TX}]},
        {"dataset.serviceId": "order_invalid"},
    ),
    "malformed order": (
        lambda s: {"datasets": [s["open"] | {"transferTxId": "0x42"}]},
        {"dataset.serviceId": "order_invalid"},
    ),
    "order of another dataset": (
        lambda s: {"datasets": [s["open"], s["second"] | {"transferTxId": s["open"]["transferTxId"]}]},
        {"datasets[1].serviceId": "order_invalid"},
    ),
    "output": (lambda s: {"output": "{"}, {"output": "invalid"}),
}


@pytest.mark.parametrize("name", CASES)
async def test_refused(caller: Caller, shop: Shop, name: str) -> None:
    change, expected = CASES[name]
    before = await caller.nonce()
    answer = await _start(caller, shop, change(shop))
    assert refusal(answer) == expected
    assert await caller.nonce() == before


async def test_credentials(caller: Caller, shop: Shop) -> None:
    for name, code in (("for others", "CREDENTIAL_NOT_IN_ALLOW_LIST"), ("not for you", "CREDENTIAL_IN_DENY_LIST")):
        answer = await _start(caller, shop, {"datasets": [shop[name]]})
        assert refusal(answer) == {"dataset": not_allowed(shop.assets[name].id, code)}
    answer = await _start(caller, shop, {"algorithm": shop["algorithm for others"]})
    text = not_allowed(shop.assets["algorithm for others"].id, "CREDENTIAL_NOT_IN_ALLOW_LIST")
    assert refusal(answer) == {"algorithm.credentials": text}


async def test_accepted(caller: Caller, shop: Shop) -> None:
    """The same request without a fault, and with what is no fault."""
    asked = shop["asking"] | {"userdata": {"region": "north", "more": 1}}
    changes: dict[str, tuple[int, dict[str, Any]]] = {
        "nothing": (1, {}),
        "unlisted": (1, {"datasets": [shop["state 5"]]}),
        "trusted": (2, {"datasets": [shop["trusts"], shop["trusts everybody"]]}),
        "second for download": (2, {"datasets": [shop["trusts the publisher"], shop["download"]], "output": "{}"}),
        "ocean.py's name": (2, {"datasets": [asked], "additionalInputs": [shop["trusts"]], "output": ""}),
        "no more datasets": (1, {"datasets": [shop["no raw"]], "additionalDatasets": "", "output": {"a": 1}}),
        "meta as text": (1, {"datasets": [shop["second"]], "algorithm": {"meta": json.dumps(raw()["meta"])}}),
    }
    for name, (count, change) in changes.items():
        answer = await _start(caller, shop, change)
        assert answer.status_code == 200, (name, answer.text)
        job = job_of(answer)
        assert len(job["inputDID"]) == count, name
        await caller.finished(job["jobId"])  # the algorithm's order, too, pays for one unfinished job only


async def _start(caller: Caller, shop: Shop, change: dict[str, Any]) -> httpx.Response:
    change = dict(change)
    datasets = change.pop("datasets", [shop["open"]])
    algorithm = change.pop("algorithm", shop["algorithm"])
    return await caller.start(datasets, algorithm, **change)
