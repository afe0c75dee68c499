"""Results become a new asset: a whole job on the real service and chain, and what others can do with the asset."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from contract import names
from ocean.chain.contracts import event
from ocean.chain.development import CHAIN_ID, DevelopmentChain
from ocean.chain.logs import Log
from ocean.chain.network import Network
from ocean.chain.publishing import mint, set_metadata
from ocean.chain.transactions import TransactionFailed
from ocean.client import Consumer, ConsumerError
from ocean.ddo import DDO
from ocean.file_lists import files_of
from ocean.files import UrlFile
from pods.publication import PUBLISHED_PATH
from provider_api.deploy.file_server import FileServer
from records.verify import read_passport
from tests.support.chain import consumer, owner, provider, publisher, stranger
from tests.support.downloads import bought_of, document_of
from tests.support.how_to import blocks
from tests.support.living_folder import paths_in
from tests.support.markers import files_below, find_markers
from tests.support.pods import living
from tests.support.service import FREE, Buyer, Service, raw_python
from tests.support.stages import assert_nothing_left
from workflow_templates.environment import read_environments
from workflow_templates.parts import Filter
from workflow_templates.render import write

pytestmark = pytest.mark.integration

METADATA = {
    "name": "Rain, summed up",
    "description": "One number and a model",
    "author": "C. Onsumer",
    "license": "CC0-1.0",
    "tags": ["rain"],
}
MODEL, MODEL_NAME = bytes(range(256)) * 5000, "große Datei.bin"
CODE = f"""
import os, pathlib
folder = pathlib.Path(os.environ["OUTPUTS"])
(folder / "models").mkdir()
(folder / "models" / {MODEL_NAME!r}).write_bytes(bytes(range(256)) * 5000)
(folder / "answer.txt").write_text("42")
"""


async def start(buyer: Buyer, dataset: DDO, code: str, output: Any) -> str:
    ordered, algorithm = await buyer.order([dataset], raw_python(code))
    request = await buyer.consumer.start_request(FREE, ordered, algorithm)
    if output is not None:
        request["output"] = output
    return str((await buyer.consumer.start(request))["jobId"])


async def run(buyer: Buyer, dataset: DDO, code: str = CODE, output: Any = None) -> dict[str, Any]:
    """A raw algorithm's job, to its end; without an `output` its outputs shall become an asset."""
    wanted = {"publishOutput": True, "metadata": METADATA} if output is None else output
    return await buyer.finished(await start(buyer, dataset, code, wanted))


async def nfts_for(network: Network, address: str) -> int:
    """How many data NFTs an account was given at their creation."""
    created = event("ERC721Factory", "NFTCreated")
    query = {"address": network.factory, "fromBlock": 0, "topics": [created.topic]}
    found = [Log.of(item) for item in await network.web3.eth.get_logs(query)]  # type: ignore[arg-type]
    return sum(created.decode(log)["admin"] == address.lower() for log in found)


async def test_outputs_become_an_asset_that_others_order(buyer: Buyer, open_dataset: DDO, tmp_path: Path) -> None:
    before = await nfts_for(buyer.network, consumer.address)
    job = await run(buyer, open_dataset)
    assert (job["status"], job["reason"], job["exitCode"]) == (70, "completed", 0)
    log = (await buyer.result(job, "publish.log", tmp_path)).decode()
    assert f"the outputs are the asset {job['resultsDid']} of {consumer.address}" in log
    assert await nfts_for(buyer.network, consumer.address) == before + 1

    asset = await document_of(buyer.service, job["resultsDid"])
    assert asset.metadata is not None
    said = asset.document()["metadata"]
    assert {name: said[name] for name in METADATA} == METADATA
    told = said["additionalInformation"]["computeToData"]
    assert told.items() >= {"jobId": job["jobId"], "algorithm": "", "datasets": [open_dataset.id]}.items()
    passport = read_passport(await buyer.result(job, "passport.dsse.json", tmp_path)).statement
    formula: dict[str, Any] = {"hashlib": hashlib}
    exec(blocks("../reference/passport.md", "python")[1], formula)  # noqa: S102  the page's own program
    assert told["outputsDigest"] == formula["outputs_digest"](json.loads(passport.encoded())), "an anchor on chain"
    assert (asset.services[0].type, asset.services[0].service_endpoint) == ("access", buyer.service.url)

    ordered = await bought_of(buyer.service, buyer.network, consumer, asset, stranger)
    contents = [b"42", MODEL]
    async with httpx.AsyncClient(trust_env=False) as http:
        for index, content in enumerate(contents):
            answer = await http.get(ordered.url(index))
            assert answer.status_code == 200, answer.text
            assert answer.content == content
        assert "answer.txt" in (await http.get(ordered.url(0))).headers["content-disposition"]
        told = await http.post(
            f"{buyer.service.url}/api/services/fileinfo",
            json={"did": asset.id, "serviceId": asset.services[0].id, "checksum": True},
        )
        assert [(each["contentLength"], each["valid"], each["checksum"]) for each in told.json()] == [
            (str(len(content)), True, hashlib.sha256(content).hexdigest()) for content in contents
        ]

        # The job goes, with all its results; the asset stays.
        await buyer.consumer.delete(job["jobId"])
        with pytest.raises(ConsumerError):
            await buyer.result(job, "answer.txt", tmp_path)
        assert [(await http.get(ordered.url(index))).content for index in range(2)] == contents


