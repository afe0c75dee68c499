"""Logs and receipts as plain frozen values, from a node's JSON or web3's. Addresses and hashes are lower-case hex."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ocean.chain.answers import Json, Question, absent, address, data, mapping, quantity, word
from ocean.chain.errors import AnswerMalformed


@dataclass(frozen=True, slots=True)
class Log:
    address: str  # the contract that emitted it: the only field a forger cannot choose
    topics: tuple[str, ...]
    data: bytes
    tx_hash: str
    block_number: int
    index: int  # position in the block
    block_hash: str | None = None  # None where the node does not say it

    @classmethod
    def of(cls, item: Any) -> Log:
        """Raises AnswerMalformed."""
        fields = mapping(item, "a log")
        block_hash = fields.get("blockHash")
        return cls(
            address=address(fields.get("address"), "a log's address"),
            topics=_topics(fields),
            data=data(fields.get("data"), "a log's data"),
            tx_hash=word(fields.get("transactionHash"), "a log's transaction"),
            block_number=quantity(fields.get("blockNumber"), "a log's block"),
            index=quantity(fields.get("logIndex"), "a log's index"),
            block_hash=None if absent(block_hash) else word(block_hash, "a log's block hash"),
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
    def of(cls, item: Any) -> Receipt:
        """Raises AnswerMalformed. What a log shares with its receipt is taken from the receipt."""
        fields = mapping(item, "a receipt")
        tx_hash = word(fields.get("transactionHash"), "a receipt's transaction")
        block = quantity(fields.get("blockNumber"), "a receipt's block")
        logs = fields.get("logs")
        if not isinstance(logs, Sequence) or isinstance(logs, str | bytes):
            raise AnswerMalformed("a receipt's logs")
        return cls(
            tx_hash=tx_hash,
            succeeded=quantity(fields.get("status"), "a receipt's status") == 1,
            sender=address(fields.get("from"), "a receipt's sender"),
            block_number=block,
            contract_address=_created(fields),
            logs=tuple(_log_of(entry, tx_hash, block, position) for position, entry in enumerate(logs)),
        )


def receipt_of(tx_hash: str) -> Question:
    """None while the transaction is not mined, in whatever way the node says that."""

    def read(found: Any) -> Receipt | None:
        if absent(mapping(found, "a receipt").get("blockNumber")):
            return None  # it waits: some nodes answer with what they know of it already
        made = Receipt.of(found)
        if made.tx_hash != tx_hash.lower():
            raise AnswerMalformed("a receipt's transaction")
        return made

    return Question("eth_getTransactionReceipt", (tx_hash,), read, may_be_unknown=True)


def logs_between(first: int, last: int, topics: Sequence[str]) -> Question:
    """Logs of mined blocks, `first` to `last`, whose first topic is one of these. Others are left out here again: some
    nodes do not look at what was asked for."""
    wanted = frozenset(topics)

    def read(found: Any) -> list[Log]:
        if not isinstance(found, Sequence) or isinstance(found, str | bytes):
            raise AnswerMalformed("a list of logs")
        entries = [mapping(entry, "a log") for entry in found]
        logs = [Log.of(entry) for entry in entries if _mined(entry)]
        return [log for log in logs if log.topics and log.topics[0] in wanted and first <= log.block_number <= last]

    query = {"fromBlock": hex(first), "toBlock": hex(last), "topics": [list(topics)]}
    return Question("eth_getLogs", (query,), read)


def _mined(fields: Json) -> bool:
    return fields.get("removed") is not True and not absent(fields.get("blockNumber"))


def _log_of(item: Any, tx_hash: str, block: int, position: int) -> Log:
    fields = mapping(item, "a log")
    index = fields.get("logIndex")
    return Log(
        address=address(fields.get("address"), "a log's address"),
        topics=_topics(fields),
        data=data(fields.get("data"), "a log's data"),
        tx_hash=tx_hash,
        block_number=block,
        index=position if absent(index) else quantity(index, "a log's index"),
    )


def _topics(fields: Json) -> tuple[str, ...]:
    topics = fields.get("topics", "missing")
    if topics is None:
        return ()  # so some nodes write an empty list
    if not isinstance(topics, Sequence) or isinstance(topics, str | bytes):
        raise AnswerMalformed("a log's topics")
    return tuple(word(topic, "a log's topic") for topic in topics)


def _created(fields: Json) -> str | None:
    """Nobody decides by it, so that what cannot be read is not there."""
    try:
        return address(fields.get("contractAddress"), "a receipt's contract")
    except AnswerMalformed:
        return None
