"""Small contract wallets on the development chain, assembled by hand: one of each temper.

A wallet answers `isValidSignature(bytes32 hash, bytes signature)`. Calldata: 4 bytes of selector, the hash at 4, the
place of the signature (64) at 36, its length at 68, its bytes from 100.
"""

from __future__ import annotations

from eth_account.signers.local import LocalAccount

from ocean.chain.network import Network
from ocean.chain.transactions import send

VALID = "1626ba7e" + "00" * 28
# PUSH32 VALID, PUSH1 0, MSTORE, PUSH1 32, PUSH1 0, RETURN
_SAY_VALID = f"7f{VALID}600052" + "60206000f3"
YES = _SAY_VALID
NO = "60006000526020" + "6000f3"  # a word of zeros
REVERTS = "60006000fd"
ENDLESS = "5b600056"  # JUMPDEST, PUSH1 0, JUMP: until there is no gas
INVALID = "fe"
SHORT = "6001600052" + "60016000f3"  # one byte
TRUE = "6001600052" + "60206000f3"  # the word 1, as another interface would say yes


def owned_by(address: str) -> str:
    """A wallet with one key: yes if `ecrecover` of hash and signature (r, s, v) is that address, else it reverts.

    Memory 0: hash, 32: v, 64: r, 96: s; STATICCALL of precompile 1 writes the address to 0.
    """
    load = (
        "600435600052"  # hash: CALLDATALOAD(4) to 0
        "60a43560f81c602052"  # v: the first byte behind r and s, CALLDATALOAD(164) >> 248 to 32
        "606435604052"  # r: CALLDATALOAD(100) to 64
        "608435606052"  # s: CALLDATALOAD(132) to 96
    )
    call = "602060006080600060015afa50"  # STATICCALL(gas, 1, 0, 128, 0, 32); what it says of success is dropped
    compare = f"60005173{address[2:]}14"  # MLOAD(0) == address
    place = (len(load) + len(call) + len(compare)) // 2 + 3 + 5  # behind this jump and the revert
    jump = f"60{place:02x}57" + "60006000fd"
    return load + call + compare + jump + "5b" + _SAY_VALID


async def deploy(network: Network, key: LocalAccount, code: str) -> str:
    """A contract with this code; its address."""
    size = len(code) // 2
    creation = f"61{size:04x}80600a3d393df3"  # PUSH2 size, DUP1, PUSH1 10, RETURNDATASIZE (0), CODECOPY, 0, RETURN
    contract = network.web3.eth.contract(abi=[], bytecode="0x" + creation + code)
    sent = await send(network, key, contract.constructor())
    receipt = await network.rpc.call("eth_getTransactionReceipt", sent.tx_hash)
    return str(receipt["contractAddress"])
