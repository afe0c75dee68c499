"""What a node is asked, and how its answers are read: only the fields that are used, strictly; no others are looked at.

Nodes differ in what they leave out, add and garble, and a reader that knows every field of a block refuses a whole
chain for one that nobody needs (97 bytes of `extraData`, for example). A field that is not there may be missing, null,
"" or "0x". Where a field that is needed cannot be read, the answer is AnswerMalformed, which readers of the chain take
for a node that is not available.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ocean.chain.errors import AnswerMalformed

_QUANTITY = re.compile(r"0x[0-9a-fA-F]{1,64}")
_BYTES = re.compile(r"0x(?:[0-9a-fA-F]{2})*")

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Question:
    """One JSON-RPC call. `read` makes a value of its `result`; what it raises as AnswerMalformed is the node's fault.

    may_be_unknown: the thing asked for may not be there (null, or an error that says so): the answer is None then.
    """

    method: str
    params: Sequence[Any]
    read: Callable[[Any], Any]
    may_be_unknown: bool = False


@dataclass(frozen=True, slots=True)
class Header:
    """Of a block. `base_fee`: wei for a unit of gas; None where the chain has no such thing (before EIP-1559)."""

    number: int
    hash: str
    base_fee: int | None

    @classmethod
    def of(cls, item: Any) -> Header:
        fields = mapping(item, "a block")
        fee = fields.get("baseFeePerGas")
        return cls(
            number=quantity(fields.get("number"), "a block's number"),
            hash=word(fields.get("hash"), "a block's hash"),
            base_fee=None if absent(fee) else quantity(fee, "a block's base fee"),
        )


def head_number() -> Question:
    return Question("eth_blockNumber", (), lambda found: quantity(found, "the head's number"))


def chain_id() -> Question:
    return Question("eth_chainId", (), lambda found: quantity(found, "the chain's id"))


def header(block: int | str) -> Question:
    """By number, or a tag as "latest". A header with another number than asked for is no answer."""

    def read(found: Any) -> Header:
        made = Header.of(found)
        if isinstance(block, int) and made.number != block:
            raise AnswerMalformed("a block's number")
        return made

    return Question("eth_getBlockByNumber", (_block(block), False), read, may_be_unknown=True)


def transaction_count(address: str, block: str) -> Question:
    return Question("eth_getTransactionCount", (address, block), lambda found: quantity(found, "an account's nonce"))


def balance(address: str) -> Question:
    return Question("eth_getBalance", (address, "latest"), lambda found: quantity(found, "a balance"))


def code(address: str) -> Question:
    return Question("eth_getCode", (address, "latest"), lambda found: data(found, "a contract's code"))


def absent(value: Any) -> bool:
    return value is None or value in ("", "0x")


def mapping(value: Any, name: str) -> Json:
    if not isinstance(value, Mapping):
        raise AnswerMalformed(name)
    return value


def quantity(value: Any, name: str) -> int:
    """`0x` and up to 64 digits, also with leading zeros; a number as it is."""
    if type(value) is int and value >= 0:
        return value
    if not isinstance(value, str) or not _QUANTITY.fullmatch(value):
        raise AnswerMalformed(name)
    return int(value, 16)


def data(value: Any, name: str) -> bytes:
    """Byte strings of any length; none is "0x" or ""."""
    if isinstance(value, bytes):
        return bytes(value)
    if value == "":
        return b""
    if not isinstance(value, str) or not _BYTES.fullmatch(value):
        raise AnswerMalformed(name)
    return bytes.fromhex(value[2:])


def word(value: Any, name: str) -> str:
    """32 bytes as lower-case 0x-hex."""
    return _fixed(value, 32, name)


def address(value: Any, name: str) -> str:
    """20 bytes as lower-case 0x-hex."""
    return _fixed(value, 20, name)


def _fixed(value: Any, size: int, name: str) -> str:
    found = data(value, name)
    if len(found) != size:
        raise AnswerMalformed(name)
    return "0x" + found.hex()


def _block(block: int | str) -> str:
    return hex(block) if isinstance(block, int) else block
