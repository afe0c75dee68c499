"""The API on a real chain, over HTTP, with a consumer that follows its answers. Argo is in memory here."""

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from eth_account.signers.local import LocalAccount

from ocean.addresses import checksum
from ocean.chain.order_wait import OrderDesk
from ocean.client import Consumer, ConsumerError
from ocean.files import UrlFile
from ocean.outgoing import OutgoingGuard
from ocean.purchase import Wish, order_all
from ocean.trust import container_checksum
from provider_api.app import create_app
from provider_api.chains.chains import Chains, open_chain
from provider_api.deploy.addresses import free_port
from provider_api.keys import ProviderKeys
from provider_api.services import Neighbours
from provider_api.settings import ChainSettings, OutgoingSettings, ProviderSettings, Settings
from provider_api.strangers.asking import OutgoingPools
from results.store import open_store
from tests.support import chain as actors
from tests.support import provider_facts
from tests.support.chain import Asset, Chain
from tests.support.http_server import HttpServer, Reply, Request
from tests.support.provider_neighbours import FREE, PAID, MemoryArgo

pytestmark = pytest.mark.integration

PROGRAM = b"print('hello')\n"
CONTAINER = {
    "entrypoint": "python $ALGO",
    "image": "python",
    "tag": "3.12",
    "checksum": "sha256:" + "ab" * 32,
}


@dataclass
class Running:
    url: str
    argo: MemoryArgo
    files: HttpServer
    chain: Chain
    served: dict[str, bytes]

    async def publish(self, **draft: Any) -> Asset:
        file = UrlFile(f"http://127.0.0.1:{self.files.port}/data.csv")
        return await self.chain.publish(**({"files": [file], "compute": {"allowRawAlgorithm": False}} | draft))

    async def publish_algorithm(self, **draft: Any) -> Asset:
        file = UrlFile(f"http://127.0.0.1:{self.files.port}/algorithm.py")
        details = {"type": "algorithm", "service": "access", "files": [file], "algorithm": {"container": CONTAINER}}
        return await self.chain.publish(**(details | draft))

    async def order(
        self, consumer: Consumer, key: LocalAccount, environment: str, assets: list[Asset], seconds: int = 600
    ) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        """Ask what to buy, buy it; datasets and the algorithm (the last asset) as a start names them."""
        for asset in assets:
            await self.chain.give(asset, key)
        wishes = [Wish(asset.ddo, asset.service_id) for asset in assets]
        *datasets, algorithm = wishes
        answer = await consumer.initialize_compute(
            [wish.reference() for wish in datasets], algorithm.reference(), environment, int(time.time()) + seconds
        )
        address = (await consumer.environments(self.chain.network.chain_id))[0]["consumerAddress"]
        replies = [*answer["datasets"], answer["algorithm"]]
        bought = await order_all(self.chain.network, key, address, wishes, replies)
        return bought[:-1], bought[-1]


@pytest.fixture
async def service(chain: Chain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Running]:
    monkeypatch.setattr(provider_facts, "ENVIRONMENT_ADDRESS", checksum(actors.environment.address))
    argo, served = MemoryArgo(), {"/algorithm.py": PROGRAM, "/data.csv": b"a,b\n"}

    def answer(request: Request) -> Reply:
        content = served.get(request.target)
        if content is None:
            return Reply(404)
        tag = '"' + hashlib.sha256(content).hexdigest()[:8] + '"'
        if request.headers.get("if-none-match") == tag:
            return Reply(304)
        return Reply(200, content, {"ETag": tag})

    async with AsyncExitStack() as stack:
        files = await stack.enter_async_context(HttpServer(answer))
        settings = Settings(
            data_folder=tmp_path,
            provider=ProviderSettings(key="0x" + bytes(actors.provider.key).hex()),  # type: ignore[arg-type]
            chains=(ChainSettings(url=chain.url, address_file=Path(chain.address_file), chain_id=8996),),
            outgoing=OutgoingSettings(allow_private=(f"127.0.0.1:{files.port}@*",), checksum_seconds=0),
        )

        @asynccontextmanager
        async def neighbours(settings: Settings, keys: ProviderKeys) -> AsyncIterator[Neighbours]:
            async with AsyncExitStack() as inner:
                opened = await open_chain(settings.chains[0], keys, tmp_path, tmp_path / "none", inner)
                client = await inner.enter_async_context(OutgoingGuard(settings.outgoing.allow_private).client())
                yield Neighbours(
                    argo=argo,
                    chains=Chains({opened.chain_id: opened}),
                    outgoing=OutgoingPools.single(client),
                    results=open_store(settings.results_url()),
                )

        port = free_port()
        server = uvicorn.Server(uvicorn.Config(create_app(settings, neighbours), port=port, log_config=None))
        task = asyncio.create_task(server.serve())
        while not server.started:
            assert not task.done(), task.exception()
            await asyncio.sleep(0.01)
        yield Running(f"http://127.0.0.1:{port}", argo, files, chain, served)
        server.should_exit = True
        await task


