"""ocean.py 3.1.2, unmodified: its flows from publishing to deleting, with us as provider and as metadata store."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ocean.did import did_of
from tests.support.chain import provider, stranger
from tests.support.clients import CLIENT_PUBLISHER, PYTHON_CONSUMER, Client, ClientError
from tests.support.file_sources import ALGORITHM, RAIN, WIND, FileSources
from tests.support.ocean_js import publish as publish_asset
from tests.support.owners import release
from tests.support.path_prefix import PathPrefix
from tests.support.service import CONTAINER, FREE, PAID, Service, raw_python

pytestmark = pytest.mark.integration

PUBLISHED_ALGORITHM = {"language": "python", "format": "docker-image", "version": "0.1", "container": CONTAINER}
OPEN = {
    "allowRawAlgorithm": True,
    "allowNetworkAccess": False,
    "publisherTrustedAlgorithms": [],
    "publisherTrustedAlgorithmPublishers": [],
}
SLEEP = raw_python("import time; print('asleep', flush=True); time.sleep(100)")
COPY = raw_python("""
import os, pathlib, shutil
(dataset,) = pathlib.Path(os.environ["INPUTS"]).glob("*/0")
shutil.copy(dataset, os.environ["OUTPUTS"])
""")
UNKNOWN = "did:op:" + "0" * 64


@dataclass(frozen=True)
class Published:
    """DIDs of what all tests use; the consumer has datatokens of each."""

    dataset: str  # files rain and wind, services access and compute, trusts the algorithm
    algorithm: str
    other: str  # an algorithm that nobody trusts
    open: str  # one file, any algorithm


def publish(client: Client, sources: FileSources) -> Published:
    rain, wind, code = (
        {"type": "url", "url": f"{sources.url}/files/{name}"} for name in ("rain.csv", "wind.csv", "algorithm.py")
    )
    algorithm, other = (
        client("publish", files=[code], name=name, kind="algorithm", algorithm=PUBLISHED_ALGORITHM)
        for name in ("Read", "Other")
    )
    dataset = client("publish", files=[rain, wind])
    trusted = client("trust", dataset=dataset, algorithm=algorithm)["publisherTrustedAlgorithms"]
    assert trusted == [
        {
            "did": algorithm,
            "filesChecksum": sha256(ALGORITHM),
            "containerSectionChecksum": sha256(CONTAINER["entrypoint"] + CONTAINER["checksum"]),
        }
    ]
    made = Published(dataset, algorithm, other, client("publish", files=[rain], compute=OPEN))
    for did in (dataset, algorithm, other, made.open):
        client("give", did=did, amount=20)
    return made


@pytest.fixture(scope="module")
def published(oceanpy: Client, sources: FileSources) -> Published:
    return publish(oceanpy, sources)


# --- publishing ------------------------------------------------------------------------------------------------------


def test_what_it_published_can_be_read_back(oceanpy: Client, published: Published) -> None:
    """Encrypted and compressed (its default), resolved through our answers in a metadata store's place."""
    seen = oceanpy("document", did=published.dataset)
    document = seen["document"]
    assert did_of(document["nftAddress"], document["chainId"]) == published.dataset
    assert [service["type"] for service in document["services"]] == ["access", "compute"]
    assert (document["nft"]["state"], document["nft"]["owner"]) == (0, CLIENT_PUBLISHER.address)
    assert document["event"]["from"] == CLIENT_PUBLISHER.address
    assert seen["metadata"] == document["metadata"]
    assert oceanpy("exists", did=published.dataset) is True
    assert oceanpy("exists", did=UNKNOWN) is False


def test_an_invalid_document_is_refused_before_it_is_published(oceanpy: Client, published: Published) -> None:
    assert oceanpy("validate", did=published.dataset, name="Better rain") is True
    with pytest.raises(ClientError, match="ValueError: DDO has validation errors"):
        oceanpy("validate", did=published.dataset, name="")


def test_file_info(oceanpy: Client, published: Published, sources: FileSources) -> None:
    entries = oceanpy("file_info", did=published.dataset, checksum=True)
    assert [(entry["valid"], entry["checksum"]) for entry in entries] == [(True, sha256(RAIN)), (True, sha256(WIND))]
    # A private address is open to what is published there, never to whoever asks.
    assert oceanpy("check_file", file={"type": "url", "url": f"{sources.url}/files/rain.csv"}) is False
    assert oceanpy("check_file", file={"url": "no type"}) is False


