"""ABIs and bytecode of Ocean's contracts, and a small codec for exactly the calls and events that we use.

The package `ocean-contracts` installs a top-level folder `artifacts`, so its files are found through the distribution's
metadata instead of importing a name that generic. The codec exists because a generic contract object costs more than
the call itself; addresses come out of it in lower case.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError
from eth_utils.crypto import keccak

from ocean.chain.logs import Log


class AnswerMalformed(ValueError):
    """Bytes of a call's answer or of a log do not fit the ABI: the other side is not the contract it was taken for."""

    def __init__(self, name: str) -> None:
        super().__init__(f"the chain's answer does not fit {name}")
        self.name = name


@dataclass(frozen=True, slots=True)
class Function:
    """One contract function: encodes the call's data, decodes the answer."""

    name: str
    selector: bytes
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    def encode(self, *args: Any) -> bytes:
        return self.selector + encode(self.inputs, args)

    def decode(self, answer: bytes) -> tuple[Any, ...]:
        """The answer's values. Raises AnswerMalformed, also for an address without code (empty answer)."""
        try:
            return tuple(decode(self.outputs, answer))
        except (DecodingError, OverflowError, UnicodeDecodeError) as exc:
            raise AnswerMalformed(self.name) from exc


@dataclass(frozen=True, slots=True)
class Event:
    """One contract event. `topic` is 0x-hex; `names` and `types` of the indexed arguments, then of the others."""

    name: str
    topic: str
    indexed: tuple[tuple[str, str], ...]
    plain: tuple[tuple[str, str], ...]

    def decode(self, log: Log) -> dict[str, Any]:
        """Arguments by name. Raises AnswerMalformed when topics or data do not fit."""
        if not log.topics or log.topics[0] != self.topic or len(log.topics) != len(self.indexed) + 1:
            raise AnswerMalformed(self.name)
        try:
            values: dict[str, Any] = {
                name: decode([kind], bytes.fromhex(topic[2:]))[0]
                for (name, kind), topic in zip(self.indexed, log.topics[1:], strict=True)
            }
            names = [name for name, _ in self.plain]
            values.update(zip(names, decode([kind for _, kind in self.plain], log.data), strict=True))
        except (DecodingError, OverflowError, UnicodeDecodeError) as exc:
            raise AnswerMalformed(self.name) from exc
        return values


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


@cache
def function(contract: str, name: str) -> Function:
    entry = _entry(contract, "function", name)
    inputs, outputs = (tuple(_type(item) for item in entry[side]) for side in ("inputs", "outputs"))
    selector = keccak(text=f"{name}({','.join(inputs)})")[:4]
    return Function(name, selector, inputs, outputs)


@cache
def event(contract: str, name: str) -> Event:
    inputs = _entry(contract, "event", name)["inputs"]
    topic = "0x" + keccak(text=f"{name}({','.join(_type(item) for item in inputs)})").hex()
    indexed = tuple((item["name"], _type(item)) for item in inputs if item["indexed"])
    return Event(name, topic, indexed, tuple((item["name"], _type(item)) for item in inputs if not item["indexed"]))


def creation_code(contract: str, *args: Any) -> bytes:
    """Data of the transaction that deploys `contract` with these constructor arguments."""
    constructors = [entry for entry in abi(contract) if entry["type"] == "constructor"]
    types = [_type(item) for item in constructors[0]["inputs"]] if constructors else []
    return bytes.fromhex(artifact(contract)["bytecode"].removeprefix("0x")) + encode(types, args)


def _entry(contract: str, kind: str, name: str) -> dict[str, Any]:
    for entry in abi(contract):
        if entry["type"] == kind and entry.get("name") == name:
            return entry
    raise LookupError(f"{contract} has no {kind} {name}")


def _type(item: dict[str, Any]) -> str:
    kind: str = item["type"]
    if kind.startswith("tuple"):
        return f"({','.join(_type(part) for part in item['components'])}){kind.removeprefix('tuple')}"
    return kind
