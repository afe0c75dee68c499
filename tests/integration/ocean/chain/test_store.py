"""A metadata store beside the index: what it may add, and that none of its lies gets through."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from ocean.chain import store as store_module
from ocean.chain.index import AssetNotFound, MetadataIndex
from ocean.chain.metadata import pack
from ocean.chain.publishing import set_packed
from ocean.chain.store import PATH, MetadataStore
from ocean.ddo import DDO
from ocean.ecies import encrypt, public_key_of
from ocean.keys import Key
from tests.support.chain import PROVIDER_URL, Asset, Chain, provider, publisher, set_state, stranger
from tests.support.http_server import HttpServer, Reply, Request

pytestmark = pytest.mark.integration

OURS = stranger  # documents here are encrypted for `provider`


class Aquarius:
    """A store that says what a test tells it to."""

    def __init__(self) -> None:
        self.documents: dict[str, dict[str, Any]] = {}
        self.reply: Reply | bytes | None = None  # in place of documents
        self.server = HttpServer(self._answer)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.port}"

    @property
    def asked(self) -> list[str]:
        return [request.target for request in self.server.requests]

    def _answer(self, request: Request) -> Reply | bytes:
        if self.reply is not None:
            return self.reply
        document = self.documents.get(request.target.removeprefix(PATH))
        if document is None:
            return Reply(404, b'{"error": "not found"}')
        return Reply(200, json.dumps(document).encode())


@pytest.fixture
async def aquarius() -> AsyncIterator[Aquarius]:
    made = Aquarius()
    async with made.server:
        yield made


@asynccontextmanager
async def index(chain: Chain, url: str, key: Key = OURS, **limits: Any) -> AsyncIterator[MetadataIndex]:
    store = MetadataStore(url, **limits)
    made = MetadataIndex(chain.network, key, store=store)
    try:
        yield made
    finally:
        await made.close()
        await store.close()


async def seal(chain: Chain, asset: Asset, raw: bytes | None = None) -> dict[str, Any]:
    """Publish the document again, encrypted for another provider than us; these bytes, or ocean.py's."""
    plain = raw or json.dumps(asset.ddo.document(), separators=(",", ":")).encode()
    packed = pack(plain, 3, lambda data: encrypt(public_key_of(provider), data))
    await set_packed(chain.network, publisher, asset.nft, packed, provider_url=PROVIDER_URL)
    return dict(json.loads(plain))


async def is_found(index: MetadataIndex, did: str) -> DDO | None:
    try:
        return await index.resolve(did)
    except AssetNotFound:
        return None


def with_added(document: dict[str, Any], **added: Any) -> dict[str, Any]:
    """As a store answers."""
    return {
        **document,
        "nft": {"address": document["nftAddress"], "state": 0, "owner": publisher.address},
        "datatokens": [],
        "event": {"tx": "0x1"},
        "stats": {"orders": 5},
        "purgatory": {"state": False},
        **added,
    }


@pytest.mark.parametrize(
    "style",
    [
        {"separators": (",", ":")},
        {"separators": (",", ":"), "ensure_ascii": False},
        {},
        {"ensure_ascii": False},
    ],
)
async def test_a_document_that_only_the_store_can_read(chain: Chain, aquarius: Aquarius, style: dict[str, Any]) -> None:
    asset = await chain.publish(name="Régen")
    raw = json.dumps(asset.ddo.document(), **style).encode()
    aquarius.documents[asset.ddo.id] = with_added(await seal(chain, asset, raw))
    async with index(chain, aquarius.url + "/") as found:
        ddo = await found.resolve(asset.ddo.id)
        assert ddo.services[0].id == asset.service_id
        assert aquarius.asked == [PATH + asset.ddo.id]


async def test_state_owner_and_event_are_the_chains(chain: Chain, aquarius: Aquarius) -> None:
    asset = await chain.publish()
    lies = {
        "nft": {"address": stranger.address, "state": 0, "owner": stranger.address},
        "event": {"tx": "0x666"},
        "stats": {"orders": 1000},
        "datatokens": [{"address": stranger.address}],
    }
    aquarius.documents[asset.ddo.id] = with_added(await seal(chain, asset), **lies)
    async with index(chain, aquarius.url) as found:
        for state in (4, 1, 3):
            await set_state(chain.network, publisher, asset.nft, state)
            ddo = await found.resolve(asset.ddo.id)
            assert ddo.nft is not None
            assert (ddo.nft.state, ddo.nft.owner, ddo.nft.address) == (state, publisher.address, asset.nft)
            assert ddo.event["tx"] != "0x666"
            assert ddo.stats["orders"] == 0
            assert [token["address"] for token in ddo.datatokens] == ([] if state == 3 else [asset.datatoken])
        assert ddo.services == (), "revoked"


