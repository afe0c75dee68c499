"""Logs and receipts as plain frozen values, made from web3's. Addresses and hashes are lower-case hex."""

from __future__ import annotations

from dataclasses import dataclass

from web3.types import LogReceipt, TxReceipt


@dataclass(frozen=True, slots=True)
class Log:
    address: str  # the contract that emitted it: the only field a forger cannot choose
    topics: tuple[str, ...]
    data: bytes
    tx_hash: str
    block_number: int
    index: int  # position in the block

    @classmethod
    def of(cls, item: LogReceipt) -> Log:
        return cls(
            address=item["address"].lower(),
            topics=tuple(topic.to_0x_hex() for topic in item["topics"]),
            data=bytes(item["data"]),
            tx_hash=item["transactionHash"].to_0x_hex(),
            block_number=item["blockNumber"],
            index=item["logIndex"],
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
    def of(cls, item: TxReceipt) -> Receipt:
        created = item["contractAddress"]
        return cls(
            tx_hash=item["transactionHash"].to_0x_hex(),
            succeeded=item["status"] == 1,
            sender=item["from"].lower(),
            block_number=item["blockNumber"],
            contract_address=created.lower() if created else None,
            logs=tuple(Log.of(entry) for entry in item["logs"]),
        )
