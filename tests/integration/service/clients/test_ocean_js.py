"""ocean.js from 3.0.4 to 3.4.6, unmodified: every call of its Provider class, orders on the real contracts.

Some of its requests cannot be right and are refused as by Ocean Provider, unless a setting tolerates them:
computeDelete never sends the nonce that it signs, no more does computeStop of 3.0.4, and computeStop of 3.4.6 signs
none. Up to 3.2.0 it drops the further datasets of a job, and up to 3.1.3 it takes a nonce that is a text for one to
write a 1 behind.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ocean.chain.contracts import entry
from ocean.ddo import DDO
from tests.support.clients import JAVASCRIPT_CONSUMER, ClientError
from tests.support.file_sources import RAIN, WIND, FileSources
from tests.support.ocean_js import CHAIN, SIGNER, OceanJs, account_of, provide, publish, reference
from tests.support.owners import release
from tests.support.path_prefix import PathPrefix
from tests.support.service import FREE, PAID, Service, raw_python

pytestmark = pytest.mark.integration

# A consumer each: the nonces of those that count with texts soon become too large for the others.
CONSUMERS = {
    "3.0.4": account_of("ocean.js 3.0.4"),
    "3.1.3": account_of("ocean.js 3.1.3"),
    "3.2.0": JAVASCRIPT_CONSUMER,
    "3.3.0": JAVASCRIPT_CONSUMER,
    "3.4.6": JAVASCRIPT_CONSUMER,
}
VERSIONS = list(CONSUMERS)
ONE_DATASET = ("3.0.4", "3.1.3", "3.2.0")  # those that never send the further ones
UNSENT_NONCE, UNSIGNED_NONCE = "3.0.4", "3.4.6"  # in computeStop
SLEEP = "import time; print('asleep', flush=True); time.sleep(100)"
STRANGER = "0x00000000000000000000000000000000000000aa"


@dataclass(frozen=True)
class Assets:
    """Published once for all tests of one service."""

    access: DDO  # two files: rain, wind
    rain: DDO
    wind: DDO
    open: DDO  # any algorithm
    algorithm: DDO


def publish_all(
    service: Service, sources: FileSources, url: str | None = None, release: dict[str, Any] | None = None
) -> Assets:
    """`release`: rules of the datasets about what may leave."""
    rain, wind, code = (f"{sources.url}/files/{name}" for name in ("rain.csv", "wind.csv", "algorithm.py"))
    owners = sorted({key.address for key in CONSUMERS.values()})
    service.call(provide(service, owners))
    algorithm = publish(service, owners, [code], url=url, type="algorithm", service="access")
    return Assets(
        access=publish(service, owners, [rain, wind], url=url, service="access"),
        rain=publish(service, owners, [rain], url=url, release=release),
        wind=publish(service, owners, [wind], url=url, release=release),
        open=publish(service, owners, [rain], url=url, compute={"allowRawAlgorithm": True}, release=release),
        algorithm=algorithm,
    )


@pytest.fixture(scope="module")
def assets(service: Service, sources: FileSources) -> Assets:
    return publish_all(service, sources)


@pytest.fixture(scope="module")
def ruled(service: Service, sources: FileSources) -> Assets:
    """Whose publisher says what may leave."""
    return publish_all(service, sources, release={"maxBytes": 100_000, "types": ["json"], "logBytes": 10_000})


@pytest.fixture(scope="module")
def waiting(service: Service, sources: FileSources) -> Assets:
    """Whose publisher wants to be asked."""
    return publish_all(service, sources, release={"approval": "owner"})


@pytest.fixture(scope="module")
def tolerant_assets(tolerant: Service, sources: FileSources) -> Assets:
    return publish_all(tolerant, sources)


@pytest.fixture(scope="module", params=VERSIONS)
def js(service: Service, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OceanJs]:
    with OceanJs.open(
        service, request.param, CONSUMERS[request.param], tmp_path_factory.mktemp("js") / "log"
    ) as opened:
        yield opened


@pytest.fixture(scope="module", params=VERSIONS)
def lenient(
    tolerant: Service, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[OceanJs]:
    """The client at the service that tolerates missing nonces."""
    with OceanJs.open(
        tolerant, request.param, CONSUMERS[request.param], tmp_path_factory.mktemp("js") / "log"
    ) as opened:
        yield opened


# --- what needs no order ---------------------------------------------------------------------------------------------


def test_it_takes_us_for_a_provider(js: OceanJs) -> None:
    assert js("isValidProvider", js.url) is True
    assert js("isValidProvider", js.url + "/") is True
    assert int(js("getNonce", js.url, STRANGER)) == 1  # up to 3.1.3 it is handed on as it was answered
    assert int(js("getNonce", js.url + "/", js.address)) >= 1


def test_encrypt(js: OceanJs) -> None:
    assert js("encrypt", {"files": []}, 8996, js.url).startswith("0x04")
    # It looks at no status: an error is what it takes for the ciphertext.
    said = '{"error":"Failed to encrypt. The chainId must be one of 8996, not 1."}'
    assert js("encrypt", {"files": []}, 1, js.url).strip() == said


def test_files_of_an_asset(js: OceanJs, assets: Assets) -> None:
    asset = assets.access
    plain = js("checkDidFiles", asset.id, asset.services[0].id, js.url)
    assert [(entry["index"], entry["valid"], entry["type"]) for entry in plain] == [(0, True, "url"), (1, True, "url")]
    summed = js("checkDidFiles", asset.id, asset.services[0].id, js.url, True)
    assert [entry["checksum"] for entry in summed] == [sha256(RAIN), sha256(WIND)]
    with pytest.raises(ClientError, match="Invalid serviceId"):
        js("checkDidFiles", asset.id, "nowhere", js.url)
    with pytest.raises(ClientError, match="Cannot resolve DID"):
        js("checkDidFiles", "did:op:" + "0" * 64, "main", js.url)


def test_a_file_of_each_type(lenient: OceanJs, sources: FileSources, tolerant_assets: Assets) -> None:
    datatoken = tolerant_assets.rain.services[0].datatoken_address
    symbol = entry("ERC20Template", "function", "symbol")
    files: list[dict[str, Any]] = [
        {"type": "url", "url": f"{sources.url}/files/rain.csv", "method": "GET"},
        {"type": "ipfs", "hash": "QmdqSxPzPAgXbXKQCj46GpCXLmmfBpmaHt4vCVjoE1jTUS"},
        {"type": "arweave", "transactionId": "Ya8ThIHPuQ6wXfD3nFeRaXaEpZYpk4nIRkMv1dZBG7c"},
        {"type": "graphql", "url": f"{sources.url}/graphql", "query": "{ rain { mm } }"},
        {"type": "smartcontract", "address": datatoken, "abi": symbol, "chainId": 8996},
    ]
    seen = {file["type"]: lenient("getFileInfo", file, lenient.url, True)[0] for file in files}
    assert {type_ for type_, told in seen.items() if told["valid"]} == {"ipfs", "arweave", "smartcontract"}
    # Nobody has published them: nothing on a private network is looked at, nothing is posted, no file is hashed.
    assert {type_ for type_, told in seen.items() if "checksum" in told} == {"smartcontract"}
    (missing,) = lenient("getFileInfo", {**files[0], "url": f"{sources.url}/files/none"}, lenient.url)
    assert missing["valid"] is False
    with pytest.raises(ClientError, match="Validation error"):
        lenient("getFileInfo", {"type": "zz"}, lenient.url)


def test_environments(js: OceanJs) -> None:
    listed = js("getComputeEnvironments", js.url)[CHAIN]
    prices = {environment["id"]: environment["priceMin"] for environment in listed}
    assert prices[FREE] == 0
    assert prices[PAID] > 0


# --- an access asset -------------------------------------------------------------------------------------------------


def test_order_and_download(js: OceanJs, assets: Assets) -> None:
    order_and_download(js, assets)


@pytest.mark.parametrize("version", VERSIONS)
def test_order_and_download_behind_a_path(
    service: Service, prefixed: PathPrefix, sources: FileSources, tmp_path: Path, version: str
) -> None:
    """It joins the provider's address and the path, so that any prefix works."""
    with OceanJs.open(service, version, CONSUMERS[version], tmp_path / "log", prefixed.url) as js:
        assets = publish_all(service, sources, prefixed.url)
        order_and_download(js, assets)
        for environment in (FREE, PAID):
            compute(js, assets, environment)
    assert all(path.startswith("/ocean/provider") for path in prefixed.paths)