async def test_the_new_owner_mints_and_edits_and_the_payer_does_neither(buyer: Buyer, open_dataset: DDO) -> None:
    asset = await document_of(buyer.service, (await run(buyer, open_dataset))["resultsDid"])
    network, datatoken = buyer.network, asset.services[0].datatoken_address
    assert await network.nft_owner(asset.nft_address) == consumer.address
    assert await network.read(network.function("ERC20Template", datatoken, "getPaymentCollector")) == [consumer.address]
    await mint(network, consumer, datatoken, stranger.address)
    edited = {**asset.document(), "metadata": {**asset.document()["metadata"], "name": "Edited"}}
    with pytest.raises(TransactionFailed, match="METADATA_ROLE"):
        await set_metadata(network, owner, asset.nft_address, edited, provider_url=buyer.service.url)
    with pytest.raises(TransactionFailed, match="NOT MINTER"):
        await mint(network, owner, datatoken, owner.address)
    asked = network.function("ERC721Template", asset.nft_address, "getPermissions", owner.address)
    (rights,) = await network.read(asked)
    assert not any(rights)
    await set_metadata(network, consumer, asset.nft_address, edited, provider_url=buyer.service.url)
    async with asyncio.timeout(60):
        while (await document_of(buyer.service, asset.id)).document()["metadata"]["name"] != "Edited":
            await asyncio.sleep(0.1)


async def test_the_address_of_a_file_is_its_permission(buyer: Buyer, open_dataset: DDO, service: Service) -> None:
    asset = await document_of(buyer.service, (await run(buyer, open_dataset))["resultsDid"])
    listed = files_of(asset, asset.services[0], provider)
    urls = [file.url for file in listed if isinstance(file, UrlFile)]
    token = urls[0].split("/")[-3]
    assert [url.partition(PUBLISHED_PATH)[2] for url in urls] == [
        f"/{token}/0/answer.txt",
        f"/{token}/1/gro%C3%9Fe%20Datei.bin",
    ]
    kept = [str(path) for path in paths_in(service.folder.results)]
    assert any(hashlib.sha256(token.encode()).hexdigest() in path for path in kept)
    assert not any(token in path for path in kept)

    own = service.url + PUBLISHED_PATH
    async with httpx.AsyncClient(trust_env=False) as http:
        for url in (urls[1], f"{own}/{token}/1/other-name"):
            whole = await http.get(url)
            assert (whole.status_code, whole.content) == (200, MODEL)
            assert whole.headers["etag"] == f'"{hashlib.sha256(MODEL).hexdigest()}"'
            part = await http.get(url, headers={"Range": "bytes=100-299"})
            assert (part.status_code, part.content) == (206, MODEL[100:300])
            assert part.headers["content-range"] == f"bytes 100-299/{len(MODEL)}"
            assert (await http.get(url, headers={"Range": f"bytes={len(MODEL)}-"})).status_code == 416
            head = await http.head(url)
            assert (head.status_code, head.headers["content-length"], head.content) == (200, str(len(MODEL)), b"")
        unknown = ["A" * 43 + "/0/x", "assets/0/x", f"{token[:-1]}/0/x"]
        unknown += [f"{token}/{index}/x" for index in ("2", "-1", "x", "00001", "%31%20")]
        for path in unknown:
            for base in (own, f"http://{service.machine.files_address}{PUBLISHED_PATH}"):
                assert (await http.get(f"{base}/{path}")).status_code == 404, path
        elsewhere = await http.get(f"http://{service.machine.files_address}/")
        assert elsewhere.status_code == 404
    assert token not in (service.folder.logs / "api.log").read_text()


