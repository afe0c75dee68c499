import json
from typing import Any

import pytest

from ocean.ecies import encrypt, public_key_of
from ocean.file_lists import FilesUnreadable, decode_files, encode_files
from ocean.files import File, FileObjectInvalid, UrlFile, parse_file
from ocean.keys import KeyInvalid

pytestmark = pytest.mark.unit

KEY = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"  # public development key
OTHER_KEY = "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d"  # another one
DATATOKEN = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
NFT = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"
URL = "https://example.com/a.csv?token=secret"
FILE = UrlFile(URL)


def sealed(document: Any, key: str = KEY) -> str:
    plain = document if isinstance(document, bytes) else json.dumps(document).encode()
    return "0x" + encrypt(public_key_of(key), plain).hex()


def opened(text: str, version: str | None = "4.1.0", **changes: Any) -> tuple[File, ...]:
    where = {"datatoken": DATATOKEN, "nft": NFT, "private_key": KEY} | changes
    return decode_files(text, version=version, **where)


def test_a_url_file_and_its_defaults() -> None:
    assert parse_file({"type": "url", "url": URL}) == FILE
    assert parse_file({"type": "url", "url": URL, "method": None, "headers": None, "index": 3}) == FILE
    posted = parse_file({"type": "url", "url": URL, "method": "post", "headers": {"X-Key": "k"}})
    assert posted == UrlFile(URL, "POST", {"X-Key": "k"})
    assert parse_file(posted.to_json()) == posted
    assert FILE.to_json() == {"type": "url", "url": URL, "method": "GET"}


def test_a_file_does_not_show_its_url() -> None:
    shown = repr(UrlFile(URL, headers={"authorization": "secret"})) + str(FILE)
    assert "example.com" not in shown
    assert "secret" not in shown


@pytest.mark.parametrize(
    ("obj", "text"),
    [
        ({}, "cannot decrypt files for this service."),
        ({"type": "url"}, "malformed service files, missing required keys."),
        ({"type": "url", "url": ""}, "malformed service files, missing required keys."),
        ({"url": URL}, "malformed service files, missing required keys."),
        ({"type": "url", "url": 7}, "malformed file object."),
        ({"type": "url", "url": URL, "headers": "text"}, "malformed file object."),
        ({"type": "url", "url": URL, "headers": {"a": 1}}, "malformed file object."),
        ({"type": "url", "url": URL, "method": 5}, "malformed file object."),
        ({"type": ["url"], "url": URL}, "malformed file object."),
        ([], "malformed file object."),
        ("text", "malformed file object."),
        (None, "malformed file object."),
        ({"type": "url", "url": URL, "method": "DELETE"}, "Unsafe method delete."),
        (
            {"type": "url", "url": "file:///etc/passwd"},
            "Invalid file name format. It was not possible to get the file name. The url must be one of http or https.",
        ),
        (
            {"type": "url", "url": "../x"},
            "Invalid file name format. It was not possible to get the file name. The url must be one of http or https.",
        ),
        ({"type": "ftp", "url": URL}, "Unsupported type ftp"),
    ],
)
def test_objects_that_are_no_files(obj: Any, text: str) -> None:
    with pytest.raises(FileObjectInvalid) as caught:
        parse_file(obj)
    assert str(caught.value) == text


ABI = {"type": "function", "name": "f", "stateMutability": "view", "inputs": [{"name": "a", "type": "uint256"}]}
ADDRESS = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"


@pytest.mark.parametrize(
    "obj",
    [
        {"type": "ipfs", "hash": "Qm123/data.csv", "headers": {"x": "y"}},
        {"type": "arweave", "transactionId": "a4qJoQZa1poIv5guEzkfgZYSAD0uYm7Vw4zm_tCswVQ"},
        {"type": "graphql", "url": "https://example.com/g", "query": "{ a }", "headers": {"x": "y"}},
        {"type": "smartcontract", "address": ADDRESS, "abi": ABI, "chainId": 8996},
        {"type": "smartcontract", "address": ADDRESS, "abi": ABI},
    ],
)
def test_the_other_types(obj: dict[str, Any]) -> None:
    file = parse_file({**obj, "index": 0})
    assert file.to_json() == obj
    assert parse_file(file.to_json()) == file
    for secret in ("Qm123", "a4qJ", "example.com", "{ a }"):
        assert secret not in repr(file)


