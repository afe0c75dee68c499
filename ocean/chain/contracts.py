"""ABIs and bytecode of Ocean's contracts, and their events.

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

from eth_abi.abi import decode
from eth_abi.exceptions import DecodingError

from ocean.chain.errors import AnswerMalformed
from ocean.chain.logs import Log
from ocean.keccak import keccak256


@dataclass(frozen=True, slots=True)
class Event:
    """One contract event. `topic` is 0x-hex; `indexed` and `plain` are its arguments' names and types, those in topics
    and those in the data.

    Read with `eth_abi`, the decoder below web3: a log read through web3's contracts costs ten times as much, and a
    start reads several.
    """

    name: str
    topic: str
    indexed: tuple[tuple[str, str], ...]
    plain: tuple[tuple[str, str], ...]

    def decode(self, log: Log) -> dict[str, Any]:
        """Arguments by name, those in topics first; addresses in lower case. Raises AnswerMalformed when topics or data
        do not fit."""
        if len(log.topics) != 1 + len(self.indexed) or log.topics[0] != self.topic:
            raise AnswerMalformed(self.name)
        values: dict[str, Any] = {}
        try:
            for (name, kind), topic in zip(self.indexed, log.topics[1:], strict=True):
                (values[name],) = decode([kind], bytes.fromhex(topic[2:]))
            found = decode([kind for _, kind in self.plain], log.data)
        except (DecodingError, OverflowError, UnicodeDecodeError, ValueError) as exc:
            raise AnswerMalformed(self.name) from exc
        return values | {name: value for (name, _), value in zip(self.plain, found, strict=True)}


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
    """Raises LookupError; ValueError for an event with an indexed argument of a type of any length, of which a topic
    holds the hash only."""
    found = entry(contract, "event", name)
    indexed, plain = (
        tuple((item["name"], item["type"]) for item in found["inputs"] if item["indexed"] is wanted)
        for wanted in (True, False)
    )
    if any(kind in ("string", "bytes") or kind.endswith("]") for _, kind in indexed):
        raise ValueError(f"{name} has an indexed argument of any length")
    signature = f"{name}({','.join(item['type'] for item in found['inputs'])})"
    return Event(name, "0x" + keccak256(signature.encode()).hex(), indexed, plain)
