"""decrypt: published documents for metadata stores; and whatever else is encrypted for the provider stays closed."""

from __future__ import annotations

import hashlib
import json
import lzma
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from eth_account import Account
from eth_account.signers.local import LocalAccount

from ocean import ecies
from ocean.addresses import checksum
from ocean.chain.contracts import event
from ocean.chain.decryption import read_publication
from ocean.chain.development import account
from ocean.chain.logs import Log
from ocean.chain.metadata import PackedDocument
from ocean.chain.publishing import create_nft, set_packed
from ocean.ddo import DDO
from ocean.ecies import public_key_of
from ocean.signing import decrypt_message, sign
from provider_api.deploy.file_server import FileServer
from provider_api.settings import AccessSettings
from tests.support import provider_facts as facts
from tests.support.chain import Chain, provider, publisher, set_state, stranger
from tests.support.provider_neighbours import CONSUMER_KEY, World
from tests.support.raw_http import Memory, cpu_seconds
from tests.support.service import Buyer, Service

pytestmark = pytest.mark.integration

PATH = "/api/services/decrypt"
FLAGS = {0: "plain", 1: "compressed", 2: "encrypted", 3: "both"}


def encrypted(plain: bytes) -> bytes:
    return ecies.encrypt(public_key_of(provider), plain)


def sha256(plain: bytes) -> str:
    return "0x" + hashlib.sha256(plain).hexdigest()


class Store:
    """A metadata store: it signs with its own account and takes its clock for nonces."""

    def __init__(self, http: httpx.AsyncClient, key: LocalAccount) -> None:
        self.http, self.key = http, key

    def body(self, nft: str, **given: Any) -> dict[str, Any]:
        """A signed request; `given` are the remaining fields, or other values of those that are signed."""
        body: dict[str, Any] = {
            "decrypterAddress": self.key.address,
            "chainId": 8996,
            "dataNftAddress": nft,
            "nonce": str(time.time_ns()),
            **given,
        }
        message = decrypt_message(
            body.get("transactionId") or body["dataNftAddress"],
            body["decrypterAddress"],
            body["chainId"],
            body["nonce"],
        )
        return {"signature": sign(message, self.key), **body}

    async def ask(self, nft: str, **given: Any) -> httpx.Response:
        return await self.http.post(PATH, json=self.body(nft, **given))

    async def ask_for(self, nft: str, plain: bytes, data: bytes, flags: int) -> httpx.Response:
        return await self.ask(nft, encryptedDocument="0x" + data.hex(), flags=flags, documentHash=sha256(plain))


def require_refused(answer: httpx.Response, error: str, status: int = 400) -> None:
    """The peer's text to the letter, and beside it what is allowed."""
    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert list(answer.json()) == ["error", "wanted"]
    assert all(answer.json()["wanted"].values())


def require_document(answer: httpx.Response, document: Mapping[str, Any]) -> None:
    assert answer.status_code == 201, answer.text
    assert answer.headers["content-type"] == "text/plain"
    assert json.loads(answer.content) == document


@pytest.fixture
async def store(service: Service) -> AsyncIterator[Store]:
    async with httpx.AsyncClient(base_url=service.url, timeout=240, trust_env=False) as http:
        yield Store(http, account(7))


@pytest.fixture
async def asset(buyer: Buyer, files: FileServer) -> DDO:
    return await buyer.publish(files.urls["rain.csv"])


async def events(buyer: Buyer, nft: str) -> list[Log]:
    """Metadata events of an NFT, oldest first."""
    topic = event("ERC721Template", "MetadataCreated").topic
    eth = buyer.network.web3.eth
    (logs,) = await buyer.network.read(
        eth.get_logs({"fromBlock": 0, "toBlock": "latest", "address": checksum(nft), "topics": [topic]})  # type: ignore[typeddict-item,list-item]
    )
    return [Log.of(log) for log in logs]


async def transaction(buyer: Buyer, asset: DDO) -> str:
    """The one that published the asset."""
    return (await events(buyer, asset.nft_address))[0].tx_hash