@pytest.mark.parametrize("lie", ["old document", "other asset", "other files", "added service", "field", "empty"])
async def test_documents_that_are_not_the_newest_ones(chain: Chain, aquarius: Aquarius, lie: str) -> None:
    asset, other = await chain.publish(), await chain.publish()
    old = await seal(chain, asset)
    newest = await seal(chain, Asset(DDO.parse(old | {"credentials": {"deny": [{"type": "address"}]}})))
    service = newest["services"][0]
    lies = {
        "old document": old,
        "other asset": other.ddo.document(),
        "other files": newest | {"services": [service | {"files": other.ddo.services[0].files}]},
        "added service": newest | {"services": [service, service | {"id": "mine"}]},
        "field": newest | {"mine": 1},
        "empty": {},
    }
    aquarius.documents[asset.ddo.id] = lies[lie] | {"purgatory": {"state": False}}
    async with index(chain, aquarius.url) as found:
        assert await is_found(found, asset.ddo.id) is None
        aquarius.documents[asset.ddo.id] = with_added(newest)
        assert await is_found(found, asset.ddo.id), "a lie is not remembered against the asset"


async def test_own_reading_of_a_document_comes_first(chain: Chain, aquarius: Aquarius) -> None:
    asset = await chain.publish()
    aquarius.documents[asset.ddo.id] = with_added(asset.ddo.document() | {"services": [], "credentials": {}})
    async with index(chain, aquarius.url, provider) as found:
        ddo = await found.resolve(asset.ddo.id)
        assert ddo.services[0].id == asset.service_id
        assert ddo.credentials == {"allow": [], "deny": []}


async def test_purgatory_is_the_stores_word(chain: Chain, aquarius: Aquarius) -> None:
    asset = await chain.publish()
    flag = {"state": True, "reason": "stolen data"}
    async with index(chain, aquarius.url) as found:
        assert (await found.resolve(asset.ddo.id)).purgatory == {"state": False}
        aquarius.documents[asset.ddo.id] = with_added(asset.ddo.document(), purgatory=flag)
        ddo = await found.resolve(asset.ddo.id)
        assert ddo.purgatory == ddo.document()["purgatory"] == flag
        for odd in (None, "yes", {"state": "true"}, {"state": 1}):
            aquarius.documents[asset.ddo.id]["purgatory"] = odd
            assert (await found.resolve(asset.ddo.id)).purgatory == {"state": False}


async def test_a_publisher_cannot_write_the_stores_fields(chain: Chain, aquarius: Aquarius) -> None:
    asset = await chain.publish()
    published = json.dumps(asset.ddo.document() | {"stats": {"orders": 9}, "purgatory": {"state": True}}).encode()
    await set_packed(chain.network, publisher, asset.nft, pack(published, 1), provider_url=PROVIDER_URL)
    async with index(chain, aquarius.url) as found:
        ddo = await found.resolve(asset.ddo.id)
        assert (ddo.purgatory, ddo.stats["orders"]) == ({"state": False}, 0)


async def test_an_unknown_asset_is_not_asked_for(chain: Chain, aquarius: Aquarius) -> None:
    did = "did:op:" + "5" * 64
    aquarius.documents[did] = with_added((await chain.publish()).ddo.document() | {"id": did})
    async with index(chain, aquarius.url) as found:
        assert await is_found(found, did) is None
    assert aquarius.asked == []


async def slowly() -> AsyncIterator[bytes]:
    while True:
        yield b" "
        await asyncio.sleep(0.05)


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (None, "slow"),
        (Reply(500, b"{}"), "status_500"),
        (Reply(302, b"", {"location": "http://127.0.0.1:1/elsewhere"}), "status_302"),
        (Reply(200, b" " * 5000), "too_large"),
        (Reply(200, b"{}", length=10), "RemoteProtocolError"),
        (Reply(200, b"<html>"), "not_json"),
        (Reply(200, b"[" * 4000), "not_json"),
        (Reply(200, b'{"a":' * 100 + b"1" + b"}" * 100), "not_json"),
        (Reply(200, b"[]"), "not_a_document"),
        (b"SSH-2.0\r\n\r\n", "RemoteProtocolError"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_a_store_that_fails_is_left_alone_for_a_while(
    chain: Chain, aquarius: Aquarius, reply: Any, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The own index decides, without waiting again."""
    asset = await chain.publish()
    warnings: list[str] = []
    monkeypatch.setattr(store_module.log, "warning", lambda _, reason: warnings.append(reason))
    aquarius.reply = Reply(200, slowly()) if reason == "slow" else reply
    monkeypatch.setattr(store_module, "PAUSE_SECONDS", 600)
    timeout_seconds = 0.3 if reason == "slow" else 30
    async with index(chain, aquarius.url, timeout_seconds=timeout_seconds, max_bytes=4096) as found:
        await found.sync()
        for _ in range(5):
            assert (await found.resolve(asset.ddo.id)).services[0].id == asset.service_id
        assert len(aquarius.asked) == 1
        assert warnings == ["TimeoutError" if reason == "slow" else reason]


async def test_a_store_that_is_away_and_comes_back(
    chain: Chain, aquarius: Aquarius, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "PAUSE_SECONDS", 0.2)
    asset = await chain.publish()
    document = await seal(chain, asset)
    aquarius.reply = Reply(503)
    async with index(chain, aquarius.url) as found, index(chain, "http://127.0.0.1:1") as nobody:
        assert await is_found(nobody, asset.ddo.id) is None
        assert await is_found(found, asset.ddo.id) is None
        aquarius.reply, aquarius.documents[asset.ddo.id] = None, with_added(document)
        async with asyncio.timeout(60):
            while not await is_found(found, asset.ddo.id):
                await asyncio.sleep(0.02)
