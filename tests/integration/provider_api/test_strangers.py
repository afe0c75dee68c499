"""What requests that nobody has signed can make the service do: little, and the same little however often."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from ocean.ddo import DDO
from ocean.file_lists import encode_files
from ocean.files import UrlFile
from ocean.keys import public_bytes
from provider_api.settings import OutgoingSettings, StrangerSettings
from tests.support import provider_facts as facts
from tests.support.file_shop import Shop
from tests.support.http_server import HttpServer, Reply, Request
from tests.support.provider_neighbours import FREE, PROVIDER_KEY, World

pytestmark = pytest.mark.integration

CODE = b"print('raw')"
FILEINFO, QUOTE, WHY_NOT = "/api/services/fileinfo", "/api/services/initializeCompute", "/api/v1/why-not"


async def never() -> AsyncIterator[bytes]:
    await asyncio.sleep(3600)
    yield b""


def answer(request: Request) -> Reply:
    if request.target == "/slow":
        return Reply(200, never())
    if request.target == "/large":
        return Reply(200, b"x" * (5 * 1024 * 1024))
    return Reply(200, CODE)


def shop_with(folder: Path, outgoing: dict[str, Any] | None = None, **strangers: Any) -> Any:
    return Shop.open(folder, answer, outgoing, strangers=StrangerSettings(**strangers))


# --- raw algorithms --------------------------------------------------------------------------------------------------


def raw(url: str) -> dict[str, Any]:
    container = {"entrypoint": facts.ENTRYPOINT, "image": "python", "tag": "3.12", "checksum": facts.CHECKSUM}
    return {"meta": {"url": url, "container": container, "language": "python", "version": "1"}}


def question(world: World, url: str, **dataset: Any) -> dict[str, Any]:
    return {
        "datasets": [{"documentId": facts.did(0), "serviceId": "svc", **dataset}],
        "algorithm": raw(url),
        "compute": {"env": FREE, "validUntil": int(time.time()) + 600},
        "environment": FREE,
        "consumerAddress": world.consumer.address,
    }


async def test_no_unsigned_question_fetches_a_raw_algorithm(tmp_path: Path) -> None:
    async with shop_with(tmp_path) as shop:
        world: World = shop.world
        world.publish()
        for path in (QUOTE, WHY_NOT):
            for dataset in ({}, {"documentId": facts.did(7)}, {"transferTxId": world.order()}):
                asked = question(world, f"{shop.url}/large", **dataset)
                assert (await world.http.post(path, json=asked)).status_code in (200, 400)
        assert shop.server.connections == 0


async def test_a_quote_for_a_raw_algorithm_is_given_unseen(tmp_path: Path) -> None:
    async with shop_with(tmp_path) as shop:
        shop.world.publish()
        quoted = await shop.world.http.post(QUOTE, json=question(shop.world, f"{shop.url}/raw.py"))
        assert quoted.status_code == 200, quoted.text
        malformed = await shop.world.http.post(QUOTE, json=question(shop.world, "ftp://x/y"))
        assert (malformed.status_code, malformed.json()) == (400, {"error": {"algorithm": "file_unavailable"}})


async def test_a_start_fetches_it_after_everything_else_is_good(tmp_path: Path) -> None:
    async with shop_with(tmp_path) as shop:
        world: World = shop.world
        world.publish()

        async def start(nonce: int, url: str, **changes: Any) -> httpx.Response:
            body = world.start_body(nonce, algorithm=raw(url))
            return await world.start(body | changes)

        unpaid = world.start_body(5, algorithm=raw(f"{shop.url}/raw.py"))
        unpaid["dataset"] = {**unpaid["dataset"], "transferTxId": "0x" + "9" * 64}
        assert (await world.start(unpaid)).status_code == 400
        assert (await start(6, f"{shop.url}/raw.py", signature="0x" + "1" * 130)).status_code == 400
        assert shop.server.connections == 0, "not paid, not signed"
        started = await start(7, f"{shop.url}/raw.py")
        assert started.status_code == 200, started.text
        assert len(shop.server.requests) == 1
        large = await start(8, f"{shop.url}/large")
        assert (large.status_code, large.json()) == (400, {"error": {"algorithm": "file_unavailable"}})
        private = await start(9, f"http://127.0.0.1:{shop.server.port}/raw.py")
        assert (private.status_code, private.json()) == (400, {"error": {"algorithm": "file_unavailable"}})


async def test_a_signature_alone_pays_for_nothing(tmp_path: Path) -> None:
    """A published algorithm is hashed at a start; for those who have not ordered it, within the budget of strangers."""
    async with shop_with(tmp_path, {"checksum_seconds": 0}, bytes_per_minute=1024 * 1024) as shop:
        world: World = shop.world
        world.publish()
        source = facts.document(facts.ALGORITHM_DID, "algorithm")
        listed = [UrlFile(f"{shop.url}/large")]
        source["services"][0]["files"] = encode_files(listed, facts.TOKEN, facts.NFT, public_bytes(PROVIDER_KEY))
        world.chain.assets[source["id"]] = DDO.parse(source)

        async def start(nonce: int, order: str) -> httpx.Response:
            algorithm = {"documentId": source["id"], "serviceId": "svc", "transferTxId": order}
            return await world.start(world.start_body(nonce, algorithm=algorithm))

        refused = [(await start(nonce, "0x" + "9" * 64)).status_code for nonce in range(5, 8)]
        assert refused == [400, 429, 429]
        asked = len(shop.server.requests)
        for nonce in range(8, 10):
            assert (await start(nonce, world.order())).status_code == 200
        assert len(shop.server.requests) == asked + 2, "who has ordered is not counted"


# --- the budget ------------------------------------------------------------------------------------------------------


async def test_bytes_are_counted(tmp_path: Path) -> None:
    """What a published file's checksum costs, once for all who ask, and nothing more beyond the budget."""
    async with shop_with(tmp_path, {"checksum_seconds": 1000}, bytes_per_minute=1024 * 1024) as shop:
        first = shop.publish(shop.file("/large"))
        (entry,) = (await shop.info(first, checksum=True)).json()
        assert len(entry["checksum"]) == 64
        refused = await shop.info(first, checksum=True)
        assert (refused.status_code, int(refused.headers["Retry-After"]) > 0) == (429, True)
        assert set(refused.json()) == {"context", "error"}
        shown = metrics(shop.world).splitlines()
        assert 'c2d_stranger_refusals_total{what="bytes"} 1.0' in shown
        delivered = await shop.download(shop.publish(shop.file("/large")), 5)
        assert (delivered.status_code, len(delivered.content)) == (200, 5 * 1024 * 1024), "who has paid is not counted"


