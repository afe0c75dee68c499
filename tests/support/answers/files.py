"""Files of assets: what is known of them, ordering and fetching them; encrypting."""

from __future__ import annotations

from typing import Any, Final

from ocean.files import ContractFile, GraphqlFile, IpfsFile, UrlFile
from ocean.signing import download_message, sign
from tests.support import provider_facts as facts
from tests.support.answers.accounts import ME, STRANGER, creation, two_spoiled
from tests.support.answers.book import Asker, Book
from tests.support.answers.calls import BYTES, FORM, JSON, Call, asked, mostly_unread, raw, sent, without
from tests.support.answers.places import RecordedWorld, place, publish
from tests.support.file_sources import FileSources
from tests.support.provider_neighbours import CONSUMER_KEY, STRANGER_KEY, transaction

INFO: Final = "POST /api/services/fileinfo"
INITIALIZE: Final = "GET /api/services/initialize"
DOWNLOAD: Final = "GET /api/services/download"
ENCRYPT: Final = "POST /api/services/encrypt"
RAIN: Final = "day,mm\n1,3\n2,0\n"
VIEW: Final = {"type": "function", "name": "name", "inputs": [], "stateMutability": "view"}
NOWHERE: Final = "did:op:" + "9" * 64


def fetched(did: str, order: str, nonce: int, key: str = CONSUMER_KEY, **changes: Any) -> dict[str, Any]:
    """Parameters of a download, signed."""
    signature = sign(download_message(did, str(nonce)), key)
    given = {"documentId": did, "serviceId": "svc", "consumerAddress": ME, "transferTxId": order, "fileIndex": "0"}
    return given | {"nonce": str(nonce), "signature": signature} | changes


async def answers(book: Book) -> None:
    with FileSources({"rain.csv": RAIN, "note.txt": "note"}) as sources:
        outgoing = {"allow_private": [f"{sources.address}@*"], "ipfs_gateway": sources.url}
        async with place(book, outgoing=outgoing) as (world, asker):
            files = [UrlFile(f"{sources.url}/files/{name}") for name in ("rain.csv", "note.txt", "gone.csv")]
            access = {"type": "access"}
            did = publish(world, 1, files=files, service=access)
            wanted = [{"name": "year", "type": "number", "required": True}]
            publish(world, 2, files=files, service={**access, "consumerParameters": wanted})
            publish(world, 3, files=files)
            publish(world, 4, files=files, service=access, nft={"address": facts.NFT, "state": 3})
            denied = {"allow": [], "deny": [{"type": "address", "values": [ME]}]}
            publish(world, 5, files=files, service=access, credentials=denied)
            publish(world, 6, files=files, service=access, purgatory={"state": True})
            kinds = [
                IpfsFile("Qm" + "a" * 44),
                GraphqlFile(f"{sources.url}/graphql", "query { a }"),
                ContractFile(facts.TOKEN, VIEW, 8996),
            ]
            publish(world, 7, files=kinds, service=access)
            world.chain.assets[facts.did(8)] = world.chain.assets[did].model_copy(update={"id": facts.did(8)})
            await _fileinfo(asker, did, sources.url)
            await _initialize(world, asker, did)
            await _download(world, asker, did)
            world.chain.away = True
            await asker.table(
                {
                    "fileinfo, no chain": sent(INFO, {"did": did, "serviceId": "svc"}),
                    "initialize, no chain": asked(INITIALIZE, _ordering(did)),
                    "download, no chain": asked(DOWNLOAD, fetched(did, transaction(1), 9000)),
                }
            )
    async with place(book) as (_, asker):
        await _encrypt(asker)