def order_and_download(js: OceanJs, assets: Assets) -> None:
    asset, service_id = assets.access, assets.access.services[0].id
    offer = js("initialize", asset.id, service_id, 0, js.address, js.url, None, {"unit": "mm", "n": 1})
    assert offer["providerFee"]["providerFeeAmount"] == "0"
    order = js.start_order(asset, offer["providerFee"])

    with_data = js("getDownloadUrl", asset.id, service_id, 1, order, js.url, SIGNER, {"unit": "mm", "n": 1})
    assert js.download(with_data) == ("wind.csv", WIND + "unit=mm&n=1")
    with pytest.raises(ClientError, match="Response error"):  # its nonce is used up
        js.download(with_data)
    again = js("getDownloadUrl", asset.id, service_id, 0, order, js.url, SIGNER)
    assert js.download(again) == ("rain.csv", RAIN)
    # It escapes no `&`: the parameters arrive cut off, and optional ones then count as none.
    cut = js("getDownloadUrl", asset.id, service_id, 0, order, js.url, SIGNER, {"unit": "mm & more"})
    assert js.download(cut) == ("rain.csv", RAIN)

    with pytest.raises(ClientError, match="Cannot resolve DID"):
        js("initialize", "did:op:" + "0" * 64, service_id, 0, js.address, js.url)


