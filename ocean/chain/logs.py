"""Logs and receipts as plain frozen values, parsed from a node's JSON. Addresses and hashes are lower-case hex."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Log:
    address: str  # the contract that emitted it: the only field a forger cannot choose
    topics: tuple[str, ...]
    data: bytes
    tx_hash: str
    block_number: int
    index: int  # position in the block

    @classmethod
    def parse(cls, item: Mapping[str, Any]) -> Log:
        return cls(
            address=item["address"].lower(),
            topics=tuple(topic.lower() for topic in item["topics"]),
            data=bytes.fromhex(item["data"][2:]),
            tx_hash=item["transactionHash"].lower(),
            block_number=int(item["blockNumber"], 16),
            index=int(item["logIndex"], 16),
        )


@dataclass(frozen=True, slots=True)
class Receipt:
    tx_hash: str
    succeeded: bool
    sender: str  # the account that signed the transaction
    block_number: int
    contract_address: str | None  # set when the transaction deployed a contract
    logs: tuple[Log, ...]

    @classmethod
    def parse(cls, item: Mapping[str, Any]) -> Receipt:
        created = item.get("contractAddress")
        return cls(
            tx_hash=item["transactionHash"].lower(),
            succeeded=int(item["status"], 16) == 1,
            sender=item["from"].lower(),
            block_number=int(item["blockNumber"], 16),
            contract_address=created.lower() if created else None,
            logs=tuple(Log.parse(entry) for entry in item["logs"]),
        )