@pytest.fixture
async def consumer(service: Running) -> AsyncIterator[Consumer]:
    async with Consumer(service.url, actors.consumer) as consumer:
        yield consumer


@pytest.mark.parametrize("environment", [FREE, PAID])
async def test_the_whole_way(service: Running, consumer: Consumer, environment: str) -> None:
    first, second = await service.publish(), await service.publish()
    algorithm = await service.publish_algorithm()
    datasets, program = await service.order(consumer, actors.consumer, environment, [first, second, algorithm])
    request = await consumer.start_request(environment, datasets, program)
    job = await consumer.start(request)
    assert job["inputDID"] == [first.ddo.id, second.ddo.id]
    assert job["algoDID"] == algorithm.ddo.id
    assert job["agreementId"] == datasets[0]["transferTxId"]
    assert await consumer.start(request) == job
    with pytest.raises(ConsumerError) as again:
        await consumer.start(await consumer.start_request(environment, datasets, program))
    assert "already in use for other job" in again.value.body["error"]
    service.argo.finish(job["jobId"])
    await consumer.start(await consumer.start_request(environment, datasets, program))


async def refusal(consumer: Consumer, environment: str, datasets: Any, program: Any) -> Any:
    with pytest.raises(ConsumerError) as refused:
        await consumer.start(await consumer.start_request(environment, datasets, program))
    assert refused.value.status == 400
    return refused.value.body["error"]


async def test_trust_by_checksums(service: Running, consumer: Consumer) -> None:
    algorithm = await service.publish_algorithm()
    entry = {
        "did": algorithm.ddo.id,
        "filesChecksum": hashlib.sha256(PROGRAM).hexdigest(),
        "containerSectionChecksum": container_checksum(CONTAINER["entrypoint"], CONTAINER["checksum"]),
    }
    dataset = await service.publish(compute={"publisherTrustedAlgorithms": [entry]})
    datasets, program = await service.order(consumer, actors.consumer, FREE, [dataset, algorithm])
    service.served["/algorithm.py"] = b"print('something else')\n"
    assert await refusal(consumer, FREE, datasets, program) == {"dataset": "algorithm_file_checksum_mismatch"}
    del service.served["/algorithm.py"]
    assert await refusal(consumer, FREE, datasets, program) == {"algorithm": "file_unavailable"}
    service.served["/algorithm.py"] = PROGRAM
    await consumer.start(await consumer.start_request(FREE, datasets, program))


async def test_an_unchanged_algorithm_is_not_fetched_again(service: Running, consumer: Consumer) -> None:
    dataset, algorithm = await service.publish(), await service.publish_algorithm()
    for _ in range(3):
        await consumer.initialize_compute(
            [Wish(dataset.ddo, dataset.service_id).reference()],
            Wish(algorithm.ddo, algorithm.service_id).reference(),
            FREE,
            int(time.time()) + 600,
        )
    assert ["if-none-match" in request.headers for request in service.files.requests] == [False, True, True]


async def test_an_order_of_another_environment(service: Running, consumer: Consumer) -> None:
    dataset, algorithm = await service.publish(), await service.publish_algorithm()
    datasets, program = await service.order(consumer, actors.consumer, FREE, [dataset, algorithm])
    assert await refusal(consumer, PAID, datasets, program) == {"dataset.serviceId": "order_invalid"}