# --- compute ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("environment", [FREE, PAID])
def test_compute(js: OceanJs, assets: Assets, environment: str) -> None:
    compute(js, assets, environment)


def compute(js: OceanJs, assets: Assets, environment: str) -> None:
    chosen = js.environment(environment)
    consumer = chosen["consumerAddress"]
    datasets, algorithm = [assets.rain, assets.wind], assets.algorithm
    asked = js.quotes([reference(asset) for asset in datasets], reference(algorithm), environment)
    fees = [answer["providerFee"] for answer in [*asked["datasets"], asked["algorithm"]]]
    assert [fee["providerFeeAmount"] != "0" for fee in fees] == [environment == PAID, False, False]
    orders = [js.start_order(asset, fee, consumer) for asset, fee in zip([*datasets, algorithm], fees, strict=True)]
    rain, wind = (reference(asset, order) for asset, order in zip(datasets, orders, strict=False))
    ordered = reference(algorithm, orders[2])

    started = js("computeStart", js.url, SIGNER, environment, rain, ordered, None, [wind], {"publishOutput": True})
    assert (len(started), started[0]["owner"]) == (1, js.address)
    job = js.finished(started[0]["jobId"])
    assert (job["status"], job["reason"], job["agreementId"]) == (70, "completed", started[0]["agreementId"])
    results = {result["filename"]: index for index, result in enumerate(job["results"])}
    url = js("getComputeResultUrl", js.url, SIGNER, job["jobId"], results["read.json"])
    filename, text = js.download(url)
    assert filename == "read.json"
    read = json.loads(text)
    folders = [asset.id.removeprefix("did:op:") for asset in datasets]
    expected = [RAIN, None] if js.version in ONE_DATASET else [RAIN, WIND]
    assert [read.get(f"{folder}/0") for folder in folders] == expected

    # The same orders serve again, and are renewed for a longer time.
    first, *others = js.quotes([rain, wind], ordered, environment, minutes=5)["datasets"]
    assert [(answer["validOrder"], "providerFee" in answer) for answer in (first, *others)] == [
        (order, False) for order in orders[:2]
    ]
    longer = js.quotes([rain, wind], ordered, environment, minutes=10.5)
    assert [answer["validOrder"] for answer in [*longer["datasets"], longer["algorithm"]]] == orders
    renewed = js.reuse_order(assets.rain, longer["datasets"][0]["validOrder"], longer["datasets"][0]["providerFee"])
    renewed_wind = js.reuse_order(assets.wind, orders[1], longer["datasets"][1]["providerFee"])
    renewed_algorithm = js.reuse_order(algorithm, orders[2], longer["algorithm"]["providerFee"])
    second = js(
        "computeStart",
        js.url,
        SIGNER,
        environment,
        reference(assets.rain, renewed),
        reference(algorithm, renewed_algorithm),
        None,
        [reference(assets.wind, renewed_wind)],
    )
    assert js.finished(second[0]["jobId"])["status"] == 70
    # It looks at a failed start no further: null. (So it is with an unknown environment, and a used nonce.)
    assert js("computeStart", js.url, SIGNER, "nowhere", rain, ordered) is None


