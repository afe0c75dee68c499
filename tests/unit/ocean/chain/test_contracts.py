"""Contract functions and events against known selectors and topics, and logs that do not fit."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
from eth_abi.abi import encode
from eth_abi.exceptions import DecodingError
from eth_utils.abi import function_abi_to_4byte_selector
from hexbytes import HexBytes
from hypothesis import given as generated
from hypothesis import settings
from hypothesis import strategies as st
from web3 import AsyncBaseProvider, AsyncWeb3
from web3.exceptions import LogTopicError, MismatchedABI

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


USED = [
    ("ERC721Factory", "NFTCreated"),
    ("ERC721Factory", "TokenCreated"),
    ("ERC721Template", "MetadataCreated"),
    ("ERC721Template", "MetadataUpdated"),
    ("ERC721Template", "MetadataState"),
    ("ERC721Template", "Transfer"),
    ("ERC20Template", "OrderStarted"),
    ("ERC20Template", "OrderReused"),
    ("ERC20Template", "ProviderFee"),
]


@cache
def _as_web3_reads(contract: str, name: str) -> Any:
    found = entry(contract, "event", name)
    return AsyncWeb3(AsyncBaseProvider()).eth.contract(abi=[found]).events[name]()


def web3_decodes(contract: str, name: str, log: Log) -> dict[str, Any]:
    """What the library above the decoder makes of it."""
    raw = {"address": log.address, "topics": [HexBytes(topic) for topic in log.topics], "data": HexBytes(log.data)}
    rest = dict.fromkeys(("blockHash", "transactionHash"), HexBytes(b""))
    numbers = {"blockNumber": 1, "transactionIndex": 0, "logIndex": 0, "removed": False}
    try:
        values = _as_web3_reads(contract, name).process_log(raw | rest | numbers)["args"]
    except (DecodingError, IndexError, LogTopicError, MismatchedABI, OverflowError, UnicodeDecodeError) as exc:
        raise AnswerMalformed(name) from exc
    addresses = {item["name"] for item in entry(contract, "event", name)["inputs"] if item["type"] == "address"}
    return {key: value.lower() if key in addresses else value for key, value in values.items()}


VALUES = {
    "address": st.binary(min_size=20, max_size=20).map(lambda raw: "0x" + raw.hex()),
    "bool": st.booleans(),
    "bytes": st.binary(max_size=70),
    "bytes32": st.binary(min_size=32, max_size=32),
    "string": st.text(max_size=40).map(lambda text: text.encode("utf-8", "replace").decode()),
    "uint256": st.integers(0, 2**256 - 1),
    "uint8": st.integers(0, 255),
    "uint256[]": st.lists(st.integers(0, 2**256 - 1), max_size=3),
}


@pytest.mark.parametrize(("contract", "name"), USED)
@settings(max_examples=40, deadline=None)
@generated(data=st.data())
def test_events_are_read_as_web3_reads_them(contract: str, name: str, data: st.DataObject) -> None:
    """Well-formed ones, and any with a byte changed, cut off or added, or a topic too few or too many."""
    kind = event(contract, name)
    topics = [kind.topic, *("0x" + encode([typ], [data.draw(VALUES[typ])]).hex() for _, typ in kind.indexed)]
    body = encode([typ for _, typ in kind.plain], [data.draw(VALUES[typ]) for _, typ in kind.plain])
    match data.draw(st.sampled_from(["as it is", "changed", "cut off", "longer", "topic gone", "topic more", "bits"])):
        case "changed" if body:
            place = data.draw(st.integers(0, len(body) - 1))
            body = body[:place] + data.draw(st.binary(min_size=1, max_size=1)) + body[place + 1 :]
        case "cut off":
            body = body[: data.draw(st.integers(0, len(body)))]
        case "longer":
            body += data.draw(st.binary(max_size=40))
        case "topic gone":
            topics.pop()
        case "topic more":
            topics.append("0x" + "00" * 32)
        case "bits" if len(topics) > 1:
            topics[-1] = "0x" + "ff" * 32
    log = Log("0x" + "11" * 20, tuple(topics), body, "0x", 1, 0)
    try:
        expected = web3_decodes(contract, name, log)
    except AnswerMalformed:
        with pytest.raises(AnswerMalformed):
            kind.decode(log)
    else:
        assert kind.decode(log) == expected