# --- access ----------------------------------------------------------------------------------------------------------


def test_order_and_download(oceanpy: Client, published: Published, tmp_path: Path) -> None:
    order_and_download(oceanpy, published, tmp_path)


def order_and_download(client: Client, published: Published, folder: Path) -> None:
    order = client("pay_for_access", did=published.dataset)
    all_files = client("download", did=published.dataset, order=order, folder=str(folder / "all"))
    assert all_files == {"file0": RAIN, "file1": WIND}
    # The same order again, one file, with parameters for its source.
    again = {"did": published.dataset, "order": order, "folder": str(folder / "one"), "index": 1}
    assert client("download", **again, userdata={"unit": "km/h"}) == {"file1": WIND + "unit=km/h"}


def test_a_download_needs_an_order_of_ones_own(oceanpy: Client, published: Published, tmp_path: Path) -> None:
    nobodys = {"did": published.dataset, "order": "0x" + "ab" * 32, "folder": str(tmp_path)}
    with pytest.raises(ClientError, match=r"downloadEndpoint failed: .*could not be validated due to error"):
        oceanpy("download", **nobodys)


def test_who_is_denied_is_told_so(oceanpy: Client, sources: FileSources) -> None:
    """The client asks its own rules first; the provider's answer is what it reports for somebody else."""
    denied = {"type": "address", "values": [PYTHON_CONSUMER.address]}
    file = {"type": "url", "url": f"{sources.url}/files/rain.csv"}
    asset = oceanpy("publish", files=[file], credentials={"allow": [], "deny": [denied]})
    with pytest.raises(ClientError, match="AssetNotConsumable"):
        oceanpy("pay_for_access", did=asset)
    with pytest.raises(ClientError, match=r"initializeEndpoint failed: .*was denied with code: ConsumableCodes"):
        oceanpy("initialize", did=asset)


# --- compute ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("environment", [FREE, PAID])
def test_compute(oceanpy: Client, published: Published, environment: str) -> None:
    compute(oceanpy, published, environment)


def compute(client: Client, published: Published, environment: str) -> None:
    listed = client("environments")
    assert listed["free"] == FREE
    assert {entry["id"] for entry in listed["all"]} == {FREE, PAID}

    pair = {"dataset": published.dataset, "algorithm": published.algorithm, "environment": environment}
    (fee,) = (entry["providerFee"] for entry in client("quote", **pair)["datasets"])
    amount = int(fee["providerFeeAmount"])
    assert (amount > 0) == (environment == PAID)
    before = client("ocean_balance", address=provider.address)
    if amount:
        client("approve_ocean", did=published.dataset, amount=3 * amount)  # with the renewal below
    bought = client("order", **pair)
    assert bought["transactions"] == 2
    paid = client("ocean_balance", address=provider.address) - before
    assert paid == amount or 0 < paid < 2 * amount  # the time has gone on since the quote

    job_id = client("start", **pair, orders=bought["orders"])
    job = client("wait", dataset=published.dataset, job=job_id)
    assert (job["status"], job["ok"], job["reason"]) == (70, True, "completed")
    assert float(job["dateFinished"]) >= float(job["dateCreated"])
    assert job["algoDID"] == published.algorithm
    (output,) = client("logs", dataset=published.dataset, job=job_id, kind="output")
    folder = published.dataset.removeprefix("did:op:")
    read = json.loads(output)
    assert (read[f"{folder}/0"], read[f"{folder}/1"]) == (RAIN, WIND)
    (log,) = client("logs", dataset=published.dataset, job=job_id, kind="algorithmLog")
    assert log.startswith("read ")
    assert client("result", dataset=published.dataset, job=job_id, index=0) == output

    # The orders serve again without a transaction, and are renewed for a longer time.
    assert client("order", **pair, orders=bought["orders"], minutes=5) == {**bought, "transactions": 0}
    longer = client("order", **pair, orders=bought["orders"], minutes=10.5)
    assert longer["transactions"] == 2
    second = client("start", **pair, orders=longer["orders"])
    assert client("wait", dataset=published.dataset, job=second)["status"] == 70

    deleted = client("delete", dataset=published.dataset, job=job_id)
    assert deleted is not None
    with pytest.raises(ClientError, match=r"IndexError|KeyError|AttributeError|TypeError"):  # it takes [0] of nothing
        client("status", dataset=published.dataset, job=job_id)