async def packed(buyer: Buyer, asset: DDO) -> PackedDocument:
    """What lies on chain for everybody to copy."""
    found = await read_publication(buyer.network, asset.nft_address, await transaction(buyer, asset))
    assert found.document is not None
    return found.document


# --- documents are opened --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("flags", FLAGS, ids=FLAGS.values())
async def test_by_transaction_and_by_arguments(service: Service, store: Store, flags: int) -> None:
    network = await service.network()
    chain = Chain(service.chain_url, str(service.machine.address_file), network)
    made = (await chain.publish(flags=flags)).ddo
    buyer = Buyer(service, network, None)  # type: ignore[arg-type]
    tx, found = await transaction(buyer, made), await packed(buyer, made)
    require_document(await store.ask(made.nft_address, transactionId=tx), made.document())
    answer = await store.ask(
        made.nft_address,
        encryptedDocument=found.data.hex(),
        flags=flags,
        documentHash=found.digest.hex().upper(),
    )
    require_document(answer, made.document())
    await network.close()


async def test_the_bytes_are_the_published_ones(store: Store, buyer: Buyer, asset: DDO) -> None:
    tx, found = await transaction(buyer, asset), await packed(buyer, asset)
    answer = await store.ask(asset.nft_address, transactionId=tx)
    assert hashlib.sha256(answer.content).digest() == found.digest


async def test_raw_lzma(store: Store, asset: DDO) -> None:
    plain = json.dumps(asset.document()).encode()
    data = encrypted(lzma.compress(plain, lzma.FORMAT_ALONE))
    require_document(await store.ask_for(asset.nft_address, plain, data, 3), asset.document())


async def test_the_newest_document_of_the_nft_in_its_transaction(
    store: Store, service: Service, buyer: Buyer, asset: DDO
) -> None:
    """Events of the NFT count from its first on; another's between them do not."""
    changed = asset.document() | {"version": "4.1.0", "metadata": {**asset.document()["metadata"], "name": "second"}}
    plain = json.dumps(changed).encode()
    tx = await set_packed(
        buyer.network,
        publisher,
        asset.nft_address,
        PackedDocument(b"\x02", encrypted(plain), hashlib.sha256(plain).digest()),
        provider_url=service.url,
    )
    require_document(await store.ask(asset.nft_address, transactionId=tx), changed)


@pytest.mark.parametrize("spelling", ["lower", "shouted", "bare transaction"])
async def test_any_spelling(store: Store, buyer: Buyer, asset: DDO, spelling: str) -> None:
    """Ocean Provider answers 503 for a lower-case NFT."""
    nft, tx = asset.nft_address, await transaction(buyer, asset)
    if spelling == "lower":
        nft = nft.lower()
    elif spelling == "shouted":
        nft = "0x" + nft[2:].upper()
    else:
        tx = tx[2:].upper()
    require_document(await store.ask(nft, transactionId=tx), asset.document())


async def test_in_the_query_like_everywhere(store: Store, buyer: Buyer, asset: DDO) -> None:
    """By transaction; flags in a query are text, which is no number."""
    body = store.body(asset.nft_address, transactionId=await transaction(buyer, asset))
    require_document(await store.http.post(PATH, params=body), asset.document())


# --- states ----------------------------------------------------------------------------------------------------------

STATES = {1: "Asset end of life", 2: "Asset deprecated", 3: "Asset revoked", 4: None, 5: None}


@pytest.mark.parametrize("state", STATES)
async def test_states(store: Store, buyer: Buyer, asset: DDO, state: int) -> None:
    tx, found = await transaction(buyer, asset), await packed(buyer, asset)
    await set_state(buyer.network, publisher, asset.nft_address, state)
    by_tx = await store.ask(asset.nft_address, transactionId=tx)
    by_arguments = await store.ask(
        asset.nft_address, encryptedDocument=found.data.hex(), flags=3, documentHash=found.digest.hex()
    )
    for answer in (by_tx, by_arguments):
        if (text := STATES[state]) is not None:
            require_refused(answer, text, 403)
        else:
            require_document(answer, asset.document())


# --- attacks ---------------------------------------------------------------------------------------------------------


@pytest.fixture
async def attackers_nft(buyer: Buyer) -> str:
    """An active NFT that anybody may make."""
    nft, _ = await create_nft(buyer.network, stranger, "trap")
    return nft


