"""What a contract function returned is read below web3; here both read the same answers."""

from __future__ import annotations

import asyncio
import json
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from eth_abi.abi import encode
from eth_abi.grammar import ABIType, TupleType, parse
from eth_utils.abi import collapse_if_tuple
from hypothesis import given, settings
from hypothesis import strategies as st

from ocean.chain.errors import ChainUnavailable
from ocean.chain.node import Node
from ocean.chain.rpc import Rpc

ADDRESS = "0x" + "12" * 20
FOLDER = Path(str(metadata.distribution("ocean-contracts").locate_file("artifacts")))
Outputs = list[dict[str, Any]]


@cache
def returned() -> dict[str, Outputs]:
    """What any function of Ocean's contracts returns, and some that none does, by its types."""
    found: dict[str, Outputs] = {}
    for path in sorted(FOLDER.glob("*.json")):
        for item in json.loads(path.read_text()).get("abi", ()):
            if item["type"] == "function" and item.get("outputs"):
                found[",".join(collapse_if_tuple(output) for output in item["outputs"])] = item["outputs"]
    found["string"] = [{"name": "", "type": "string"}]
    nested = [{"name": "a", "type": "address[2][]"}, {"name": "b", "type": "bytes"}, {"name": "c", "type": "int8"}]
    found["nested"] = [{"name": "", "type": "tuple[]", "components": nested}, {"name": "", "type": "address"}]
    return found


def values(kind: ABIType) -> st.SearchStrategy[Any]:
    if kind.is_array:
        item, (*_, size) = values(kind.item_type), kind.arrlist
        return st.lists(item, min_size=size[0] if size else 0, max_size=size[0] if size else 3)
    if isinstance(kind, TupleType):
        return st.tuples(*map(values, kind.components))
    match kind.base, kind.sub:
        case "address", _:
            return st.binary(min_size=20, max_size=20).map(lambda found: "0x" + found.hex())
        case "bool", _:
            return st.booleans()
        case "string", _:
            return st.text(max_size=40)
        case "bytes", size:
            return st.binary(min_size=size or 0, max_size=size or 70)
        case "uint", bits:
            return st.integers(0, 2**bits - 1)
        case "int", bits:
            return st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    raise AssertionError(kind)


def both(outputs: Outputs, answer: dict[str, Any]) -> tuple[Any, Any]:
    """Ours and web3's."""

    whole = {"jsonrpc": "2.0", "id": 1, **answer}

    async def read() -> tuple[Any, Any]:
        node = Node(Rpc("http://127.0.0.1:9", chain_id=1))
        entry = {"type": "function", "name": "f", "inputs": [], "outputs": outputs, "stateMutability": "view"}
        function = node.web3.eth.contract(address=node.web3.to_checksum_address(ADDRESS), abi=[entry]).functions.f()
        async with node.web3.batch_requests():
            made: Any = await function.call()
        theirs = node.web3.manager._format_batched_response(made, whole)
        ours = (await node._of_web3(function)).read(whole)
        await node.close()
        return ours, theirs

    return asyncio.run(read())


@settings(max_examples=10)
@pytest.mark.parametrize("types", sorted(returned()))
@given(chance=st.data())
def test_the_same_as_web3(types: str, chance: st.DataObject) -> None:
    outputs = returned()[types]
    kinds = [collapse_if_tuple(output) for output in outputs]
    encoded = encode(kinds, [chance.draw(values(parse(kind))) for kind in kinds])
    whole = chance.draw(st.booleans())
    sent = encoded if whole else encoded[: chance.draw(st.integers(0, len(encoded)))] + chance.draw(st.binary())
    ours, theirs = both(outputs, {"result": "0x" + sent.hex()})
    assert type(ours) is type(theirs)
    assert ours == theirs


@pytest.mark.parametrize("answer", [{"result": None}, {"result": 7}, {"result": "0xzz"}, {"result": {}}])
def test_an_answer_that_is_none(answer: dict[str, Any]) -> None:
    ours, _ = both(returned()["address"], answer)
    assert isinstance(ours, ChainUnavailable)


def test_a_contract_that_refuses() -> None:
    refused = {"error": {"code": 3, "message": "execution reverted", "data": "0x08c379a0"}}
    ours, theirs = both(returned()["address"], refused)
    assert (type(ours), str(ours)) == (type(theirs), str(theirs))