def test_compute_under_release_rules(js: OceanJs, ruled: Assets) -> None:
    compute(js, ruled, FREE)


def test_results_that_wait_for_their_owner(js: OceanJs, waiting: Assets, service: Service) -> None:
    """To the client the job is one that still publishes, until the owner lets it go."""
    job = start_raw(js, waiting.open, "import os; open(os.environ['OUTPUTS'] + '/mean', 'w').write('1.5'); print('ok')")
    end = time.monotonic() + 120
    while "held" not in (seen := js("computeStatus", js.url, js.address, job)[0]):
        assert time.monotonic() < end, seen
        time.sleep(0.1)
    assert (seen["status"], seen["statusText"], seen["dateFinished"]) == (60, "Publishing results", None)
    assert [result["type"] for result in seen["results"]] == ["configrationLog", "publishLog"]
    with pytest.raises(ClientError, match="Response error"):
        js.download(js("getComputeResultUrl", js.url, SIGNER, job, 2))
    service.call(release(service.url, job))
    done = js.finished(job)
    assert (done["status"], done["reason"]) == (70, "completed")
    results = {result["filename"]: index for index, result in enumerate(done["results"])}
    assert js.download(js("getComputeResultUrl", js.url, SIGNER, job, results["mean"])) == ("mean", "1.5")


def start_sleeping(js: OceanJs, dataset: DDO) -> str:
    """A job that runs until it is stopped."""
    return start_raw(js, dataset, SLEEP)


def start_raw(js: OceanJs, dataset: DDO, code: str) -> str:
    """A raw algorithm in the free environment."""
    consumer = js.environment(FREE)["consumerAddress"]
    algorithm = {"meta": raw_python(code)}
    (asked,) = js.quotes([reference(dataset)], algorithm, FREE)["datasets"]
    order = js.start_order(dataset, asked["providerFee"], consumer)
    started = js("computeStart", js.url, SIGNER, FREE, reference(dataset, order), algorithm)
    return str(started[0]["jobId"])


def stop(js: OceanJs, dataset: DDO, job: str) -> Any:
    more = [] if js.version != UNSIGNED_NONCE else [js("computeStatus", js.url, js.address, job)[0]["agreementId"]]
    return js("computeStop", dataset.id, js.address, job, js.url, SIGNER, *more)


def test_stop_and_delete(js: OceanJs, assets: Assets) -> None:
    job = start_sleeping(js, assets.open)
    if js.version not in (UNSENT_NONCE, UNSIGNED_NONCE):
        (stopped,) = stop(js, assets.open, job)
        assert stopped["stopreq"] == 1
        assert js.finished(job)["status"] == 70
    else:
        refusal = "nonce field is required" if js.version == UNSENT_NONCE else "Invalid signature"
        with pytest.raises(ClientError, match=refusal):
            stop(js, assets.open, job)
    with pytest.raises(ClientError, match="The nonce field is required"):
        js("computeDelete", assets.open.id, SIGNER, job, js.url)
    assert js("computeStatus", js.url, js.address, job)[0]["jobId"] == job
    js.stop_properly(job)


def test_stop_and_delete_where_missing_nonces_are_tolerated(lenient: OceanJs, tolerant_assets: Assets) -> None:
    dataset = tolerant_assets.open
    job = start_sleeping(lenient, dataset)
    (stopped,) = stop(lenient, dataset, job)
    assert stopped["stopreq"] == 1
    assert lenient.finished(job)["status"] == 70
    lenient("computeDelete", dataset.id, SIGNER, job, lenient.url)
    assert lenient("computeStatus", lenient.url, lenient.address, job) == []


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