@pytest.fixture
async def revoked(buyer: Buyer, asset: DDO) -> DDO:
    await set_state(buyer.network, publisher, asset.nft_address, 3)
    return asset


NOT_ITS_DOCUMENT = "The document does not belong to the data NFT."


async def test_transaction_of_another_nft(store: Store, buyer: Buyer, revoked: DDO, attackers_nft: str) -> None:
    """Ocean Provider judges the state of the NFT that is named, and takes the document of any transaction."""
    tx = await transaction(buyer, revoked)
    require_refused(await store.ask(attackers_nft, transactionId=tx), "Failed to process transaction id.")


async def test_events_of_a_contract_that_is_no_nft(
    store: Store, service: Service, buyer: Buyer, revoked: DDO, attackers_nft: str
) -> None:
    log = (await events(buyer, revoked.nft_address))[0]
    topics = [bytes.fromhex(topic[2:]) for topic in log.topics]
    chain = Chain(service.chain_url, str(service.machine.address_file), buyer.network)
    tx = await chain.forge_logs([(topics, log.data)])
    for nft in (attackers_nft, revoked.nft_address):
        require_refused(await store.ask(nft, transactionId=tx), "Failed to process transaction id.")


async def test_a_copied_document_in_an_event_of_ones_own(
    store: Store, service: Service, buyer: Buyer, revoked: DDO, attackers_nft: str
) -> None:
    """Document and hash are public; whoever copies both has a good event of an active NFT."""
    copied = await packed(buyer, revoked)
    tx = await set_packed(buyer.network, stranger, attackers_nft, copied, provider_url=service.url)
    require_refused(await store.ask(attackers_nft, transactionId=tx), NOT_ITS_DOCUMENT)


async def test_a_copied_document_as_arguments(store: Store, buyer: Buyer, revoked: DDO, attackers_nft: str) -> None:
    copied = await packed(buyer, revoked)
    answer = await store.ask(
        attackers_nft, encryptedDocument=copied.data.hex(), flags=3, documentHash=copied.digest.hex()
    )
    require_refused(answer, NOT_ITS_DOCUMENT)


@pytest.mark.parametrize("version", ["4.1.0", "4.0.0"])
@pytest.mark.parametrize("form", ["arguments", "event"])
async def test_files_of_a_service(
    store: Store, service: Service, buyer: Buyer, files: FileServer, attackers_nft: str, version: str, form: str
) -> None:
    """The encrypted file list stands in the document. Not even who knows its hash is shown the addresses in it."""
    asset = await buyer.publish(files.urls["rain.csv"], version=version)
    blob = bytes.fromhex(asset.services[0].files[2:])
    plain = ecies.decrypt(provider, blob)
    assert files.urls["rain.csv"].encode() in plain
    for key, nft in ((stranger, attackers_nft), (publisher, asset.nft_address)):
        if form == "arguments":
            answer = await store.ask_for(nft, plain, blob, 2)
        else:
            copied = PackedDocument(b"\x02", blob, hashlib.sha256(plain).digest())
            tx = await set_packed(buyer.network, key, nft, copied, provider_url=service.url)
            answer = await store.ask(nft, transactionId=tx)
        require_refused(answer, NOT_ITS_DOCUMENT)
        assert "rain" not in answer.text


async def test_whoever_does_not_know_the_hash_learns_nothing(store: Store, asset: DDO) -> None:
    blob = bytes.fromhex(asset.services[0].files[2:])
    require_refused(await store.ask_for(asset.nft_address, b"a guess", blob, 2), "Checksum doesn't match.")


@pytest.mark.parametrize("container", [lzma.FORMAT_XZ, lzma.FORMAT_ALONE])
async def test_compressed_bomb(store: Store, service: Service, asset: DDO, container: int) -> None:
    """200 MB in some 30 kB: it is not opened to its end."""
    bomb = lzma.compress(b"\0" * 200_000_000, container, preset=0)
    assert len(bomb) < 100_000
    pid = service.machine.child("api").pid
    assert pid is not None
    watched, before = Memory.watch(pid), cpu_seconds(pid)
    require_refused(await store.ask_for(asset.nft_address, b"", encrypted(bomb), 3), "Failed to decompress")
    assert watched.grown < 100_000_000
    assert cpu_seconds(pid) - before < 5


