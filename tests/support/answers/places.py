"""The service that is asked, with its neighbours in memory, and what a test puts into it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from contract.manifest import summary_of
from contract.provenance import Provisioned
from ocean.chain.decryption import Publication
from ocean.chain.market_events import MarketReader
from ocean.chain.market_store import TABLES, MarketStore
from ocean.chain.market_view import MarketView
from ocean.chain.metadata import PackedDocument
from ocean.ddo import DDO
from ocean.file_lists import encode_files
from ocean.files import File, UrlFile
from ocean.keys import public_bytes
from provider_api.endpoints.service.internal import internal_app
from results.object_names import asset_folder
from tests.support import provider_facts as facts
from tests.support.answers.book import Asker, Book
from tests.support.market import log_of
from tests.support.provider_neighbours import PROVIDER_KEY, MemoryChain, World
from tests.support.stored_results import store_files

MARKET: Final = json.loads((Path(__file__).parents[2] / "recordings/clients/token-price-query.json").read_text("utf-8"))


@dataclass
class RecordedChain(MemoryChain):
    """With documents by transaction, and with what a real chain said of the market of one datatoken."""

    documents: dict[str, PackedDocument] = field(default_factory=dict)
    market_case: str = ""  # a name of a recorded case; "": there are no markets

    async def publication(self, nft: str, tx: str | None) -> Publication:
        return replace(await super().publication(nft, tx), document=self.documents.get(tx or ""))

    async def market(self) -> tuple[MarketView, int]:
        if not self.market_case:
            return await super().market()
        self._reachable()
        case = next(case for case in MARKET["cases"] if case["name"] == self.market_case)
        db = sqlite3.connect(":memory:")
        db.executescript(TABLES)
        store, reader = MarketStore(db), MarketReader(MARKET["addresses"])
        store.add(event for entry in case["logs"] if (event := reader.read(log_of(entry))) is not None)
        return MarketView(_Contracts(), store), 77  # type: ignore[arg-type]


class _Contracts:
    """What contracts say of themselves, the same of all."""

    chain_id, addresses = 8996, {"Router": "0x" + "a" * 40}
    _says: Final = {
        "name": "Ocean Token",
        "symbol": "OCEAN",
        "decimals": 18,
        "getId": 1,
        "getOPCFees": [10**15, 2 * 10**15],
        "getOPCConsumeFee": 3 * 10**16,
        "getOPCProviderFee": 0,
        "getApprovedTokens": [facts.TOKEN],
    }

    def view(self, contract: str, address: str, name: str) -> str:
        return name

    async def read(self, *views: str) -> list[Any]:
        return [self._says[name] for name in views]

    async def nft_owner(self, nft: str) -> str | None:
        return facts.PUBLISHER


class RecordedWorld(World):
    chain: RecordedChain


@asynccontextmanager
async def place(
    book: Book, prepared: Callable[[RecordedWorld], None] = lambda world: None, **settings: Any
) -> AsyncIterator[tuple[RecordedWorld, Asker]]:
    """A running service with its own folder, and who asks it. `prepared`: what is done before it starts."""
    world = RecordedWorld(book.new_folder(), **settings)
    world.chain = RecordedChain()
    prepared(world)
    async with world.running():
        yield world, Asker(book, world.app)


def internal(book: Book, world: World) -> Asker:
    """Who asks the port for the operator's own programs."""
    return Asker(book, internal_app(world.services), every_answer=False)


def publish(
    world: World,
    number: int,
    kind: str = "dataset",
    files: Sequence[File] = (UrlFile("http://127.0.0.1:9/secret.csv"),),
    *,
    service: dict[str, Any] | None = None,
    compute: dict[str, Any] | None = None,
    **document: Any,
) -> str:
    """An asset on the chain; its DID. A dataset has a compute service, an algorithm an access service, both `svc`."""
    source = facts.document(facts.did(number), kind, service=service) | document
    section = source["services"][0]
    if compute:
        section["compute"] = section["compute"] | compute
    section["files"] = encode_files(list(files), facts.TOKEN, facts.NFT, public_bytes(PROVIDER_KEY))
    world.chain.assets[source["id"]] = DDO.parse(source)
    return str(source["id"])


def says_rules(world: World, did: str, rules: dict[str, Any]) -> None:
    """The dataset's document has these release rules from now on."""
    ddo = world.chain.assets[did]
    told = {"release": rules}
    services = tuple(each.model_copy(update={"additional_information": told}) for each in ddo.services)
    world.chain.assets[did] = ddo.model_copy(update={"services": services})


def belongs_to(world: World, did: str, owner: str) -> None:
    """Another account owns the asset's data NFT from now on."""
    ddo = world.chain.assets[did]
    assert ddo.nft is not None
    world.chain.assets[did] = ddo.model_copy(update={"nft": ddo.nft.model_copy(update={"owner": owner})})


def publish_results(
    world: World, job_id: str, *files: tuple[str, bytes, str], provisioned: Provisioned | None = None
) -> None:
    """Files in the store as the publishing pod puts them there, and the end of the job, which tells of them."""
    manifest = store_files(world.settings.data_folder / "results", job_id, files, provisioned=provisioned)
    world.argo.finish(job_id, results=summary_of(manifest, manifest.encoded()).encoded())


def publish_asset_files(world: World, token: str, *files: tuple[str, bytes, str]) -> None:
    """Files of an asset that a job's results have become."""
    store_files(world.settings.data_folder / "results", asset_folder(token), files)