def metrics(world: World) -> str:
    return world.services.metrics.text().decode()


async def test_requests_are_counted(tmp_path: Path) -> None:
    async with shop_with(tmp_path, units_per_minute=40) as shop:  # of which a quarter can be saved up
        statuses = [(await shop.world.http.get("/api/services/computeEnvironments")).status_code for _ in range(8)]
        assert statuses == [200] * 8
        dear = [await shop.info(**shop.file("/small")) for _ in range(2)]
        assert [one.status_code for one in dear] == [200, 429]
        assert (await shop.world.http.get("/health/live")).status_code == 200
        assert (await shop.download(shop.publish(shop.file()), 5)).status_code == 200


@pytest.mark.parametrize("path", ["/slow", "/other"])
async def test_strangers_do_not_keep_a_download_waiting(tmp_path: Path, path: str) -> None:
    """Hundreds of questions about one slow host; the download's host is the same, or another."""
    async with (
        shop_with(tmp_path, waiting_seconds=0.5, at_once=8, at_once_each=8, sources_each=2, waiting_each=1000) as shop,
        HttpServer(answer) as other,
    ):
        world: World = shop.world
        did = shop.publish(shop.file("/small"))
        host = shop.url if path == "/slow" else f"http://files.example:{other.port}"
        asking = [
            asyncio.create_task(world.http.post(FILEINFO, json={"type": "url", "url": f"{host}/slow?{number}"}))
            for number in range(100)
        ]
        slow = [
            asyncio.create_task(shop.info(shop.publish(shop.file("/slow"), number=number + 10), checksum=True))
            for number in range(200)
        ]
        await asyncio.sleep(0.1)
        for nonce in range(1, 4):
            delivered = await asyncio.wait_for(shop.download(did, nonce), 60)
            assert (delivered.status_code, delivered.content) == (200, CODE)
        assert other.connections + shop.server.connections <= 100 + 3 + 8
        answers = await asyncio.gather(*asking)
        assert {one.status_code for one in answers} <= {200, 429, 503}
        for task in slow:
            task.cancel()
        await asyncio.gather(*slow, return_exceptions=True)


async def test_a_host_with_too_many_downloads_is_refused_not_queued(tmp_path: Path) -> None:
    outgoing = {"downloads_each": 1}
    async with shop_with(tmp_path, outgoing) as shop:
        slow, quick = shop.publish(shop.file("/slow"), number=1), shop.publish(shop.file("/small"), number=2)
        held = asyncio.create_task(shop.download(slow, 5))
        async with asyncio.timeout(60):
            while not shop.server.requests:
                await asyncio.sleep(0.01)
        refused = await shop.download(quick, 6)
        assert (refused.status_code, "retry-after" in refused.headers) == (503, True)
        held.cancel()
        await asyncio.gather(held, return_exceptions=True)
        assert (await shop.download(quick, 6)).status_code == 200, "its nonce was not used up"


async def test_a_start_does_not_wait_for_a_strangers_hash(tmp_path: Path) -> None:
    """Nor end with it: what a stranger has begun to hash is hashed again for who has paid."""
    gate = asyncio.Event()

    async def held() -> AsyncIterator[bytes]:
        await gate.wait()
        yield CODE

    replies = [Reply(200, held()), Reply(200, held()), Reply(200, CODE), Reply(200, CODE)]

    def handler(request: Request) -> Reply:
        return replies.pop(0) if replies else Reply(200, CODE)

    async with Shop.open(tmp_path, handler) as shop:
        did = shop.publish(shop.file("/algorithm.py"))
        asked = asyncio.create_task(shop.info(did, checksum=True))
        async with asyncio.timeout(60):
            while shop.server.connections < 2:
                await asyncio.sleep(0.01)
        files = shop.world.services.files
        file = shop.world.services.assets.files(*await asset_of(shop, did))[0]
        found = await asyncio.wait_for(files.digests([file], publisher=facts.PUBLISHER.lower()), 60)
        assert found is not None
        assert not asked.done()
        gate.set()
        await asked


async def asset_of(shop: Shop, did: str) -> Any:
    asset = await shop.world.services.assets.find(did)
    return asset, asset.service("svc")


def test_settings_that_bound_nothing_are_refused() -> None:
    for given in ({"at_once": 0}, {"units_per_minute": 0}, {"bytes_per_minute": -1}):
        with pytest.raises(ValueError, match="greater than"):
            StrangerSettings(**given)
    for text in ("127.0.0.1:9000", "10.0.0.0/8:443", "files.internal:80/public"):
        with pytest.raises(ValueError, match="names no publisher"):
            OutgoingSettings(allow_private=(text,))