async def test_somebody_elses_order(service: Running, consumer: Consumer) -> None:
    dataset, algorithm = await service.publish(), await service.publish_algorithm()
    datasets, program = await service.order(consumer, actors.consumer, FREE, [dataset, algorithm])
    async with Consumer(service.url, actors.stranger) as thief:
        assert await refusal(thief, FREE, datasets, program) == {"dataset.serviceId": "order_invalid"}


async def test_replays(service: Running, consumer: Consumer) -> None:
    """The signature covers neither the algorithm nor the other datasets; the nonce makes it good for one content."""
    dataset, algorithm = await service.publish(), await service.publish_algorithm()
    other = await service.publish_algorithm()
    datasets, program = await service.order(consumer, actors.consumer, FREE, [dataset, algorithm])
    _, substitute = await service.order(consumer, actors.consumer, FREE, [dataset, other])
    request = await consumer.start_request(FREE, datasets, program)
    job = await consumer.start(request)
    service.argo.finish(job["jobId"])
    with pytest.raises(ConsumerError) as replayed:
        await consumer.start({**request, "algorithm": substitute})
    assert "expected nonce" in replayed.value.body["errors"]["signature"]
    assert (await consumer.start(request))["jobId"] == job["jobId"]
    shouted = {**request, "consumerAddress": request["consumerAddress"].lower()}
    with pytest.raises(ConsumerError) as spelled:
        await consumer.start(shouted)
    assert "signature" in spelled.value.body["errors"]
    assert service.argo.created == 1


async def test_a_renewal_is_asked_for_and_accepted(service: Running, consumer: Consumer) -> None:
    dataset, algorithm = await service.publish(), await service.publish_algorithm()
    datasets, program = await service.order(consumer, actors.consumer, PAID, [dataset, algorithm], seconds=60)
    answer = await consumer.initialize_compute(datasets, program, PAID, int(time.time()) + 900)
    assert set(answer["datasets"][0]) == {"datatoken", "nonce", "providerFee", "validOrder"}
    wishes = [Wish(asset.ddo, asset.service_id) for asset in (dataset, algorithm)]
    address = checksum(actors.environment.address)
    replies = [*answer["datasets"], answer["algorithm"]]
    renewed = await order_all(service.chain.network, actors.consumer, address, wishes, replies)
    answer = await consumer.initialize_compute(renewed[:1], renewed[1], PAID, int(time.time()) + 800)
    assert list(answer) == ["algorithm", "datasets"]
    for asset, entry, paid in zip(wishes, [*answer["datasets"], answer["algorithm"]], renewed, strict=True):
        assert set(entry) == {"datatoken", "nonce", "validOrder"}
        assert entry["datatoken"] == asset.ddo.services[0].datatoken_address
        assert entry["validOrder"] == paid["transferTxId"]
    job = await consumer.start(await consumer.start_request(PAID, renewed[:1], renewed[1]))
    assert job["agreementId"] == renewed[0]["transferTxId"]


async def test_an_unknown_transaction_is_refused_after_a_moment(
    service: Running, consumer: Consumer, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[str] = []
    wait = OrderDesk._wait

    async def counted(desk: OrderDesk, tx_hash: str) -> None:
        waits.append(tx_hash)
        await wait(desk, tx_hash)

    monkeypatch.setattr(OrderDesk, "_wait", counted)
    dataset, algorithm = await service.publish(), await service.publish_algorithm()
    datasets, program = await service.order(consumer, actors.consumer, FREE, [dataset, algorithm])
    began = time.monotonic()
    unknown = [{**datasets[0], "transferTxId": "0x" + "12" * 32}]
    assert await refusal(consumer, FREE, unknown, program) == {"dataset.serviceId": "order_invalid"}
    assert time.monotonic() - began >= 5, "our node may learn of it"
    assert len(waits) == 1
    await consumer.initialize_compute(unknown, program, FREE, int(time.time()) + 600)
    assert len(waits) == 1, "who has signed nothing is answered at once"
