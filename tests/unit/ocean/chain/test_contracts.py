"""The codec against known selectors and topics, and against answers that do not fit."""

from __future__ import annotations

import pytest

from ocean.chain.contracts import AnswerMalformed, abi, artifact, creation_code, event, function
from ocean.chain.logs import Log
from ocean.chain.transactions import created_address

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("contract", "name", "selector"),
    [
        ("ERC721Template", "setMetaData", "1aa3adf9"),
        ("ERC721Template", "setMetaDataState", "467c97f5"),
        ("ERC721Template", "getMetaData", "d2786ba4"),
        ("ERC721Template", "ownerOf", "6352211e"),
        ("ERC721Template", "isDeployed", "90184b02"),
        ("ERC20Template", "startOrder", "79d9d7f3"),
        ("ERC20Template", "reuseOrder", "361fef49"),
        ("ERC721Factory", "startMultipleTokenOrder", "94be0e88"),
    ],
)
def test_selectors(contract: str, name: str, selector: str) -> None:
    assert function(contract, name).selector.hex() == selector


@pytest.mark.parametrize(
    ("contract", "name", "topic"),
    [
        ("ERC721Template", "MetadataCreated", "5463569dcc320958360074a9ab27e809e8a6942c394fb151d139b5f7b4ecb1bd"),
        ("ERC721Template", "MetadataUpdated", "e5c4cf86b1815151e6f453e1e133d4454ae3b0b07145db39f2e0178685deac84"),
        ("ERC721Factory", "NFTCreated", "8125264ec1d174cb383ea0646ea1e6921ca3b0aba20370c8e18389e7c2d6a571"),
        ("ERC721Factory", "TokenCreated", "567699dbf7c5f63a51a42fd451f5e065bca0dfc723adf2cc498bbb7cfb780b90"),
        ("ERC20Template", "OrderStarted", "e1c4fa794edfa8f619b8257a077398950357b9c6398528f94480307352f9afcc"),
        ("ERC20Template", "OrderReused", "526e31449ea46e2aecf9b480c8d7dfa191348ef74ffdf75b445a6ab726daa6ff"),
        ("ERC20Template", "ProviderFee", "f8ed11cdaaf10eca2b6c941fb802cb8682afe86cac1eb93f70d0780fa062c544"),
    ],
)
def test_topics(contract: str, name: str, topic: str) -> None:
    assert event(contract, name).topic == "0x" + topic


def test_calls_and_answers_round_trip() -> None:
    call = function("ERC721Template", "isDeployed")
    assert call.encode("0x" + "11" * 20).hex() == "90184b02" + "0" * 24 + "11" * 20
    assert call.decode((1).to_bytes(32, "big")) == (True,)


@pytest.mark.parametrize("answer", [b"", b"\1", b"\xff" * 32])
def test_answers_of_other_contracts(answer: bytes) -> None:
    with pytest.raises(AnswerMalformed):
        function("ERC721Template", "isDeployed").decode(answer)
    with pytest.raises(AnswerMalformed):
        function("ERC721Template", "getMetaData").decode(answer)


def test_text_that_is_no_utf8() -> None:
    text = (32).to_bytes(32, "big") + (1).to_bytes(32, "big") + b"\xff".ljust(32, b"\0")
    with pytest.raises(AnswerMalformed):
        function("ERC20Template", "name").decode(text)


def test_logs_of_other_events() -> None:
    kind = event("ERC20Template", "OrderStarted")
    for topics in ((), ("0x" + "00" * 32,), (kind.topic,), (kind.topic, *["0x" + "ff" * 32] * 2)):
        with pytest.raises(AnswerMalformed):
            kind.decode(Log("0x" + "11" * 20, topics, b"", "0x", 1, 0))


def test_unknown_names() -> None:
    for ask in (lambda: artifact("Nothing"), lambda: function("ERC20Template", "nothing"), lambda: abi("../../x")):
        with pytest.raises(LookupError):
            ask()


def test_creation_code_ends_with_the_arguments() -> None:
    plain = bytes.fromhex(artifact("OceanToken")["bytecode"][2:])
    code = creation_code("OceanToken", "0x" + "11" * 20)
    assert code == plain + bytes(12) + b"\x11" * 20
    assert creation_code("ERC20Template") == bytes.fromhex(artifact("ERC20Template")["bytecode"][2:])


@pytest.mark.parametrize(
    ("nonce", "address"),
    [
        (0, "0x5FbDB2315678afecb367f032d93F642f64180aa3"),
        (1, "0xe7f1725E7734CE288F8367e1Bb143E90bb3F0512"),
    ],
)
def test_address_of_a_contract_follows_from_the_nonce(nonce: int, address: str) -> None:
    assert created_address("0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266", nonce) == address