async def test_an_nft_of_no_factory(store: Store, buyer: Buyer, asset: DDO) -> None:
    tx = await transaction(buyer, asset)
    for nft in (asset.services[0].datatoken_address, stranger.address):
        require_refused(await store.ask(nft, transactionId=tx), "Asset not deployed by the data NFT factory.")


# --- the caller ------------------------------------------------------------------------------------------------------


async def test_signature_and_nonce(store: Store, buyer: Buyer, asset: DDO) -> None:
    tx = await transaction(buyer, asset)
    forged = store.body(asset.nft_address, transactionId=tx) | {"decrypterAddress": publisher.address}
    answer = await store.http.post(PATH, json=forged)
    assert answer.status_code == 400
    assert answer.json()["errors"]["signature"].startswith("Invalid signature 0x")
    absent = {key: value for key, value in forged.items() if key != "signature"}
    assert (await store.http.post(PATH, json=absent)).json()["errors"] == {
        "signature": ["Invalid signature provided. Please check the nonce or documentId."]
    }

    good = store.body(asset.nft_address, transactionId=tx)
    require_document(await store.http.post(PATH, json=good), asset.document())
    again = await store.http.post(PATH, json=good)
    assert again.json()["errors"]["signature"] == (
        f"Invalid signature expected nonce ({good['nonce']}) > current nonce ({good['nonce']})."
    )


async def test_the_signature_names_the_nft_or_the_transaction(store: Store, buyer: Buyer, asset: DDO) -> None:
    """With a transaction, another one needs another signature."""
    body = store.body(asset.nft_address, transactionId=await transaction(buyer, asset))
    answer = await store.http.post(PATH, json=body | {"transactionId": "0x" + "12" * 32})
    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == ["signature"]


async def test_a_refused_request_keeps_its_nonce(store: Store, buyer: Buyer, asset: DDO) -> None:
    """A store may repeat what was refused for now, and need not count on from there."""
    body = store.body(asset.nft_address, transactionId=await transaction(buyer, asset))
    await set_state(buyer.network, publisher, asset.nft_address, 3)
    require_refused(await store.http.post(PATH, json=body), "Asset revoked", 403)
    await set_state(buyer.network, publisher, asset.nft_address, 0)
    require_document(await store.http.post(PATH, json=body), asset.document())


async def test_with_a_token(store: Store, buyer: Buyer, asset: DDO) -> None:
    owner, nonce = store.key.address, str(time.time_ns())
    query = {
        "address": owner,
        "expiration": str(int(time.time()) + 600),
        "nonce": nonce,
        "signature": sign(owner + nonce, store.key),
    }
    token = (await store.http.get("/api/services/createAuthToken", params=query)).json()["token"]
    body = store.body(asset.nft_address, transactionId=await transaction(buyer, asset))
    del body["signature"]
    require_document(await store.http.post(PATH, json=body, headers={"AuthToken": token}), asset.document())
    body["nonce"] = str(time.time_ns())
    answer = await store.http.post(PATH, json=body, headers={"AuthToken": token + "x"})
    assert answer.json()["errors"] == {
        "signature": ["Invalid signature provided. Please check the nonce or documentId."]
    }


# --- what is no request ----------------------------------------------------------------------------------------------

