"""download: an ordered file from its source, for whoever has ordered it, each signature good once."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
from eth_account import Account

from ocean.chain.order_values import REASONS
from ocean.signing import download_message, sign
from provider_api.calls.tokens import encode
from provider_api.files.names import disposition
from tests.support import provider_facts as facts
from tests.support.file_shop import Shop
from tests.support.http_server import HttpServer, Reply, Request, ranged
from tests.support.provider_neighbours import CONSUMER_KEY, STRANGER_KEY, transaction
from tests.support.tokens import expiration

pytestmark = pytest.mark.integration

CONTENT = bytes(range(256)) * 40
PATH = "/api/services/download"
CONSUMER = Account.from_key(CONSUMER_KEY).address
ABI = {"type": "function", "name": "f", "stateMutability": "view", "inputs": [{"name": "n", "type": "uint256"}],
       "outputs": [{"type": "uint256"}]}  # fmt: skip
CHUNKED = b"HTTP/1.1 200 OK\r\ncontent-type: text/csv\r\ntransfer-encoding: chunked\r\n\r\n3\r\na,b\r\n0\r\n\r\n"
NAMES = {
    "plain": 'attachment; filename="rain 2026.csv"',
    "quoted": r'attachment; filename="a\"b;c.csv"',
    "extended": "attachment; filename*=UTF-8''r%C3%A9gen%0d%0aX-Injected:1.csv; filename=x.csv",
    "path": 'attachment; filename="../../etc/passwd"',
    "backslashes": 'attachment; filename="C:\\\\temp\\\\x.csv"',
    "long": f'attachment; filename="{"n" * 4000}.csv"',
    "nothing": "attachment; filename=",
}


def answer(request: Request) -> Reply | bytes:
    path, _, query = request.target.partition("?")
    name = path.removeprefix("/")
    if name.startswith("named/"):
        return Reply(200, b"x", {"content-disposition": NAMES[name.removeprefix("named/")]})
    if name == "file.bin":
        reply = ranged(CONTENT)(request)
        assert isinstance(reply, Reply)
        reply.headers["last-modified"] = "Thu, 26 Nov 2026 10:00:00 GMT"
        return reply
    if name == "chunked":
        return CHUNKED
    if name == "packed":
        return Reply(200, gzip.compress(CONTENT), {"content-encoding": "gzip", "etag": '"z"'})
    if name == "moved":
        return Reply(302, b"", {"location": "/file.bin"})
    if name in ("noext", "noext-charset"):
        kind = "text/csv" + ("; charset=utf-8" if name.endswith("charset") else "")
        return Reply(200, b"a,b", {"content-type": kind})
    if name == "echo":
        return Reply(200, query.encode() + request.body, {"content-type": "text/plain"})
    if name == "graphql":
        return Reply(200, request.body, {"content-type": "application/json"})
    if name.startswith(("ipfs/", "arweave/")):
        return Reply(200, name.encode(), {"content-type": "text/plain"})
    return Reply(int(name) if name.isdigit() else 404, b"no")


GATEWAYS = {"ipfs_gateway": "http://{address}", "arweave_gateway": "http://{address}/arweave"}


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Shop]:
    async with Shop.open(tmp_path, answer, GATEWAYS) as opened:
        yield opened


# --- fields ----------------------------------------------------------------------------------------------------------

REQUIRED = "The {name} field is required."
FIELDS: list[tuple[dict[str, str | None], dict[str, Any]]] = [
    ({"documentId": None, "serviceId": None}, {"documentId": [REQUIRED]}),  # ends the validation
    ({"serviceId": None, "fileIndex": None}, {"serviceId": [REQUIRED], "fileIndex": [REQUIRED]}),
    (
        {"serviceId": None, "consumerAddress": None, "nonce": None},
        {"serviceId": [REQUIRED], "consumerAddress": [REQUIRED]},
    ),
    ({"transferTxId": None, "fileIndex": None}, {"transferTxId": [REQUIRED]}),
    ({"fileIndex": "-1"}, {"fileIndex": ["The fileIndex must be at least 0."]}),
    ({"fileIndex": "x"}, {"fileIndex": ["The fileIndex must be an integer."]}),
    ({"nonce": None}, {"nonce": [REQUIRED]}),
    ({"signature": None}, {"signature": ["Invalid signature provided. Please check the nonce or documentId."]}),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "errors"), FIELDS)
async def test_fields(shop: Shop, changes: dict[str, str | None], errors: dict[str, list[str]]) -> None:
    good = shop.request(shop.publish(shop.file("/file.bin")), 5, shop.world.order())
    query = {name: value for name, value in (good | changes).items() if value is not None}
    refused = await shop.send(query)
    expected = {name: [text.replace("{name}", name) for text in texts] for name, texts in errors.items()}
    assert (refused.status_code, refused.json()["errors"]) == (400, expected)
    head = await shop.world.http.head(PATH, params=good)
    assert head.status_code == 405, "after the validation"
    assert (await shop.world.http.head(PATH)).status_code == 400


# --- the file --------------------------------------------------------------------------------------------------------


async def test_a_file(shop: Shop) -> None:
    """With the source's length, type and validators; each of them once."""
    got = await shop.download(shop.publish(shop.file("/file.bin")), 5)
    assert (got.status_code, got.content) == (200, CONTENT)
    told = dict(got.headers)
    for name in ("access-control-allow-origin", "access-control-expose-headers", "x-request-id"):
        told.pop(name)
    assert told == {
        "content-disposition": "attachment;filename=file.bin",
        "content-length": str(len(CONTENT)),
        "content-type": "application/octet-stream",
        "accept-ranges": "bytes",
        "etag": '"v1"',
        "last-modified": "Thu, 26 Nov 2026 10:00:00 GMT",
        "x-content-type-options": "nosniff",
    }
    assert "Content-Disposition" in got.headers["access-control-expose-headers"]
    assert await shop.world.nonce() == "5"


