"""A service with a metadata store as a setting, and documents that were encrypted for another provider."""

from __future__ import annotations

import http.server
import json
import threading
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any, Self

import httpx
import pytest

from ocean.chain.metadata import pack
from ocean.chain.publishing import set_packed
from ocean.chain.store import PATH
from ocean.client import ConsumerError
from ocean.ddo import DDO
from ocean.ecies import encrypt, public_key_of
from provider_api.deploy.file_server import FileServer
from tests.support.chain import publisher, stranger
from tests.support.service import FREE, Buyer, Service, raw_python

pytestmark = pytest.mark.integration

OTHER_PROVIDER = stranger
RAW = {"meta": raw_python("1")}


class Others:
    """A metadata store and another provider's decrypt endpoint, in a thread of its own."""

    def __init__(self) -> None:
        documents = self.documents = dict[str, dict[str, Any]]()  # by DID
        opened = self.opened = dict[str, bytes]()  # plain documents by transaction

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                document = documents.get(self.path.removeprefix(PATH))
                self._answer(404 if document is None else 200, json.dumps(document).encode())

            def do_POST(self) -> None:
                asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
                plain = opened.get(asked["transactionId"])
                self._answer(403 if plain is None else 201, plain or b"")

            def _answer(self, status: int, content: bytes) -> None:
                self.send_response(status)
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                """Nothing."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self._server.server_port}"
        self.url = f"http://{self.address}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture(scope="module")
def others() -> Iterator[Others]:
    with Others() as running:
        yield running


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory, files: FileServer, others: Others) -> Iterator[Service]:
    """A service of its own, which asks that store."""
    folder, settings = tmp_path_factory.mktemp("stored"), {"C2D_METADATA__STORE_URL": others.url}
    with Service(folder, allow_private=[files.address, others.address], settings=settings) as running:
        yield running


@pytest.fixture
async def buyer(stored: Service) -> AsyncIterator[Buyer]:
    async with Buyer.open(stored) as opened:
        yield opened


async def sealed(buyer: Buyer, asset: DDO, others: Others) -> tuple[bytes, str]:
    """Publish the document again, encrypted for the other provider: its bytes and the transaction."""
    plain = json.dumps(asset.document(), separators=(",", ":")).encode()
    packed = pack(plain, 3, lambda data: encrypt(public_key_of(OTHER_PROVIDER), data))
    nft = asset.nft_address
    return plain, await set_packed(buyer.network, publisher, nft, packed, provider_url=others.url)


async def quotes(buyer: Buyer, asset: DDO) -> dict[str, Any]:
    dataset = {"documentId": asset.id, "serviceId": asset.services[0].id}
    return await buyer.consumer.initialize_compute([dataset], RAW, FREE, int(time.time()) + 600)


async def status_of(buyer: Buyer, asset: DDO) -> int:
    async with httpx.AsyncClient() as client:
        return (await client.get(f"{buyer.service.url}{PATH}{asset.id}", timeout=240)).status_code


async def test_an_asset_in_purgatory_is_refused(buyer: Buyer, files: FileServer, others: Others) -> None:
    asset = await buyer.publish(files.urls["rain.csv"], compute={"allowRawAlgorithm": True})
    assert (await quotes(buyer, asset))["datasets"]
    others.documents[asset.id] = asset.document() | {"purgatory": {"state": True, "reason": "stolen"}}
    with pytest.raises(ConsumerError, match=r"ConsumableCodes\.ASSET_DISABLED"):
        await quotes(buyer, asset)
    others.documents[asset.id]["purgatory"] = {"state": False}
    assert (await quotes(buyer, asset))["datasets"]


async def test_a_document_for_another_provider_comes_from_the_store(
    buyer: Buyer, files: FileServer, others: Others
) -> None:
    asset = await buyer.publish(files.urls["rain.csv"], compute={"allowRawAlgorithm": True})
    plain, _ = await sealed(buyer, asset, others)
    assert await status_of(buyer, asset) == 404
    others.documents[asset.id] = json.loads(plain) | {"credentials": {}}
    assert await status_of(buyer, asset) == 404
    others.documents[asset.id] = json.loads(plain)
    assert await status_of(buyer, asset) == 200
    assert (await quotes(buyer, asset))["datasets"]


async def test_a_document_for_another_provider_is_opened_by_that_provider(
    buyer: Buyer, files: FileServer, others: Others
) -> None:
    asset = await buyer.publish(files.urls["rain.csv"], compute={"allowRawAlgorithm": True})
    plain, transaction = await sealed(buyer, asset, others)
    assert await status_of(buyer, asset) == 404
    others.opened[transaction] = plain + b" "
    assert await status_of(buyer, asset) == 404
    others.opened[transaction] = plain
    assert await status_of(buyer, asset) == 200
