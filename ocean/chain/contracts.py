"""ABIs and bytecode of Ocean's contracts, and their events as web3 decodes them.

The package `ocean-contracts` installs a top-level folder `artifacts`, so its files are found through the distribution's
metadata instead of importing a name that generic.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from eth_abi.exceptions import DecodingError
from hexbytes import HexBytes
from web3 import AsyncBaseProvider, AsyncWeb3
from web3.contract.async_contract import AsyncContractEvent
from web3.exceptions import LogTopicError, MismatchedABI

from ocean.chain.errors import AnswerMalformed
from ocean.chain.logs import Log


@dataclass(frozen=True, slots=True)
class Event:
    """One contract event. `topic` is 0x-hex; `addresses` names the arguments that are addresses."""

    name: str
    topic: str
    addresses: frozenset[str]
    abi: AsyncContractEvent

    def decode(self, log: Log) -> dict[str, Any]:
        """Arguments by name, addresses in lower case. Raises AnswerMalformed when topics or data do not fit."""
        try:
            values = self.abi.process_log(
                {
                    "address": log.address,
                    "topics": [HexBytes(topic) for topic in log.topics],
                    "data": HexBytes(log.data),
                    "blockNumber": log.block_number,
                    "blockHash": HexBytes(b""),
                    "transactionHash": HexBytes(b""),
                    "transactionIndex": 0,
                    "logIndex": log.index,
                    "removed": False,
                }
            )["args"]
        except (DecodingError, IndexError, LogTopicError, MismatchedABI, OverflowError, UnicodeDecodeError) as exc:
            raise AnswerMalformed(self.name) from exc
        return {name: value.lower() if name in self.addresses else value for name, value in values.items()}


@cache
def artifact(name: str) -> dict[str, Any]:
    """The Hardhat artifact of a contract: keys `abi`, `bytecode` and others. Raises LookupError for an unknown name."""
    path = Path(str(metadata.distribution("ocean-contracts").locate_file("artifacts"))) / f"{name}.json"
    if not path.is_file():
        raise LookupError(f"ocean-contracts has no contract {name}")
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return document


def abi(name: str) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = artifact(name)["abi"]
    return entries


def entry(contract: str, kind: str, name: str) -> dict[str, Any]:
    """The ABI of one `function` or `event`. Raises LookupError."""
    for item in abi(contract):
        if item["type"] == kind and item.get("name") == name:
            return item
    raise LookupError(f"{contract} has no {kind} {name}")


@cache
def event(contract: str, name: str) -> Event:
    found = entry(contract, "event", name)
    addresses = frozenset(item["name"] for item in found["inputs"] if item["type"] == "address")
    kind: AsyncContractEvent = _away().eth.contract(abi=[found]).events[name]()
    return Event(name, kind.topic, addresses, kind)


@cache
def _away() -> AsyncWeb3[AsyncBaseProvider]:
    """web3 without a node, whose codec is all that reading a log needs."""
    return AsyncWeb3(AsyncBaseProvider())