async def test_one_request_to_the_source(shop: Shop) -> None:
    did = shop.publish(shop.file("/file.bin"))
    await shop.download(did, 5)
    (asked,) = shop.server.requests
    assert (asked.method, asked.headers.get("range")) == ("GET", None)


async def test_each_type(shop: Shop) -> None:
    graphql = {"type": "graphql", "url": shop.url + "/graphql", "query": "{x}"}
    contract = {"type": "smartcontract", "address": facts.TOKEN, "abi": ABI, "chainId": 8996}
    did = shop.publish(
        shop.file("/echo", method="POST"), {"type": "ipfs", "hash": "Qm"}, {"type": "arweave", "transactionId": "T"},
        graphql, contract,
    )  # fmt: skip
    userdata = json.dumps({"n": 7})
    expected = [b'{"n":7}', b"ipfs/Qm", b"arweave/T", b'{"query":"{x}","variables":{"n":7}}', b"[7]"]
    for index, content in enumerate(expected):
        got = await shop.download(did, 5 + index, fileIndex=str(index), userdata=userdata)
        assert (got.status_code, got.content) == (200, content)
        if index in (1, 2, 3):  # a random name: the true one would be the secret
            name = got.headers["content-disposition"].removeprefix("attachment;filename=").partition(".")[0]
            assert len(bytes.fromhex(name)) == 16
    assert [request.target for request in shop.server.requests[1:3]] == ["/ipfs/Qm?n=7", "/arweave/T?n=7"]
    for index, text in (("3", "userdata is not JSON."), ("4", "userdata is not JSON.")):
        refused = await shop.download(did, 20, fileIndex=index, userdata="{")
        assert (refused.status_code, refused.json()) == (400, {"error": text})