async def _fileinfo(asker: Asker, did: str, url: str) -> None:
    good = {"did": did, "serviceId": "svc"}
    await asker.table(
        {
            "an asset's files": sent(INFO, good),
            "with checksums": sent(INFO, good | {"checksum": True}),
            "no checksums, in words": sent(INFO, good | {"checksum": "false"}),
            "with parameters": sent(INFO, good | {"did": facts.did(2), "userdata": {"year": 1}}),
            "with parameters as text": sent(INFO, good | {"did": facts.did(2), "userdata": '{"year": 1}'}),
            "parameters that are no object": sent(INFO, good | {"did": facts.did(2), "userdata": [1]}),
            "of a compute service": sent(INFO, good | {"did": facts.did(3), "checksum": 1}),
            "files of other kinds": sent(INFO, good | {"did": facts.did(7), "checksum": 1}),
            "files of another asset": sent(INFO, good | {"did": facts.did(8)}),
            "parameters in the address": asked(INFO, good),
            "unknown DID": sent(INFO, good | {"did": NOWHERE}),
            "unknown service": sent(INFO, good | {"serviceId": "x"}),
            "no service": sent(INFO, {"did": did}),
            "a service object": sent(INFO, good | {"serviceId": {"id": "svc"}}),
            "another kind of DID": sent(INFO, good | {"did": "did:web:x"}),
            "a number for a DID": sent(INFO, good | {"did": 5}),
            "a file object": sent(INFO, {"type": "url", "url": f"{url}/files/rain.csv", "method": "GET"}),
            "a file object of a POST": sent(INFO, {"type": "url", "url": f"{url}/files/rain.csv", "method": "POST"}),
            "a file that is not there": sent(INFO, {"type": "url", "url": f"{url}/files/nothing"}),
            "a file of this machine": sent(INFO, {"type": "url", "url": "http://127.0.0.1:9/x"}),
            "a file of a disk": sent(INFO, {"type": "url", "url": "file:///etc/passwd"}),
            "unknown method": sent(INFO, {"type": "url", "url": f"{url}/x", "method": "DELETE"}),
            "a number for a method": sent(INFO, {"type": "url", "url": f"{url}/x", "method": 5}),
            "headers that are no object": sent(INFO, {"type": "url", "url": f"{url}/x", "headers": "a"}),
            "unknown type": sent(INFO, {"type": "ftp"}),
            "a list for a type": sent(INFO, {"type": ["url"]}),
            "no address": sent(INFO, {"type": "url"}),
            "an object for an address": sent(INFO, {"type": "url", "url": {"a": 1}}),
            "ipfs": sent(INFO, {"type": "ipfs", "hash": "Qm" + "a" * 44}),
            "ipfs without a hash": sent(INFO, {"type": "ipfs"}),
            "arweave, which is not offered": sent(INFO, {"type": "arweave", "transactionId": "a" * 43}),
            "arweave without a transaction": sent(INFO, {"type": "arweave"}),
            "graphql": sent(INFO, {"type": "graphql", "url": f"{url}/graphql", "query": "{ a }"}),
            "graphql without a query": sent(INFO, {"type": "graphql", "url": f"{url}/graphql"}),
            "contract": sent(
                INFO,
                {"type": "smartcontract", "address": facts.TOKEN, "chainId": 8996, "abi": VIEW},
            ),
            "contract without an address": sent(INFO, {"type": "smartcontract", "abi": {}}),
            "contract without an ABI": sent(INFO, {"type": "smartcontract", "address": facts.TOKEN}),
            "neither asset nor file": sent(INFO, {"checksum": True}),
            **mostly_unread(INFO, good),
        },
        "fileinfo, ",
    )  # fmt: skip


def _ordering(did: str, **changes: Any) -> dict[str, Any]:
    return {"documentId": did, "serviceId": "svc", "consumerAddress": ME} | changes


async def _initialize(world: RecordedWorld, asker: Asker, did: str) -> None:
    order, refused = world.order(), world.order()
    world.chain.refused[refused] = "order_expired"
    await asker.table(
        {
            "to order": asked(INITIALIZE, _ordering(did)),
            "with a file": asked(INITIALIZE, _ordering(did, fileIndex="0", environment="x", validUntil="5")),
            "ordered": asked(INITIALIZE, _ordering(did, transferTxId=order)),
            "an order that is over": asked(INITIALIZE, _ordering(did, transferTxId=refused)),
            "no order at all": asked(INITIALIZE, _ordering(did, transferTxId="0x12")),
            "in the body": sent(INITIALIZE, _ordering(did, fileIndex=0)),
            "a file that cannot be had": asked(INITIALIZE, _ordering(did, fileIndex="2")),
            "no such file": asked(INITIALIZE, _ordering(did, fileIndex="3")),
            "a file in words": asked(INITIALIZE, _ordering(did, fileIndex="first")),
            "a file below zero": asked(INITIALIZE, _ordering(did, fileIndex="-1")),
            "parameters are missing": asked(INITIALIZE, _ordering(facts.did(2), fileIndex="0")),
            "parameters": asked(INITIALIZE, _ordering(facts.did(2), fileIndex="0", userdata='{"year":1}')),
            "wrong parameters": asked(INITIALIZE, _ordering(facts.did(2), fileIndex="0", userdata='{"year":"x"}')),
            "nothing": asked(INITIALIZE),
            "several that are wrong": sent(
                INITIALIZE, {"documentId": [1], "consumerAddress": "0x1", "fileIndex": "x", "transferTxId": {}}
            ),
            "half an address": asked(INITIALIZE, _ordering(did, consumerAddress="0x1234")),
            "unknown DID": asked(INITIALIZE, _ordering(NOWHERE)),
            "unknown service": asked(INITIALIZE, _ordering(did, serviceId="x")),
            "a compute service": asked(INITIALIZE, _ordering(facts.did(3))),
            "a revoked asset": asked(INITIALIZE, _ordering(facts.did(4))),
            "a denied consumer": asked(INITIALIZE, _ordering(facts.did(5))),
            "an asset in purgatory": asked(INITIALIZE, _ordering(facts.did(6))),
            "by HEAD": asked("HEAD /api/services/initialize", _ordering(did)),
        },
        "initialize, ",
    )


