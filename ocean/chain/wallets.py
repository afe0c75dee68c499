"""Accounts that are contracts (Safe, ERC-4337): they have no key, so they are asked whether a signature is theirs.

ERC-1271: `isValidSignature(bytes32 hash, bytes signature)` answers its own selector, padded to 32 bytes. The contract
is a stranger's: gas, time and the size of the signature are bounded, and whatever it says instead is a no.
"""

from __future__ import annotations

import asyncio
import re
from typing import Final

from ocean.addresses import checksum
from ocean.chain.errors import CallReverted, ChainUnavailable, NodeRefused
from ocean.chain.node import Node

MAX_SIGNATURE_BYTES: Final = 4096
GAS: Final = 1_000_000
SECONDS: Final = 5.0
_SELECTOR: Final = "1626ba7e"
_VALID: Final = _SELECTOR + "0" * 56
# What nodes say of a call that the contract itself brought to an end; other refusals are the node's.
_CONTRACT_FAILED: Final = re.compile(r"gas|opcode|evm|stack|jump|revert|vm error|out of bounds", re.IGNORECASE)


async def signed_by_contract(node: Node, address: str, digest: bytes, signature: bytes) -> bool | None:
    """Whether the contract at `address` takes this for its signature of the 32 bytes; None: there is no contract.

    Raises ChainUnavailable.
    """
    if len(signature) > MAX_SIGNATURE_BYTES:
        return None
    account = checksum(address)
    try:
        async with asyncio.timeout(SECONDS):
            code = await node.rpc.call("eth_getCode", account, "latest")
            if not isinstance(code, str) or code in ("", "0x", "0x0"):
                return None
            call = {"to": account, "data": _call_data(digest, signature), "gas": hex(GAS)}
            answer = await node.rpc.call("eth_call", call, "latest")
    except TimeoutError:
        raise ChainUnavailable(node.chain_id, "a wallet took too long to judge a signature") from None
    except CallReverted:
        return False
    except NodeRefused as refused:
        if _CONTRACT_FAILED.search(refused.reason):
            return False
        raise
    return isinstance(answer, str) and answer[2:66].lower() == _VALID


def _call_data(digest: bytes, signature: bytes) -> str:
    padded = signature + bytes(-len(signature) % 32)
    words = digest + (64).to_bytes(32, "big") + len(signature).to_bytes(32, "big") + padded
    return "0x" + _SELECTOR + words.hex()