@pytest.mark.parametrize("written", [0, 1, 3, 5])
async def test_a_publishing_pod_that_is_killed_is_tried_again(
    buyer: Buyer, open_dataset: DDO, service: Service, tmp_path: Path, written: int
) -> None:
    """With as many transactions signed. Argo starts the step anew; it goes on where the other one was."""
    before = await nfts_for(buyer.network, consumer.address)
    job_id = await start(buyer, open_dataset, CODE, {"publishOutput": True, "metadata": METADATA})
    journal = service.folder.argo / "volumes" / f"{job_id}-data" / "publication" / "journal.json"

    def kill_when_due() -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with suppress(FileNotFoundError):
                if len(json.loads(journal.read_text())["transactions"]) >= written:
                    for pid in living(f"C2D_JOB_ID={job_id}"):
                        os.kill(pid, signal.SIGKILL)
                    return
            time.sleep(0.001)
        raise AssertionError("the journal never came so far")

    await asyncio.to_thread(kill_when_due)
    job = await buyer.finished(job_id)
    assert (job["status"], job["reason"]) == (70, "completed")
    assert (await buyer.result(job, "publish.log", tmp_path)).count(b" publishing ") == 2
    assert await nfts_for(buyer.network, consumer.address) == before + 1
    asset = await document_of(buyer.service, job["resultsDid"])
    assert await buyer.network.nft_owner(asset.nft_address) == consumer.address


