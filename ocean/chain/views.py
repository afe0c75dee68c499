"""Files that are the answer of a contract's view function: any contract, by the ABI that the publisher gives."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from eth_abi.exceptions import EncodingError
from web3.exceptions import Web3Exception

from ocean.chain.errors import CallReverted, ChainUnavailable
from ocean.chain.node import Node
from ocean.files.requests import UserdataInvalid, ViewCall


class ViewFailed(Exception):
    """The contract refuses the call, or is not what the ABI says. Carries nothing of what it said."""


async def read_view(node: Node, call: ViewCall, *, timeout_seconds: float = 10.0) -> Any:
    """What the function answers, as JSON knows it: one value, a list of several, byte strings as 0x hex.

    Raises UserdataInvalid for arguments that do not fit the ABI, ViewFailed, ChainUnavailable.
    """
    try:
        contract = node.web3.eth.contract(address=call.address, abi=[dict(call.abi)])  # type: ignore[call-overload]
        function = contract.functions[str(call.abi["name"])](*call.arguments)
    except (Web3Exception, EncodingError, TypeError, ValueError, KeyError, AttributeError, OverflowError):
        raise UserdataInvalid("Invalid userparams") from None
    try:
        async with asyncio.timeout(timeout_seconds):
            (answer,) = await node.read(function)
    except TimeoutError:
        raise ChainUnavailable(node.chain_id, "a view function took too long") from None
    except (EncodingError, Web3Exception, TypeError, ValueError, OverflowError):
        raise UserdataInvalid("Invalid userparams") from None
    except CallReverted:
        raise ViewFailed from None
    if answer is None and call.abi.get("outputs"):
        raise ViewFailed
    return _plain(answer)


def json_text(answer: Any) -> bytes:
    """The content of the file: JSON as Python writes it, `42`, `"abc"`, `[1, "x"]`."""
    return json.dumps(answer).encode()


def _plain(value: Any) -> Any:
    if isinstance(value, bytes | bytearray):
        return "0x" + bytes(value).hex()
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