def test_stop(oceanpy: Client, published: Published) -> None:
    """A raw algorithm, stopped while it runs: what it printed is delivered."""
    pair = {"dataset": published.open, "algorithm": SLEEP, "environment": FREE}
    orders = oceanpy("order", **pair)["orders"]
    assert orders[1] is None
    job = oceanpy("start", **pair, orders=orders)
    oceanpy("until", dataset=published.open, job=job, reached=40)
    stopped = oceanpy("stop", dataset=published.open, job=job)
    assert (stopped["jobId"], stopped["stopreq"], stopped["ok"]) == (job, 1, True)
    assert oceanpy("wait", dataset=published.open, job=job)["status"] == 70
    assert oceanpy("logs", dataset=published.open, job=job, kind="algorithmLog") == ["asleep\n"]


def test_parameters_of_the_consumer_reach_sources_and_algorithm(oceanpy: Client, published: Published) -> None:
    pair = {"dataset": published.dataset, "algorithm": published.algorithm, "environment": FREE}
    orders = oceanpy("order", **pair)["orders"]
    job = oceanpy("start", **pair, orders=orders, userdata={"unit": "mm"}, custom_data={"iterations": 3})
    assert oceanpy("wait", dataset=published.dataset, job=job)["status"] == 70
    (output,) = oceanpy("logs", dataset=published.dataset, job=job, kind="output")
    read = json.loads(output)
    assert read[f"{published.dataset.removeprefix('did:op:')}/0"] == RAIN + "unit=mm"
    assert json.loads(read["algoCustomData.json"]) == {"iterations": 3}


def test_parameters_that_a_publisher_asks_for(
    oceanpy: Client, service: Service, sources: FileSources, published: Published
) -> None:
    """One is required, one has a default: a start without the first is refused, the second reaches the source."""
    text = {"type": "text", "label": "", "description": ""}
    asked = [
        {**text, "name": "station", "required": True, "default": ""},
        {**text, "name": "unit", "required": False, "default": "mm"},
    ]
    compute = {"allowRawAlgorithm": True}
    rain = [f"{sources.url}/files/rain.csv"]
    asset = publish_asset(service, [PYTHON_CONSUMER.address], rain, compute=compute, consumer_parameters=asked)
    pair = {"dataset": asset.id, "algorithm": COPY, "environment": FREE}
    given = {"station": "north"}
    orders = oceanpy("order", **pair, userdata=given)["orders"]
    with pytest.raises(ClientError, match="missing:station"):
        oceanpy("start", **pair, orders=orders)
    job = oceanpy("start", **pair, orders=orders, userdata=given)
    assert oceanpy("wait", dataset=asset.id, job=job)["status"] == 70
    (output,) = oceanpy("logs", dataset=asset.id, job=job, kind="output")
    assert output in (RAIN + "station=north&unit=mm", RAIN + "unit=mm&station=north")


def test_compute_under_release_rules(oceanpy: Client, service: Service, sources: FileSources) -> None:
    rules = {"maxBytes": 1_000, "maxFiles": 1, "types": ["csv"], "logBytes": 1_000}
    asset = with_rules(service, sources, rules)
    pair = {"dataset": asset, "algorithm": COPY, "environment": FREE}
    job = oceanpy("start", **pair, orders=oceanpy("order", **pair)["orders"])
    assert oceanpy("wait", dataset=asset, job=job)["status"] == 70
    assert oceanpy("logs", dataset=asset, job=job, kind="output") == [RAIN]


def test_results_that_wait_for_their_owner(oceanpy: Client, service: Service, sources: FileSources) -> None:
    """To the client the job is one that still publishes, until the owner lets it go."""
    asset = with_rules(service, sources, {"approval": "owner"})
    pair = {"dataset": asset, "algorithm": COPY, "environment": FREE}
    job = oceanpy("start", **pair, orders=oceanpy("order", **pair)["orders"])
    end = time.monotonic() + 120
    while "held" not in (seen := oceanpy("status", dataset=asset, job=job)):
        assert time.monotonic() < end, seen
        time.sleep(0.1)
    assert (seen["status"], seen["statusText"], seen["ok"]) == (60, "Publishing results", True)
    assert oceanpy("logs", dataset=asset, job=job, kind="output") == []
    service.call(release(service.url, job))
    assert oceanpy("wait", dataset=asset, job=job)["status"] == 70
    assert oceanpy("logs", dataset=asset, job=job, kind="output") == [RAIN]