@pytest.mark.parametrize(
    ("obj", "text"),
    [
        ({"type": "ipfs"}, "malformed service files, missing required keys."),
        ({"type": "ipfs", "hash": "../api/v0/id"}, "malformed file object."),
        ({"type": "ipfs", "hash": ["x"]}, "malformed file object."),
        ({"type": "ipfs", "hash": "x", "headers": "text"}, "malformed file object."),
        ({"type": "arweave"}, "malformed service files, missing transactionId."),
        ({"type": "arweave", "transactionId": ".."}, "malformed file object."),
        ({"type": "graphql", "query": "{a}"}, "missing graphql endpoint"),
        ({"type": "graphql", "url": "https://example.com"}, "missing graphql query"),
        ({"type": "smartcontract", "abi": ABI}, "malformed smartcontract type, missing contract address"),
        (
            {"type": "smartcontract", "address": "0x1", "abi": ABI},
            "malformed smartcontract type, missing contract address",
        ),
        ({"type": "smartcontract", "address": ADDRESS}, "invalid abi"),
        ({"type": "smartcontract", "address": ADDRESS, "abi": {**ABI, "type": "event"}}, "invalid abi"),
        ({"type": "smartcontract", "address": ADDRESS, "abi": {"type": "function", "name": "f"}}, "invalid abi"),
        ({"type": "smartcontract", "address": ADDRESS, "abi": {**ABI, "inputs": [{"name": 1}]}}, "invalid abi"),
        (
            {"type": "smartcontract", "address": ADDRESS, "abi": {**ABI, "stateMutability": "payable"}},
            "only view or pure functions are allowed",
        ),
        ({"type": "smartcontract", "address": ADDRESS, "abi": {**ABI, "name": ""}}, "missing name"),
    ],
)
def test_other_types_that_are_malformed(obj: dict[str, Any], text: str) -> None:
    with pytest.raises(FileObjectInvalid) as caught:
        parse_file(obj)
    assert str(caught.value) == text


@pytest.mark.parametrize("version", ["4.1.0", "4.3.0", "4.5.0", "5.0.0"])
def test_files_round_trip(version: str) -> None:
    files = (FILE, UrlFile("http://example.com/2", "POST", {"a": "b"}))
    text = encode_files(files, DATATOKEN.lower(), NFT.lower(), public_key_of(KEY))
    assert text.startswith("0x04")
    assert opened(text, version) == files
    assert opened(text, version, datatoken=DATATOKEN.lower(), nft="0x" + NFT[2:].upper()) == files
    assert opened(text[2:], version) == files


def test_the_peers_blob_opens() -> None:
    """Made by Ocean Provider's encoder: compact JSON, checksum addresses, this order of keys."""
    blob = (
        "0x04ba5734d8f7091719471e7f7ed6b9df170dc70cc661ca05e688601ad984f068b0d67351e5f06073092499336ab0839ef8a521afd334e53807205fa2f08eec74f4"
        "000102030405060708090a0b0c0d0e0fe1cc06050a82f5bf324c96d86ace231e"
        "1af47a5f0f951e84de4e28f1cf145966bb55db4c0123171194975a2283e62351a664f50f0fcab510950cb63645f96e8a8654250ab2e30ee9bc1922c58827a4d4"
        "f734dea09211668c52e6e089ff5b744dff7d6a1e2c438531f9a102e8a35f6440da4b405d1dd8bd965f5bdea06974fd59535367d8d7381ca2ce63c9fd92826cac"
        "2dafa8fcd442cce0ed299a8a85b3ec0ff675eced77a20c52efab4dfdae38b1db24c7794743874affb37e62960533095a913535a8db49cf69cbe6c726c2b687f7"
        "c3a57c87dd"
    )
    assert opened(blob) == (UrlFile("https://example.com/a.csv"),)


BOUND = {"datatokenAddress": DATATOKEN, "nftAddress": NFT, "files": [FILE.to_json()]}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0x",
        "zz",
        "0x04",
        sealed(BOUND, OTHER_KEY),
        sealed(b"not json"),
        sealed(b"\xff\xfe"),
        sealed([FILE.to_json()]),
        sealed("text"),
        sealed({"nftAddress": NFT, "files": [FILE.to_json()]}),
        sealed({"datatokenAddress": DATATOKEN, "files": [FILE.to_json()]}),
        sealed(BOUND | {"datatokenAddress": NFT}),
        sealed(BOUND | {"nftAddress": DATATOKEN}),
        sealed(BOUND | {"nftAddress": None}),
        sealed(BOUND | {"nftAddress": "text"}),
        sealed(BOUND | {"files": []}),
        sealed(BOUND | {"files": None}),
        sealed(BOUND | {"files": {"0": FILE.to_json()}}),
        sealed(BOUND | {"files": [FILE.to_json(), {"type": "url"}]}),
        sealed(BOUND | {"files": [{"type": "filecoin", "hash": "x"}]}),
        sealed(BOUND | {"files": [FILE.to_json() | {"headers": {"Range": "bytes=0-9"}}]}),
        sealed(b"[" * 50_000),
    ],
)
def test_unreadable_files(text: str) -> None:
    with pytest.raises(FilesUnreadable) as caught:
        opened(text)
    assert "example.com" not in str(caught.value)


@pytest.mark.parametrize("version", ["4.0.0", None, ""])
def test_unbound_files_are_refused_unless_allowed(version: str | None) -> None:
    unbound = sealed([FILE.to_json()])
    with pytest.raises(FilesUnreadable):
        opened(unbound, version)
    assert opened(unbound, version, allow_unbound=True) == (FILE,)
    with pytest.raises(FilesUnreadable):  # a bound list in a document that says it is unbound
        opened(sealed(BOUND), version, allow_unbound=True)


def test_a_wrong_key_of_ours_is_no_fault_of_the_files() -> None:
    with pytest.raises(KeyInvalid):
        opened(sealed(BOUND), private_key="nonsense")