async def test_other_ways_of_sending(shop: Shop) -> None:
    did = shop.publish(*(shop.file(path) for path in ("/chunked", "/packed", "/moved")))
    chunked, packed, moved = [await shop.download(did, 5 + index, fileIndex=str(index)) for index in range(3)]
    assert (chunked.content, "content-length" in chunked.headers) == (b"a,b", False)
    # Nobody asked for compression: it is taken off, and what the source says of the packed bytes is not repeated.
    assert (packed.content, packed.headers.get("content-encoding"), packed.headers.get("etag")) == (CONTENT, None, None)
    assert (moved.content, moved.headers["content-disposition"]) == (CONTENT, "attachment;filename=moved")


async def test_file_names(shop: Shop) -> None:
    """What clients match, and nothing that could be more than a name."""
    expected = {
        "/named/plain": "rain 2026.csv",
        "/named/quoted": "a_b_c.csv",
        "/named/extended": "r_gen__X-Injected_1.csv",
        "/named/path": "passwd",
        "/named/backslashes": "x.csv",
        "/named/nothing": "nothing",
        "/file.bin?sig=secret&name=/x/y": "file.bin",
        "/noext": "noext.csv",
        "/noext-charset": "noext-charset",
        "/echo/../file.bin": "file.bin",
    }
    did = shop.publish(*(shop.file(path) for path in expected))
    for index, (path, name) in enumerate(expected.items()):
        got = await shop.download(did, 5 + index, fileIndex=str(index))
        assert got.headers.get("content-disposition") == f"attachment;filename={name}", path
        assert "x-injected" not in got.headers
    long = await shop.download(shop.publish(shop.file("/named/long"), number=2), 50)
    assert len(long.headers["content-disposition"]) < 300
    assert disposition('a"\r\nSet-Cookie: x') == "attachment;filename=a___Set-Cookie_ x"


async def test_ranges(shop: Shop) -> None:
    did, size = shop.publish(shop.file("/file.bin")), len(CONTENT)
    part = await shop.download(did, 5, headers={"Range": "bytes=100-"})
    assert (part.status_code, part.content) == (206, CONTENT[100:])
    assert part.headers["content-range"] == f"bytes 100-{size - 1}/{size}"
    assert part.headers["content-length"] == str(size - 100)
    assert "range" not in part.headers
    same = await shop.download(did, 6, headers={"Range": "bytes=100-", "If-Range": '"v1"'})
    other = await shop.download(did, 7, headers={"Range": "bytes=100-", "If-Range": '"v0"'})
    assert (same.status_code, other.status_code, other.content) == (206, 200, CONTENT)
    beyond = await shop.download(did, 8, headers={"Range": f"bytes={size}-"})
    assert (beyond.status_code, beyond.content, beyond.headers["content-range"]) == (416, b"", f"bytes */{size}")
    for nothing in ("bytes=0-1,5-6", "lines=1-2", "bytes=-", "bytes=x-"):
        whole = await shop.download(did, 10 + len(shop.server.requests), headers={"Range": nothing})
        assert (whole.status_code, whole.content) == (200, CONTENT), nothing
        assert "range" not in shop.server.requests[-1].headers


# --- who may have it -------------------------------------------------------------------------------------------------


async def test_the_message_is_the_did_and_the_nonce(shop: Shop) -> None:
    did = shop.publish(shop.file("/file.bin"))
    good = shop.request(did, 5, shop.world.order())
    for wrong in (did, did + "6", CONSUMER + did + "5", did.upper() + "5"):
        refused = await shop.send(good | {"signature": sign(wrong, CONSUMER_KEY)})
        assert refused.status_code == 400
        assert refused.json()["errors"]["signature"].startswith("Invalid signature 0x")
    assert shop.server.requests == []
    assert (await shop.send(good)).status_code == 200


