"""Contract functions and events against known selectors and topics, and logs that do not fit."""

from __future__ import annotations

import pytest
from eth_utils.abi import function_abi_to_4byte_selector

from ocean.chain.contracts import abi, artifact, entry, event
from ocean.chain.errors import AnswerMalformed
from ocean.chain.logs import Log
from ocean.chain.node import Node
from ocean.chain.rpc import Rpc

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
    assert function_abi_to_4byte_selector(entry(contract, "function", name)).hex() == selector


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


async def test_call_of_a_function() -> None:
    address = "0x" + "11" * 20
    call = Node(Rpc("http://127.0.0.1:9")).function("ERC721Template", address, "isDeployed", address)
    given = await call.build_transaction({"gas": 1, "gasPrice": 1, "chainId": 1})
    assert (given["to"], given["data"]) == (address, "0x90184b02" + "0" * 24 + "11" * 20)


def test_logs_of_other_events() -> None:
    kind = event("ERC20Template", "OrderStarted")
    for topics in ((), ("0x" + "00" * 32,), (kind.topic,), (kind.topic, *["0x" + "ff" * 32] * 2)):
        with pytest.raises(AnswerMalformed):
            kind.decode(Log("0x" + "11" * 20, topics, b"", "0x", 1, 0))


def test_unknown_names() -> None:
    for ask in (lambda: artifact("Nothing"), lambda: event("ERC20Template", "nothing"), lambda: abi("../../x")):
        with pytest.raises(LookupError):
            ask()


async def test_creation_code_ends_with_the_arguments() -> None:
    node, plain = Node(Rpc("http://127.0.0.1:9")), artifact("OceanToken")["bytecode"]
    filled = {"gas": 1, "gasPrice": 1, "chainId": 1}
    given = await node.creation("OceanToken", "0x" + "11" * 20).build_transaction(filled)
    assert given["data"] == plain + "00" * 12 + "11" * 20
    given = await node.creation("ERC20Template").build_transaction(filled)
    assert given["data"] == artifact("ERC20Template")["bytecode"]