async def _download(world: RecordedWorld, asker: Asker, did: str) -> None:
    order, refused = world.order(), world.order()
    world.chain.refused[refused] = "order_expired"
    whole = fetched(did, order, 1)

    def down(nonce: int, given_did: str = did, **changes: Any) -> Call:
        return asked(DOWNLOAD, fetched(given_did, order, nonce, **changes))

    await asker.table(
        {
            "nothing": asked(DOWNLOAD),
            **{f"no {name}": asked(DOWNLOAD, without(whole, name)) for name in whole},
            "half an address": down(1, consumerAddress="0x1234"),
            "a nonce in words": asked(DOWNLOAD, whole | {"nonce": "soon"}),
            "a file in words": down(1, fileIndex="first"),
            "a file below zero": down(1, fileIndex="-1"),
            "several that are wrong": sent(DOWNLOAD, {"documentId": did, "serviceId": [], "consumerAddress": 5}),
            **{name: down(1, signature=text) for name, text in two_spoiled(whole["signature"]).items()},
            "signed by another": down(1, key=STRANGER_KEY),
            "no such file": down(1, fileIndex="7"),
            "a file that cannot be had": down(1, fileIndex="2"),
            "an unknown order": down(1, transferTxId=transaction(99)),
            "an order that is over": down(1, transferTxId=refused),
            "an order of another": asked(DOWNLOAD, fetched(did, order, 1, STRANGER_KEY, consumerAddress=STRANGER)),
            "unknown DID": down(1, NOWHERE),
            "unknown service": down(1, serviceId="x"),
            "a compute service": down(1, facts.did(3)),
            "a revoked asset": down(1, facts.did(4)),
            "a denied consumer": down(1, facts.did(5)),
            "files of another asset": down(1, facts.did(8)),
            "parameters are missing": down(1, facts.did(2)),
            "by HEAD": asked("HEAD /api/services/download", whole),
            "good": down(1),
            "the same again": down(1),
            "another file": down(2, fileIndex="1"),
            "with parameters": down(3, facts.did(2), userdata='{"year":1}'),
            "a part": asked(DOWNLOAD, fetched(did, order, 4), range="bytes=0-3"),
            "ipfs": down(5, facts.did(7)),
            "graphql": down(6, facts.did(7), fileIndex="1"),
            "contract": down(7, facts.did(7), fileIndex="2"),
            "in the body": sent(DOWNLOAD, fetched(did, order, 8, fileIndex=0)),
        },
        "download, ",
    )
    made = await asker.ask("download, a token for it", creation(20))
    token = made.json()["token"]
    by_token = without(fetched(did, order, 21), "signature")
    await asker.table(
        {
            "a token": asked(DOWNLOAD, by_token, authtoken=token),
            "a token and an old nonce": asked(DOWNLOAD, by_token, authtoken=token),
            "a token of another": asked(DOWNLOAD, by_token | {"consumerAddress": STRANGER}, authtoken=token),
            "a token that is none": asked(DOWNLOAD, by_token | {"nonce": "22"}, authtoken="token"),
            "a token beside a wrong signature": asked(
                DOWNLOAD, by_token | {"nonce": "22", "signature": "0x00"}, authtoken=token
            ),
        },
        "download, ",
    )


async def _encrypt(asker: Asker) -> None:
    await asker.table(
        {
            "good": raw(ENCRYPT, b"text", BYTES, "chainId=8996"),
            "nothing to encrypt": raw(ENCRYPT, b"", BYTES, "chainId=8996"),
            "two chains": raw(ENCRYPT, b"text", BYTES, "chainId=8996&chainId=1"),
            "no chain": raw(ENCRYPT, b"text", BYTES),
            "an empty chain": raw(ENCRYPT, b"text", BYTES, "chainId="),
            "another chain": raw(ENCRYPT, b"text", BYTES, "chainId=137"),
            "a chain in words": raw(ENCRYPT, b"text", BYTES, "chainId=main"),
            "JSON": raw(ENCRYPT, b"{}", JSON, "chainId=8996"),
            "a form": raw(ENCRYPT, b"a=1", FORM, "chainId=8996"),
            "a type with more behind it": raw(ENCRYPT, b"text", BYTES + "; a=b", "chainId=8996"),
            "no type": raw(ENCRYPT, b"text", "", "chainId=8996"),
            "by GET": asked("GET /api/services/encrypt", "chainId=8996"),
        },
        "encrypt, ",
    )