async def test_signatures(shop: Shop) -> None:
    did = shop.publish(shop.file("/file.bin"))
    raw = bytes.fromhex(sign(download_message(did, "5"), CONSUMER_KEY)[2:])
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    high = raw[:32] + (order - int.from_bytes(raw[32:64])).to_bytes(32) + bytes([55 - raw[64]])
    for bad in (high.hex(), raw.hex() + "00", raw[:64].hex(), "0x" + "g" * 130, raw[:64].hex() + "05"):
        refused = await shop.send(shop.request(did, 5, shop.world.order(), signature=bad))
        assert (refused.status_code, type(refused.json()["errors"]["signature"])) == (400, str), bad
    for nonce, shift, prefix in ((5, 0, ""), (6, 27, "0x"), (7, 0, "0X"), (8, 27, "")):
        one = bytes.fromhex(sign(download_message(did, str(nonce)), CONSUMER_KEY)[2:])
        spelled = prefix + (one[:64] + bytes([one[64] % 27 + shift])).hex()
        got = await shop.send(shop.request(did, nonce, shop.world.order(), signature=spelled))
        assert got.status_code == 200, spelled


async def test_a_captured_download_works_once(shop: Shop) -> None:
    """Not in another letter case, not with a leading zero, not as a number."""
    did = shop.publish(shop.file("/file.bin"))
    good = shop.request(did, 5, shop.world.order())
    assert (await shop.send(good)).status_code == 200
    for spelled in ({}, {"consumerAddress": CONSUMER.lower()}, {"nonce": "05"}, {"nonce": "5.0"}, {"nonce": "4"}):
        refused = await shop.send(good | spelled)
        assert refused.status_code == 400
        assert refused.json()["errors"]["signature"].startswith("Invalid signature expected nonce (5) > current nonce")
    as_json = await shop.world.http.request("GET", PATH, json=good | {"nonce": 5})
    assert as_json.status_code == 400
    assert len(shop.server.requests) == 1


async def test_of_downloads_at_the_same_time_one_is_served(shop: Shop) -> None:
    did = shop.publish(shop.file("/file.bin"))
    good = shop.request(did, 5, shop.world.order())
    answers = await asyncio.gather(*(shop.send(good) for _ in range(10)))
    assert sorted(one.status_code for one in answers) == [200] + [400] * 9


async def test_a_token_stands_for_the_signature(shop: Shop) -> None:
    did = shop.publish(shop.file("/file.bin"))
    unsigned = {name: value for name, value in shop.request(did, 5, shop.world.order()).items() if name != "signature"}
    token = {"AuthToken": encode(CONSUMER, int(expiration()), shop.world.keys.token)}
    assert (await shop.send(unsigned, token)).status_code == 200
    again = await shop.send(unsigned, token)
    assert (again.status_code, "expected nonce" in str(again.json()["errors"])) == (400, True)
    stolen = await shop.send(unsigned | {"nonce": "6", "consumerAddress": facts.PUBLISHER}, token)
    assert (stolen.status_code, type(stolen.json()["errors"]["signature"])) == (400, list)


async def test_orders_that_are_not_good(shop: Shop) -> None:
    did, order = shop.publish(shop.file("/file.bin")), shop.world.order()
    foreign = shop.world.order(payer=facts.PUBLISHER, consumer=facts.PUBLISHER)
    cases = {transaction(99): REASONS["order_not_found"], foreign: REASONS["sender_mismatch"]}
    for number, reason in enumerate(REASONS):
        refused_one = transaction(500 + number)
        shop.world.chain.refused[refused_one] = reason
        cases[refused_one] = "The order has expired." if reason == "order_expired" else REASONS[reason]
    for nonce, (tx, text) in enumerate(cases.items(), start=5):
        refused = await shop.download(did, nonce, tx)
        expected = f"Provider Ganache: Order with tx_id {tx} could not be validated due to error: {text}"
        assert (refused.status_code, refused.json()) == (400, {"error": expected})
    for odd in ("0x1", "é", "x" * 5000):
        refused = await shop.download(did, 100, odd)
        assert (refused.status_code, len(refused.json()["error"]) < 300) == (400, True)
    assert shop.server.requests == []
    assert await shop.world.nonce() == "1"
    over = shop.world.order(valid_until=5)
    assert [(await shop.download(did, nonce, tx)).status_code for nonce, tx in ((200, order), (201, over))] == [
        200,
        200,
    ]


