"""Wrong input, and what its sender reads: which part is wrong, what is right, and no secret that came along."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account

from ocean.ddo import DDO
from ocean.signing import decrypt_message, sign
from provider_api.settings import AccessSettings
from tests.support import provider_facts as facts
from tests.support.provider_neighbours import CONSUMER_KEY, FREE, World, transaction

pytestmark = pytest.mark.unit

API = "/api/services"
ME = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"
SECRET = "5ec2e7" * 20  # stands where keys, tokens, encrypted files and unproven signatures stand
DID, NOWHERE = facts.did(0), "did:op:" + "9" * 64
CONTAINER = {"entrypoint": "python $ALGO", "image": "python", "checksum": facts.CHECKSUM}
RAW = {"meta": {"rawcode": f"key = '{SECRET}'", "container": CONTAINER}}
ADDRESS_TEXT = "0x and 40 hexadecimal digits"


@dataclass(frozen=True)
class Wrong:
    """A request and the words that its answer must have. `json` and `query` as sent; `body` for what is no JSON."""

    call: str  # METHOD path
    says: tuple[str, ...]
    json: Any = None
    query: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    status: int = 400


def start(*says: str, status: int = 400, drop: str = "", **changes: Any) -> Wrong:
    body: dict[str, Any] = {
        "dataset": {"documentId": DID, "serviceId": "svc", "transferTxId": transaction(1)},
        "algorithm": RAW, "environment": FREE, "consumerAddress": ME, "nonce": "5", "signature": "0x" + SECRET,
    } | changes  # fmt: skip
    body.pop(drop, None)
    return Wrong(f"POST {API}/compute", says, body, status=status)


def asked(
    *says: str, path: str = f"{API}/initializeCompute", drop: str = "", until: Any = 600, **changes: Any
) -> Wrong:
    body: dict[str, Any] = {
        "datasets": [{"documentId": DID, "serviceId": "svc", "userdata": {"key": SECRET}}],
        "algorithm": RAW, "compute": {"env": FREE, "validUntil": until}, "consumerAddress": ME,
    } | changes  # fmt: skip
    body.pop(drop, None)
    return Wrong(f"POST {path}", says, body)


def get(path: str, *says: str, status: int = 400, method: str = "GET", drop: str = "", **query: str) -> Wrong:
    given = {"signature": "0x" + SECRET, **query}
    given.pop(drop, None)
    return Wrong(f"{method} {API}/{path}", says, query=given, status=status)


def info(*says: str, **body: Any) -> Wrong:
    return Wrong(f"POST {API}/fileinfo", says, {"headers": {"Authorization": SECRET}, **body})


def decrypt(*says: str, drop: str = "", **changes: Any) -> Wrong:
    body: dict[str, Any] = {
        "decrypterAddress": ME, "chainId": 8996, "dataNftAddress": facts.NFT, "nonce": "5", "flags": 2,
        "signature": "0x" + SECRET, "encryptedDocument": "0x" + SECRET, "documentHash": "0x" + "ab" * 32,
    } | changes  # fmt: skip
    body.pop(drop, None)
    return Wrong(f"POST {API}/decrypt", says, body)


def sealed(*says: str, chain: str = "8996", kind: str = "application/octet-stream") -> Wrong:
    query = {"chainId": chain} if chain else {}
    return Wrong(f"POST {API}/encrypt", says, query=query, body=SECRET.encode(), headers={"content-type": kind})


def dataset(**changes: Any) -> dict[str, Any]:
    return {"documentId": DID, "serviceId": "svc", "transferTxId": transaction(1)} | changes


JSON, FORM = "application/json", "application/x-www-form-urlencoded"
BROKEN = f'{{"dataset": {{"documentId": "{DID}",}}, "signature": "{SECRET}"}}'.encode()
RESULT = {"jobId": "ab" * 16, "index": "0", "consumerAddress": ME, "nonce": "5"}
FILE = {"documentId": DID, "serviceId": "svc", "consumerAddress": ME, "transferTxId": transaction(1), "fileIndex": "0", "nonce": "5"}  # fmt: skip  # noqa: E501
JOB = {"consumerAddress": ME, "nonce": "5", "jobId": "ab" * 16}
NO_SIGNATURE = "0x and 130 hexadecimal digits, or a token in the header AuthToken instead; nothing was sent"

TABLE: dict[str, Wrong] = {
    # --- a body that is not read
    "start, broken JSON": Wrong(
        f"POST {API}/compute", ("dataset.documentId", "no JSON (line 1, column"), body=BROKEN,
        headers={"content-type": JSON}),
    "start, a form": Wrong(
        f"POST {API}/compute", ("Content-Type: application/json", FORM), body=b"consumerAddress=" + SECRET.encode(),
        headers={"content-type": FORM}),
    "start, multipart": Wrong(
        f"POST {API}/compute", ("Content-Type: application/json", "multipart/form-data"), body=SECRET.encode(),
        headers={"content-type": "multipart/form-data; boundary=x"}),
    "start, JSON without its type": Wrong(
        f"POST {API}/compute", ("Content-Type: application/json", "its type was none"), body=b"{}"),
    "start, nothing": Wrong(f"POST {API}/compute", ("dataset.documentId field is required",)),
    "start, a list": Wrong(f"POST {API}/compute", ("must be an object",), [{"dataset": SECRET}]),
    "start, a query hides the body": Wrong(
        f"POST {API}/compute", ("because the address has parameters",), {"dataset": dataset()}, query={"x": "1"}),
    "initializeCompute, broken JSON": Wrong(
        f"POST {API}/initializeCompute", ("datasets", "no JSON (line 1, column"), body=BROKEN,
        headers={"content-type": JSON}),
    "why-not, a form": Wrong(
        "POST /api/v1/why-not", ("datasets", "Content-Type: application/json"), body=b"a=" + SECRET.encode(),
        headers={"content-type": FORM}),
    "fileinfo, broken JSON": Wrong(
        f"POST {API}/fileinfo", ("no JSON (line 1, column",), body=BROKEN, headers={"content-type": JSON}),
    "decrypt, a form": Wrong(
        f"POST {API}/decrypt", ("decrypterAddress", "Content-Type: application/json"), body=b"a=" + SECRET.encode(),
        headers={"content-type": FORM}),
    "stop, broken JSON": Wrong(
        f"PUT {API}/compute", ("consumerAddress", "no JSON"), body=BROKEN, headers={"content-type": JSON}),
    # --- who, and when
    "start, no signature": start(NO_SIGNATURE, "signature", drop="signature"),
    "start, no nonce": start("The nonce field is required.", drop="nonce"),
    "start, a nonce of words": start("nonce", "a decimal number", "text of 4 characters", nonce="soon"),
    "start, a nonce in a list": start("nonce", "a decimal number", "a list was sent", nonce=[5]),
    "start, no address": start("The consumerAddress field is required.", drop="consumerAddress"),
    "start, half an address": start("consumerAddress", ADDRESS_TEXT, "text of 6", consumerAddress="0x1234"),
    "start, a name for an address": start("consumerAddress", ADDRESS_TEXT, consumerAddress="vitalik.eth"),
    "start, a number for an address": start("consumerAddress", ADDRESS_TEXT, "a number", consumerAddress=5),
    "result, no signature": get("computeResult", NO_SIGNATURE, drop="signature", **RESULT),
    "download, no signature": get("download", NO_SIGNATURE, drop="signature", **FILE),
    "stop, no signature": get("compute", NO_SIGNATURE, method="PUT", drop="signature", **JOB),
    "delete, no signature": get("compute", NO_SIGNATURE, method="DELETE", drop="signature", **JOB),
    "decrypt, no signature": decrypt(NO_SIGNATURE, drop="signature"),
    "result, a wrong token": Wrong(
        f"GET {API}/computeResult", ("AuthToken", "Token is invalid."), query=RESULT, headers={"authtoken": SECRET}),
    "download, a wrong token": Wrong(
        f"GET {API}/download", ("AuthToken", "Token is invalid."), query=FILE, headers={"authtoken": SECRET}),
    "stop, a wrong token": Wrong(
        f"PUT {API}/compute", ("AuthToken", "Token is invalid."), query=JOB, headers={"authtoken": SECRET}),
    "nonce of nobody": get("nonce", "userAddress", "required"),
    "nonce of half an address": get("nonce", "userAddress", ADDRESS_TEXT, userAddress="0x12"),
    "nonce by HEAD": Wrong(f"HEAD {API}/nonce", (), status=405),
    "status by HEAD": Wrong(f"HEAD {API}/compute", (), query={"consumerAddress": ME}, status=405),
    "status of half an address": get("compute", "consumerAddress", ADDRESS_TEXT, consumerAddress="0x12"),
    "token, in milliseconds": get(
        "createAuthToken", "Invalid timestamp provided.", "Unix seconds, later than now and at most",
        address=ME, expiration="1800000000000", nonce="5"),
    "token, of yesterday": get(
        "createAuthToken", "expiration", "Unix seconds, later than now", address=ME, expiration="5", nonce="5"),
    "token, of half an address": get(
        "createAuthToken", "address", ADDRESS_TEXT, address="0x12", expiration="5", nonce="5"),
    # --- numbers
    "result, index -1": get("computeResult", "The index must be at least 0.", **{**RESULT, "index": "-1"}),
    "result, index 1.5": get("computeResult", "index", "a whole number", **{**RESULT, "index": "1.5"}),
    "result, index x": get("computeResult", "index", "a whole number, 0 or greater", **{**RESULT, "index": "x"}),
    "result, no job": get("computeResult", "The jobId field is required.", drop="jobId", **RESULT),
    "download, file -1": get("download", "The fileIndex must be at least 0.", **{**FILE, "fileIndex": "-1"}),
    "download, file x": get("download", "fileIndex", "a whole number", **{**FILE, "fileIndex": "x"}),
    "download, no file": get("download", "The fileIndex field is required.", drop="fileIndex", **FILE),
    "initialize, file -1": get("initialize", "The fileIndex must be at least 0.", **{**FILE, "fileIndex": "-1"}),
    "initialize, unknown DID": get("initialize", "Cannot resolve DID", **{**FILE, "documentId": NOWHERE}),
    "initialize, a compute service": get("initialize", "Use the initializeCompute endpoint", **FILE),
    "initialize, no service": get("initialize", "The serviceId field is required.", drop="serviceId", **FILE),
    "quote, an end in the past": asked("validUntil", "It must lie after", "and is 5", until=5),
    "quote, an end too late": asked("validUntil", "at most", "and is 99999999999", until=99999999999),
    "quote, an end before zero": asked("compute.validUntil", "a whole number, 0 or greater", until=-1),
    "quote, an end in words": asked("compute.validUntil", "a whole number", "text of 8", until="tomorrow"),
    "quote, no end": asked("The compute.validUntil field is required.", compute={"env": FREE}),
    "quote, no environment": asked("The compute.env field is required.", compute={"validUntil": 600}),
    "quote, unknown environment": asked(
        "Compute environment does not exist", compute={"env": "x", "validUntil": 99999999999}),
    "quote, no datasets": asked("The datasets field is required.", drop="datasets"),
    "quote, one dataset, no list": asked("datasets", "a list of objects", "an object was sent", datasets=dataset()),
    "quote, a list of DIDs": asked("datasets", "a list of objects", datasets=[DID]),
    "quote, unknown DID": asked("dataset.documentId", "did_not_found", datasets=[dataset(documentId=NOWHERE)]),
    "quote, unknown service": asked("dataset.serviceId", "not_found", datasets=[dataset(serviceId="x")]),
    "quote, no service": asked("dataset.serviceId", "missing", datasets=[{"documentId": DID}]),
    "quote, half an address": asked("consumerAddress", ADDRESS_TEXT, consumerAddress="0x1234"),
    "quote, no algorithm": asked("algorithm.documentId", "algorithm.meta", drop="algorithm"),
    "quote, an algorithm without code": asked(
        "algorithm", "meta_oneof_url_rawcode_remote", algorithm={"meta": {"container": CONTAINER}}),
    "quote, no container": asked(
        "algorithm.container", "missing_entrypoint_image_checksum", algorithm={"meta": {"rawcode": SECRET}}),
    "quote, a tag for a digest": asked("algorithm.container", "checksum_prefix", algorithm={
        "meta": {"rawcode": SECRET, "container": CONTAINER | {"checksum": "latest"}}}),
    "quote, half a digest": asked("algorithm.container", "invalid_checksum", algorithm={
        "meta": {"rawcode": SECRET, "container": CONTAINER | {"checksum": "sha256:ab"}}}),
    "quote, an image with a tag": asked("algorithm.container", "invalid_image", algorithm={
        "meta": {"rawcode": SECRET, "container": CONTAINER | {"image": "python:3"}}}),
    "quote, broken meta": asked("algorithm", "invalid", algorithm={"meta": "{" + SECRET}),
    "why-not, no environment": asked("environment", "compute.env", path="/api/v1/why-not", compute={}),
    "why-not, half an address": asked("consumerAddress", ADDRESS_TEXT, path="/api/v1/why-not", consumerAddress="0x12"),
    # --- parts of a start
    "start, no DID": start("The dataset.documentId field is required.", dataset=dataset(documentId="")),
    "start, a list of DIDs": start("dataset.documentId", "text", "a list", dataset=dataset(documentId=[DID])),
    "start, no service": start("The dataset.serviceId field is required.", dataset=dataset(serviceId=None)),
    "start, a service object": start("dataset.serviceId", "text", "an object", dataset=dataset(serviceId={"id": 1})),
    "start, no order": start("The dataset.transferTxId field is required.", dataset=dataset(transferTxId="")),
    "start, no algorithm": start("algorithm.documentId", "algorithm.meta", algorithm={}),
    "start, an algorithm's order without DID": start(
        "algorithm.documentId", algorithm={"serviceId": "s", "transferTxId": "0x1"}),
    # --- files
    "file, no type": info("type", "did", url="http://x.example"),
    "file, unknown type": info("type", "one of ipfs, url, arweave, graphql, smartcontract", type="ftp"),
    "file, of this machine": info("one of http or https", type="url", url="file:///etc/passwd"),
    "file, by ftp": info("one of http or https", type="url", url="ftp://x.example/a"),
    "file, no address": info("The url field is required when type is url.", type="url"),
    "file, a method": info("Unsafe method delete", type="url", url="http://x.example/a", method="DELETE"),
    "file, no hash": info("The hash field is required when type is ipfs.", type="ipfs"),
    "file, no DID": info("did", "did:op:", did="did:web:x", serviceId="svc"),
    "file, unknown DID": info("Cannot resolve DID", did=NOWHERE, serviceId="svc"),
    "file, unknown service": info("Invalid serviceId", did=DID, serviceId="x"),
    "file, no service": info("The serviceId field is required", did=DID),
    "file, a contract without address": info("missing contract address", type="smartcontract", abi={}),
    # --- keys and containers
    "encrypt, no chain": sealed("Missing chainId", chain=""),
    "encrypt, another chain": sealed("chainId", "one of 8996, not 137", chain="137"),
    "encrypt, no chain at all": sealed("chainId", "one of 8996, not x", chain="x"),
    "encrypt, another type": sealed("application/octet-stream", kind=JSON),
    "decrypt, half an address": decrypt("decrypterAddress", ADDRESS_TEXT, decrypterAddress="0x12"),
    "decrypt, a chain in words": decrypt("chainId", "a whole number", chainId="main"),
    "decrypt, no chain": decrypt("The chainId field is required.", drop="chainId"),
    "decrypt, no NFT": decrypt("The dataNftAddress field is required.", drop="dataNftAddress"),
    "decrypt, nothing": decrypt("encryptedDocument", "transactionId", drop="encryptedDocument"),
    "container, nothing": Wrong(f"POST {API}/validateContainer", ("missing_entrypoint_image_checksum",), {"x": SECRET}),
    "container, a tag for a digest": Wrong(
        f"POST {API}/validateContainer", ("checksum_prefix",), CONTAINER | {"checksum": "latest"}),
    "job of another time": get("computeResult", "The jobId format is invalid.", **{**RESULT, "jobId": "\0" + SECRET}),
}  # fmt: skip


@pytest.mark.parametrize("name", TABLE)
async def test_wrong_input_is_named_with_what_is_right(world: World, name: str) -> None:
    wrong = TABLE[name]
    world.publish()
    method, path = wrong.call.split(" ")
    content: dict[str, Any] = {"json": wrong.json} if wrong.json is not None else {"content": wrong.body}
    if isinstance(wrong.json, dict) and wrong.json.get("compute", {}).get("validUntil") == 600:
        wrong.json["compute"]["validUntil"] = int(time.time()) + 600
    answer = await world.http.request(method, path, params=wrong.query, headers=wrong.headers, **content)
    assert answer.status_code == wrong.status, answer.text
    for word in wrong.says:
        assert word in answer.text
    assert SECRET not in answer.text
    if method != "HEAD":
        assert list(answer.json()) in (
            ["error"], ["errors", "message", "success"], ["errors", "message", "success", "wanted"],
        )  # fmt: skip


def test_the_table_is_long_enough() -> None:
    assert len(TABLE) >= 80


ALLOWED_STATES = "state 0 (active), 4 (ordering disabled) or 5 (unlisted)"
PLAIN = b'{"id": "did:op:1"}'
REFUSED: dict[str, tuple[dict[str, Any], int, str, dict[str, str]]] = {
    # what of the request is another -> status, Ocean Provider's text to the letter, words of `wanted` by field
    "another chain": ({"chainId": 137}, 400, "Unconfigured chain_id", {"chainId": "one of 8996; 137 was sent"}),
    "no NFT of ours": ({"dataNftAddress": ME}, 400, "Asset not deployed by the data NFT factory.", {
        "dataNftAddress": "Ocean's factory has deployed"}),
    "a transaction without document": ({"transactionId": transaction(1)}, 400, "Failed to process transaction id.", {
        "transactionId": "64 hexadecimal digits"}),
    "flags in words": ({"flags": "3"}, 400, "Failed to convert input args to bytes.", {
        "flags": "a whole number: 0 plain, 1 compressed, 2 encrypted, 3 both; text of 1 characters was sent"}),
    "no bytes": ({"encryptedDocument": SECRET + "z"}, 400, "Failed to convert input args to bytes.", {
        "encryptedDocument": "hexadecimal digits, with or without 0x; text of 121 characters was sent"}),
    "a number for a hash": ({"documentHash": 5}, 400, "Failed to convert input args to bytes.", {
        "documentHash": "with or without 0x; a number was sent"}),
    "unknown flags": ({"flags": 9}, 400, "Failed to decrypt.", {"flags": "3 both"}),
    "not encrypted": ({"flags": 2}, 400, "Failed to decrypt.", {"encryptedDocument": "/api/services/encrypt"}),
    "not compressed": ({"flags": 1}, 400, "Failed to decompress", {"encryptedDocument": "LZMA"}),
    "another hash": ({"flags": 0}, 400, "Checksum doesn't match.", {"documentHash": "SHA-256 of the plain document"}),
    "a document of another": (
        {"flags": 0, "encryptedDocument": PLAIN.hex(), "documentHash": hashlib.sha256(PLAIN).hexdigest()}, 400,
        "The document does not belong to the data NFT.", {"dataNftAddress": "has the id did:op:"}),
    "state 1": ({}, 403, "Asset end of life", {"dataNftAddress": ALLOWED_STATES}),
    "state 2": ({}, 403, "Asset deprecated", {"dataNftAddress": ALLOWED_STATES}),
    "state 3": ({}, 403, "Asset revoked", {"dataNftAddress": "this one is in 3"}),
    "state 9": ({}, 400, "Invalid MetadataState", {"dataNftAddress": "this one is in 9"}),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
async def test_decrypt_says_the_peers_text_and_what_is_allowed(world: World, name: str) -> None:
    changes, status, text, wanted = REFUSED[name]
    if name.startswith("state"):
        world.chain.nft_state = int(name.split()[1])
    body = decrypt(**changes).json
    if "transactionId" not in changes:
        body.pop("transactionId", None)
    signed = body.get("transactionId") or body["dataNftAddress"]
    key = Account.from_key(CONSUMER_KEY)
    body["signature"] = sign(decrypt_message(signed, ME, body["chainId"], body["nonce"]), key)
    answer = await world.http.post(f"{API}/decrypt", json=body)
    assert (answer.status_code, answer.json()["error"]) == (status, text)
    assert list(answer.json()) == ["error", "wanted"]
    assert list(answer.json()["wanted"]) == list(wanted)
    for place, words in wanted.items():
        assert words in answer.json()["wanted"][place]
    assert SECRET not in answer.text


async def test_a_decrypter_who_is_not_listed(tmp_path: Path) -> None:
    async with World(tmp_path, access=AccessSettings(authorized_decrypters=(facts.NFT,))).running() as world:
        body = decrypt().json
        message = decrypt_message(facts.NFT, ME, 8996, "5")
        body["signature"] = sign(message, Account.from_key(CONSUMER_KEY))
        answer = await world.http.post(f"{API}/decrypt", json=body)
    assert (answer.status_code, answer.json()["error"]) == (403, "Decrypter not authorized")
    assert "C2D_ACCESS__AUTHORIZED_DECRYPTERS" in answer.json()["wanted"]["decrypterAddress"]
    assert facts.NFT not in answer.text  # who is listed is the operator's business


@pytest.mark.parametrize("kind", ["ddo", "metadata"])
@pytest.mark.parametrize(
    ("did", "wanted"),
    [
        (NOWHERE, "published on a chain served here: 8996"),
        ("did:op:", "64 lower-case hexadecimal digits"),
        ("did:op:" + "A" * 64, "64 lower-case hexadecimal digits"),
        ("{did}", "64 lower-case hexadecimal digits"),
        ("x", "did:op: and 64"),
    ],
)
async def test_an_asset_that_is_not_there(world: World, kind: str, did: str, wanted: str) -> None:
    """ocean.py decides by the sentence whether an asset is registered yet."""
    answer = await world.http.get(f"/api/aquarius/assets/{kind}/{did}")
    assert answer.status_code == 404
    assert answer.json()["error"] == f"Asset DID {did} not found in Elasticsearch."
    assert list(answer.json()) == ["error", "wanted"]
    assert wanted in answer.json()["wanted"]["did"]


async def test_of_a_revoked_asset_it_is_said_why_nothing_is_shown(world: World) -> None:
    did = world.publish()
    world.chain.assets[did] = world.chain.assets[did].model_copy(update={"metadata": None})
    answer = await world.http.get(f"/api/aquarius/assets/metadata/{did}")
    assert answer.json()["error"] == f"Asset DID {did} not found in Elasticsearch."
    assert "revoked" in answer.json()["wanted"]["did"]


async def test_texts_that_clients_compare_stay(world: World) -> None:
    """ocean.py and Ocean Provider's own tests look for these, and where they look for them."""
    empty = await world.http.post(f"{API}/compute", content=b"{", headers={"content-type": JSON})
    assert empty.json()["errors"] == {"dataset.documentId": ["The dataset.documentId field is required."]}
    assert (empty.json()["message"], empty.json()["success"]) == ("Validation error", False)
    body = world.start_body(5)
    del body["signature"]
    unsigned = await world.start(body)
    assert unsigned.json()["errors"]["signature"] == [
        "Invalid signature provided. Please check the nonce or documentId."
    ]
    assert (await world.start(world.start_body(7))).status_code == 200
    stale = await world.start(world.start_body(6))
    assert stale.json()["errors"]["signature"] == "Invalid signature expected nonce (7) > current nonce (6)."
    quote = asked().json | {"compute": {"env": FREE, "validUntil": 5}}
    late = await world.http.post(f"{API}/initializeCompute", json=quote)
    assert late.json()["error"].startswith("The validUntil value is not correct.")


async def test_every_wrong_parameter_of_an_algorithm_is_named_without_its_value(world: World) -> None:
    """Values of parameters may be keys."""
    did = world.publish()
    source = world.chain.assets[did].document()
    source["services"][0]["consumerParameters"] = [
        {"name": "year", "type": "number", "required": True},
        {"name": "region", "type": "select", "options": [{"north": "N"}, {"south": "S"}]},
    ]
    world.chain.assets[did] = DDO.parse(source)
    for userdata, code in (
        ({"year": SECRET}, "invalid:year (a number)"),
        ({"year": 1, "region": SECRET}, "invalid:region (one of north, south)"),
        ({"region": "north"}, "missing:year"),
    ):
        given = {"documentId": did, "serviceId": "svc", "transferTxId": world.order(), "userdata": userdata}
        answer = await world.start(world.start_body(5, dataset=given))
        assert answer.json() == {"error": {"dataset.userdata": code}}
        assert SECRET not in answer.text