GOOD = {"encryptedDocument": "0x00", "flags": 1, "documentHash": "0x00"}
CONVERT = "Failed to convert input args to bytes."
ODD: dict[str, tuple[dict[str, Any], str]] = {
    "unknown chain": ({**GOOD, "chainId": 137}, "Unconfigured chain_id"),
    "unknown transaction": ({"transactionId": "0x" + "12" * 32}, "Failed to process transaction id."),
    "no transaction hash": ({"transactionId": "0x12"}, "Failed to process transaction id."),
    "no hex": ({**GOOD, "encryptedDocument": "0xzz"}, CONVERT),
    "half a byte": ({**GOOD, "documentHash": "0x1"}, CONVERT),
    "a number as document": ({**GOOD, "encryptedDocument": 5}, CONVERT),
    "a list as hash": ({**GOOD, "documentHash": ["0x00"]}, CONVERT),
    "flags as text": ({**GOOD, "flags": "3"}, CONVERT),
    "flags as truth": ({**GOOD, "flags": True}, CONVERT),
    "flags too large": ({**GOOD, "flags": 256}, CONVERT),
    "negative flags": ({**GOOD, "flags": -1}, CONVERT),
    "unknown flags": ({**GOOD, "flags": 4}, "Failed to decrypt."),
    "not encrypted for us": ({**GOOD, "flags": 2}, "Failed to decrypt."),
    "not compressed": ({**GOOD, "flags": 1}, "Failed to decompress"),
    "empty": ({**GOOD, "flags": 0, "encryptedDocument": "0x"}, "Checksum doesn't match."),
}


@pytest.mark.parametrize("case", ODD)
async def test_odd_requests(store: Store, asset: DDO, case: str) -> None:
    given, error = ODD[case]
    require_refused(await store.ask(asset.nft_address, **given), error)


def required(*names: str) -> dict[str, list[str]]:
    return {name: [f"The {name} field is required."] for name in names}


async def test_fields(store: Store) -> None:
    async def errors(**body: Any) -> Any:
        answer = await store.http.post(PATH, json=body)
        assert answer.status_code == 400, answer.text
        return answer.json()["errors"]

    absent = ["Invalid signature provided. Please check the nonce or documentId."]
    others = "dataNftAddress, encryptedDocument, flags, documentHash"
    assert await errors() == {
        **required("decrypterAddress", "chainId", "dataNftAddress"),
        "transactionId": [f"The transactionId field is required when {others} is not present."],
        **{
            name: [f"The {name} field is required when transactionId is not present."]
            for name in ("encryptedDocument", "flags", "documentHash")
        },
        **required("nonce"),
        "signature": absent,
    }
    whole = {"decrypterAddress": "0x1", "chainId": "x", "dataNftAddress": "0x2", "transactionId": [], "nonce": "nan"}
    assert await errors(**whole, **GOOD, signature="0x1") == {
        "decrypterAddress": ["The decrypterAddress format is invalid."],
        "chainId": ["The chainId must be an integer."],
        "dataNftAddress": ["The dataNftAddress format is invalid."],
        "transactionId": ["The transactionId format is invalid."],
        "nonce": ["The nonce must be a number."],
    }


# --- settings and neighbours -----------------------------------------------------------------------------------------


async def ask_in_memory(world: World, key: str = CONSUMER_KEY) -> httpx.Response:
    plain = json.dumps({"id": "did:op:dda2cf53dc1b2e3a79758bafb62ae3c912010f16d7851437fdfaf0191799d847"}).encode()
    return await Store(world.http, Account.from_key(key)).ask_for(facts.NFT, plain, encrypted(plain), 2)


AUTHORIZED: dict[str, tuple[tuple[str, ...], bool]] = {
    "everybody": ((), True),
    "in other letters": ((stranger.address, Account.from_key(CONSUMER_KEY).address.lower()), True),
    "others": ((stranger.address,), False),
    "nobody who is one": (("everybody",), False),
}


@pytest.mark.parametrize("case", AUTHORIZED)
async def test_authorized_decrypters(tmp_path: Path, case: str) -> None:
    authorized, allowed = AUTHORIZED[case]
    async with World(tmp_path, access=AccessSettings(authorized_decrypters=authorized)).running() as world:
        answer = await ask_in_memory(world)
        if allowed:
            assert answer.status_code == 201, answer.text
        else:
            require_refused(answer, "Decrypter not authorized", 403)


async def test_an_unknown_state(tmp_path: Path) -> None:
    async with World(tmp_path).running() as world:
        world.chain.nft_state = 9
        require_refused(await ask_in_memory(world), "Invalid MetadataState")


async def test_chain_away(tmp_path: Path) -> None:
    async with World(tmp_path).running() as world:
        world.chain.away = True
        answer = await ask_in_memory(world)
        assert (answer.status_code, "retry-after" in answer.headers) == (503, True)