async def test_what_is_not_there(shop: Shop) -> None:
    """Each a 400, and the nonce stays good."""
    did = shop.publish(
        shop.file("/404"), shop.file("/500"), {"type": "url", "url": "http://127.0.0.1:9/x"}, shop.file("/file.bin")
    )
    bound = shop.publish(shop.file("/file.bin"), number=2, service={"datatokenAddress": facts.NFT})
    prefix = "Provider Ganache: Asset URL not found, not available or invalid. File "
    cases = [
        (await shop.download(facts.did(9), 5), "Cannot resolve DID"),
        (await shop.download(did, 5, serviceId="SVC"), "Provider Ganache: Invalid serviceId."),
        (await shop.download(did, 5, fileIndex="4"), "Provider Ganache: No such fileIndex 4"),
        (await shop.download(did, 5, fileIndex="9" * 30), f"Provider Ganache: No such fileIndex {'9' * 30}"),
        (await shop.download(bound, 5), "Provider Ganache: Unable to get dataset files"),
        (await shop.download(did, 5), f"{prefix}0: outgoing request failed: status 404."),
        (await shop.download(did, 5, fileIndex="1"), f"{prefix}1: outgoing request failed: status 500."),
        (await shop.download(did, 5, fileIndex="2"), f"{prefix}2: outgoing request refused: address."),
    ]
    for refused, text in cases:
        assert (refused.status_code, refused.json()) == (400, {"error": text})
    assert (await shop.download(did, 5, fileIndex="3")).status_code == 200


async def test_a_compute_service_is_for_environments(shop: Shop) -> None:
    """Whose pods fetch files with it; everybody else gets results only."""
    assert facts.ENVIRONMENT_ADDRESS == CONSUMER, "the account of this service's environments"
    did = shop.publish(shop.file("/file.bin"), service={"type": "compute", "compute": {"allowRawAlgorithm": True}})
    other = shop.publish(shop.file("/file.bin"), number=2, service={"type": "wss"})
    stranger = Account.from_key(STRANGER_KEY).address
    order = shop.world.order(payer=stranger)
    text = "Provider Ganache: Service with index=svc is not an access service."
    for refused in (
        await shop.download(did, 5, order, key=STRANGER_KEY),
        await shop.download(other, 5, order, key=STRANGER_KEY),
        await shop.download(other, 5, order),
    ):
        assert (refused.status_code, refused.json()) == (400, {"error": text})
    assert (await shop.download(did, 5, order)).content == CONTENT


async def test_a_proof_of_a_finished_download(tmp_path: Path) -> None:
    forms: list[bytes] = []

    def collect(request: Request) -> Reply:
        forms.append(request.body)
        return Reply(200)

    async with HttpServer(collect) as collector:
        proofs = {"proof_url": f"http://127.0.0.1:{collector.port}/"}
        async with Shop.open(tmp_path, answer, access=proofs) as shop:
            did, order = shop.publish(shop.file("/file.bin"), shop.file("/404")), shop.world.order()
            query = shop.request(did, 5, order)
            assert (await shop.send(query)).status_code == 200
            assert (await shop.download(did, 6, order, fileIndex="1")).status_code == 400
    (form,) = (dict(parse_qsl(body.decode())) for body in forms)
    assert json.loads(form["providerData"]) == {
        "documentId": did, "serviceId": "svc", "fileIndex": 0, "downloadedBytes": len(CONTENT),
    }  # fmt: skip
    assert (form["orderTxId"], form["consumerAddress"]) == (order, CONSUMER)
    assert (form["consumerData"], form["consumerSignature"]) == (did + "5", query["signature"])