def with_rules(service: Service, sources: FileSources, rules: dict[str, Any]) -> str:
    """The DID of a dataset whose publisher says what may leave."""
    rain = [f"{sources.url}/files/rain.csv"]
    compute = {"allowRawAlgorithm": True}
    return publish_asset(service, [PYTHON_CONSUMER.address], rain, compute=compute, release=rules).id


def test_publishers_may_be_trusted_instead_of_algorithms(oceanpy: Client, sources: FileSources) -> None:
    code, rain = ({"type": "url", "url": f"{sources.url}/files/{name}"} for name in ("algorithm.py", "rain.csv"))
    algorithm = oceanpy("publish", files=[code], name="Read", kind="algorithm", algorithm=PUBLISHED_ALGORITHM)
    dataset = oceanpy("publish", files=[rain])
    pair = {"dataset": dataset, "algorithm": algorithm, "environment": FREE}
    oceanpy("trust_publisher", dataset=dataset, publisher=stranger.address)
    with pytest.raises(ClientError, match="not_trusted_algo_publisher"):
        oceanpy("quote", **pair)
    values = oceanpy("trust_publisher", dataset=dataset, publisher=CLIENT_PUBLISHER.address)
    assert values["publisherTrustedAlgorithmPublishers"] == [stranger.address, CLIENT_PUBLISHER.address]
    assert "datatoken" in oceanpy("quote", **pair)["datasets"][0]


# --- refusals, by the texts that the client's own tests look for -----------------------------------------------------


def test_untrusted_and_raw_algorithms(oceanpy: Client, published: Published) -> None:
    with pytest.raises(ClientError, match="not_trusted_algo"):
        oceanpy("quote", dataset=published.dataset, algorithm=published.other, environment=FREE)
    with pytest.raises(ClientError, match="no_raw_algo_allowed"):
        oceanpy("quote", dataset=published.dataset, algorithm=SLEEP, environment=FREE)
    # The start says the same, whatever was asked before.
    pair = {"dataset": published.dataset, "environment": FREE}
    bought = oceanpy("order", **pair, algorithm=published.algorithm)["orders"]
    with pytest.raises(ClientError, match=r"DataProviderException: computeStartEndpoint failed: .*not_trusted_algo"):
        oceanpy("start", **pair, algorithm=published.other, orders=bought)
    with pytest.raises(ClientError, match=r"DataProviderException: computeStartEndpoint failed: .*no_raw_algo_allowed"):
        oceanpy("start", **pair, algorithm=SLEEP, orders=bought)


def test_refusals_have_the_form_it_reads(oceanpy: Client, published: Published) -> None:
    with pytest.raises(ClientError, match=r"The dataset.documentId field is required."):
        oceanpy("start_without_asset", dataset=published.dataset, environment=FREE)
    with pytest.raises(ClientError, match="DataProviderException: initializeEndpoint failed"):
        oceanpy("initialize", did=published.dataset, as_did=UNKNOWN)
    with pytest.raises(ClientError, match=r"DataProviderException: initializeEndpoint failed: .*initializeCompute"):
        oceanpy("initialize", did=published.dataset, service="compute")
    with pytest.raises(ClientError, match="Compute environment does not exist"):
        oceanpy("quote", dataset=published.dataset, algorithm=published.algorithm, environment="nowhere")


# --- behind a path ---------------------------------------------------------------------------------------------------


def test_behind_a_path(oceanpy_prefixed: Client, prefixed: PathPrefix, sources: FileSources, tmp_path: Path) -> None:
    """Provider and metadata store below a path. It also asks the host's own `/`, which must answer like a provider."""
    published = publish(oceanpy_prefixed, sources)
    (endpoint, _) = (
        s["serviceEndpoint"] for s in oceanpy_prefixed("document", did=published.dataset)["document"]["services"]
    )
    assert endpoint == prefixed.url
    order_and_download(oceanpy_prefixed, published, tmp_path)
    for environment in (FREE, PAID):
        compute(oceanpy_prefixed, published, environment)
    assert "/" in prefixed.paths
    assert all(path == "/" or path.startswith("/ocean/provider") for path in prefixed.paths)


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
