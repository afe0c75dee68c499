"""Contract wallets, and what sends for them, assembled by hand. Nothing here checks who calls: tests do not need it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from eth_account.signers.local import LocalAccount

from ocean.addresses import checksum
from ocean.chain.network import Network
from ocean.chain.transactions import Call, send

# Calls the address in the first word of what it is given, with the rest of it; what fails there fails here.
_WALLET = bytes.fromhex(
    "60203603806020600037"  # copy all but the first word to memory
    "600060008260006000600035"  # return nothing; arguments; no ether; the address
    "5af1"  # all gas; CALL
    "15601d5700"  # stop, if it succeeded
    "5b3d600060003e3d6000fd"  # revert with the same words
)


async def deploy_wallet(network: Network, key: LocalAccount) -> str:
    """A contract that calls for anybody. Its checksum address."""
    size = len(_WALLET).to_bytes(1)
    creation = b"\x60" + size + b"\x60\x0c\x60\x00\x39\x60" + size + b"\x60\x00\xf3" + _WALLET
    receipt = await send(network, key, network.web3.eth.contract(abi=[], bytecode=creation).constructor())
    assert receipt.contract_address is not None
    return checksum(receipt.contract_address)


def through(wallet: str, call: Call) -> tuple[str, bytes]:
    """What to send to whom, so that the wallet makes a call."""
    target = bytes.fromhex(call.address[2:]).rjust(32, b"\0")  # type: ignore[union-attr]
    return wallet, target + bytes.fromhex(call._encode_transaction_data()[2:])  # type: ignore[union-attr]


async def send_together(network: Network, key: LocalAccount, calls: Sequence[tuple[str, bytes]]) -> str:
    """One transaction of `key` that makes all these calls, from a throw-away contract. Its hash."""
    code: Any = network.web3.eth.contract(abi=[], bytecode=_calling_code(calls))
    return (await send(network, key, code.constructor())).tx_hash


def _calling_code(calls: Sequence[tuple[str, bytes]]) -> bytes:
    """Creation code; a call that fails fails the whole."""

    def assembled(base: int) -> tuple[bytes, bytes]:
        code, blob = b"", b""
        for address, data in calls:
            size = b"\x61" + len(data).to_bytes(2)  # PUSH2
            code += size + b"\x61" + (base + len(blob)).to_bytes(2) + b"\x60\x00\x39"  # CODECOPY to 0
            code += b"\x60\x00\x60\x00" + size + b"\x60\x00\x60\x00\x73" + bytes.fromhex(address[2:]) + b"\x5a\xf1"
            after = len(code) + 9
            code += b"\x61" + after.to_bytes(2) + b"\x57\x60\x00\x60\x00\xfd"  # go on if it succeeded, else revert
            code += b"\x5b"
            blob += data
        return code + b"\x60\x00\x60\x00\xf3", blob  # RETURN nothing

    code, blob = assembled(len(assembled(0)[0]))
    return code + blob