async def test_a_job_computes_on_the_asset(
    buyer: Buyer, open_dataset: DDO, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pods fetch its files like any others."""
    asset = await document_of(buyer.service, (await run(buyer, open_dataset))["resultsDid"])

    async def give(*assets: DDO, amount: int = 1) -> None:
        for each in assets:
            minter = consumer if each.id == asset.id else publisher
            await mint(buyer.network, minter, each.services[0].datatoken_address, consumer.address, amount * 10**18)

    monkeypatch.setattr(buyer, "give", give)
    code = f"""
import os, shutil
shutil.copytree(os.environ["INPUTS"] + "/{asset.id.removeprefix("did:op:")}", os.environ["OUTPUTS"] + "/copy")
"""
    ordered, algorithm = await buyer.order([open_dataset, asset], raw_python(code))
    wanted = {"publishOutput": True, "metadata": METADATA}
    request = await buyer.consumer.start_request(FREE, ordered, algorithm, output=wanted)
    job = await buyer.finished((await buyer.consumer.start(request))["jobId"])
    assert (job["status"], job["reason"]) == (70, "completed")
    assert [await buyer.result(job, name, tmp_path) for name in ("0", "1")] == [b"42", MODEL]
    further = await document_of(buyer.service, job["resultsDid"])
    told = further.document()["metadata"]["additionalInformation"]["computeToData"]
    assert told["datasets"] == [open_dataset.id, asset.id]


async def test_an_asset_that_is_only_computed_on(
    buyer: Buyer, open_dataset: DDO, files: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await run(
        buyer, open_dataset, output={"publishOutput": True, "metadata": {**METADATA, "service": "compute"}}
    )
    asset = await document_of(buyer.service, made["resultsDid"])
    assert asset.services[0].type == "compute"
    algorithm = await buyer.publish(files.urls["algorithm.py"], kind="algorithm")

    async def give(*assets: DDO, amount: int = 1) -> None:
        for each in assets:
            minter = consumer if each.id == asset.id else publisher
            await mint(buyer.network, minter, each.services[0].datatoken_address, consumer.address, amount * 10**18)

    monkeypatch.setattr(buyer, "give", give)
    with pytest.raises(ConsumerError, match="no_raw_algo_allowed"):
        await buyer.order([asset], raw_python(CODE))
    ordered, reference = await buyer.order([asset], algorithm)
    job = await buyer.finished(
        (await buyer.consumer.start(await buyer.consumer.start_request(FREE, ordered, reference)))["jobId"]
    )
    assert (job["status"], job["reason"]) == (70, "completed")
    seen = json.loads(await buyer.result(job, "seen.json", tmp_path))
    assert f"{asset.id.removeprefix('did:op:')}/1" in seen["inputs"]


async def test_no_secret_lies_around(buyer: Buyer, open_dataset: DDO, service: Service) -> None:
    """Neither the token nor the key: not in Argo's objects, not in logs, not in the database or on the chain."""
    asset = await document_of(buyer.service, (await run(buyer, open_dataset))["resultsDid"])
    (first, _) = files_of(asset, asset.services[0], provider)
    assert isinstance(first, UrlFile)
    markers = {"token": first.url.split("/")[-3], "key": bytes(owner.key).hex()}
    await assert_nothing_left(service.folder)  # volumes go with their jobs
    secret = service.folder.secrets / names.PUBLICATION_SECRET
    assert find_markers(markers, files_below(service.folder.root, without=[secret])) == []


async def test_it_is_announced(buyer: Buyer) -> None:
    listed = await buyer.consumer.environments(buyer.network.chain_id)
    assert {(each["publishesResults"], each["publicationChainId"]) for each in listed} == {
        (True, buyer.network.chain_id)
    }


NOT_ASKED = {
    "empty": {},
    "false": {"publishOutput": False, "metadata": METADATA},
    "no flag": {"metadata": METADATA, "owner": "x"},
    "text": "",
    "as portals send it": {"publishAlgorithmLog": True, "publishOutput": True},
}


@pytest.mark.parametrize("output", NOT_ASKED.values(), ids=NOT_ASKED)
async def test_nothing_is_made_unasked(buyer: Buyer, open_dataset: DDO, output: Any) -> None:
    before = await nfts_for(buyer.network, consumer.address)
    job = await run(buyer, open_dataset, output=output)
    assert (job["status"], job["reason"]) == (70, "completed")
    assert "resultsDid" not in job
    assert await nfts_for(buyer.network, consumer.address) == before


FORGING = """
import os, pathlib
pathlib.Path(os.environ["OUTPUTS"], "answer.txt").write_text("wrong")
for name in ("publication", "adminlogs", "start"):
    try:
        os.makedirs("/data/" + name, exist_ok=True)
        pathlib.Path("/data", name, "wish.json").write_text("{}")
    except OSError:
        pass
raise SystemExit(3)
"""


async def test_a_failed_algorithm_makes_none(buyer: Buyer, open_dataset: DDO, tmp_path: Path) -> None:
    before = await nfts_for(buyer.network, consumer.address)
    job = await run(buyer, open_dataset, FORGING)
    assert (job["status"], job["reason"], job["exitCode"]) == (41, "algorithm_failed", 3)
    assert "resultsDid" not in job
    assert b"no asset is made: the algorithm did not succeed" in await buyer.result(job, "publish.log", tmp_path)
    assert await nfts_for(buyer.network, consumer.address) == before


async def test_a_stopped_job_makes_none(buyer: Buyer, open_dataset: DDO) -> None:
    before = await nfts_for(buyer.network, consumer.address)
    code = "import time; open(__import__('os').environ['OUTPUTS'] + '/half', 'w').write('x'); time.sleep(100)"
    job_id = await start(buyer, open_dataset, code, {"publishOutput": True, "metadata": METADATA})
    async with asyncio.timeout(60):
        while (await buyer.job(job_id) or {}).get("status") != 40:
            await asyncio.sleep(0.05)
    await buyer.consumer.stop(job_id)
    job = await buyer.finished(job_id)
    assert (job["status"], job["reason"], "resultsDid" in job) == (70, "stopped", False)
    assert await nfts_for(buyer.network, consumer.address) == before


async def test_malformed_metadata_are_refused(buyer: Buyer, open_dataset: DDO) -> None:
    with pytest.raises(ConsumerError) as refused:
        await start(
            buyer, open_dataset, CODE, json.dumps({"publishOutput": True, "metadata": {"name": "n", "title": "x"}})
        )
    assert (refused.value.status, refused.value.body) == (400, {"error": {"output": "metadata.title_invalid"}})


# --- with a filter ---------------------------------------------------------------------------------------------------

# Refuses what has "secret" in it, otherwise signs it.
FILTER = """
import os, pathlib
found = [p for p in pathlib.Path(os.environ["OUTPUTS"]).rglob("*") if p.is_file()]
if any(b"secret" in p.read_bytes() for p in found):
    raise SystemExit(10)
for p in found:
    p.write_bytes(p.read_bytes() + b" (released)")
"""


@pytest.fixture(scope="module")
def filtered(tmp_path_factory: pytest.TempPathFactory, files: Any) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("filtered")
    judge = Filter(image=names.STEP_IMAGE, command=("python", "-c", FILTER))
    write(folder / "gitops", [each.model_copy(update={"filter": judge}) for each in read_environments()])
    manifests = folder / "gitops" / "base"
    with Service(folder / "service", allow_private=[files.address], manifests=manifests) as running:
        yield running


@pytest.fixture
async def filtered_buyer(filtered: Service) -> AsyncIterator[Buyer]:
    async with Buyer.open(filtered) as opened:
        yield opened


async def test_what_a_filter_withholds_is_no_asset(filtered_buyer: Buyer, files: Any, tmp_path: Path) -> None:
    buyer = filtered_buyer
    dataset = await buyer.publish(files.urls["rain.csv"], compute={"allowRawAlgorithm": True})
    code = "import os; open(os.environ['OUTPUTS'] + '/answer', 'w').write({!r})"
    refused = await run(buyer, dataset, code.format("secret"))
    assert (refused["status"], refused["reason"], "resultsDid" in refused) == (41, "filtered", False)
    assert await nfts_for(buyer.network, consumer.address) == 0

    released = await run(buyer, dataset, code.format("fine"))
    assert (released["status"], released["reason"]) == (70, "completed")
    ordered = await bought_of(
        buyer.service, buyer.network, consumer, await document_of(buyer.service, released["resultsDid"]), stranger
    )
    async with httpx.AsyncClient(trust_env=False) as http:
        assert (await http.get(ordered.url())).content == b"fine (released)"


# --- a chain of the operator's ---------------------------------------------------------------------------------------


async def test_one_machine_on_a_chain_of_others(
    tmp_path: Path, development_chain: DevelopmentChain, files: FileServer
) -> None:
    """The operator names the chain and the key; without a key nothing is offered."""
    chain = {"url": development_chain.url, "chain_id": CHAIN_ID, "address_file": str(development_chain.address_file)}
    (tmp_path / "publisher.key").write_text("0x" + bytes(stranger.key).hex() + "\n")
    settings = {
        "C2D_CHAINS": json.dumps([chain]),
        "C2D_PUBLICATION__CHAIN_ID": str(CHAIN_ID),
        "C2D_PUBLICATION__KEY_FILE": str(tmp_path / "publisher.key"),
    }
    network = await Network.open(development_chain.url, development_chain.address_file)
    before = await network.web3.eth.block_number
    for given in (settings, {"C2D_CHAINS": settings["C2D_CHAINS"]}):
        folder = tmp_path / str(len(given))
        service = Service(folder, allow_private=[files.address], settings=given)
        with service:
            async with Consumer(service.url, consumer) as client:
                buyer = Buyer(service, network, client)
                dataset = await buyer.publish(files.urls["rain.csv"], compute={"allowRawAlgorithm": True})
                job = await run(buyer, dataset)
                assert (job["status"], job["reason"]) == (70, "completed")
                offered = [each.get("publishesResults") for each in await client.environments(CHAIN_ID)]
            assert offered == ([True, True] if given is settings else [None, None])
            assert ("resultsDid" in job) is (given is settings)
    created = event("ERC721Factory", "NFTCreated")
    query: Any = {"address": network.factory, "fromBlock": before + 1, "topics": [created.topic]}
    makers = [created.decode(Log.of(item))["creator"] for item in await network.web3.eth.get_logs(query)]
    assert makers.count(stranger.address.lower()) == 1
    await network.close()
