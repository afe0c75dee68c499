"""Which logs say what an asset costs and who ordered it, and what each of them says, as one row for the store.

A row is about a subject: a datatoken, an exchange, a data NFT or a template. Anybody may emit the same topics, so a log
counts only from the contract that has the say: the factory, the known exchanges and dispensers, or the subject itself
once the factory has said that it made it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from eth_abi.abi import decode
from eth_abi.exceptions import DecodingError

from ocean.addresses import canonical
from ocean.chain.contracts import entry, event
from ocean.chain.errors import AnswerMalformed
from ocean.chain.logs import Log

_LARGEST_TIME = 2**53


@dataclass(frozen=True, slots=True)
class MarketEvent:
    """`payer` and `consumer` are those of an order, `order_tx` the order that is renewed, else "". `values`: the log's
    arguments as JSON can hold them, whole numbers as decimal texts, bytes as 0x-hex, addresses in small letters."""

    block: int
    log_index: int
    tx: str
    kind: str
    emitter: str
    subject: str
    values: Mapping[str, Any]
    payer: str = ""
    consumer: str = ""
    order_tx: str = ""


class _Kind:
    """One kind of log. `emitters`: FACTORY, FIXED_RATE, DISPENSER, or OWN: the subject itself. `subject`: the argument
    that names it.

    It is decoded here, because web3 takes many times as long, and there are more logs of these than of any others.
    """

    def __init__(self, name: str, contract: str, emitters: str, subject: str = "", *, event_name: str = "") -> None:
        self.name, self.emitters, self.subject = name, emitters, subject
        inputs = entry(contract, "event", event_name or name)["inputs"]
        self.topic = event(contract, event_name or name).topic
        self._indexed = [(each["name"], each["type"]) for each in inputs if each["indexed"]]
        self._names = [each["name"] for each in inputs if not each["indexed"]]
        self._types = [each["type"] for each in inputs if not each["indexed"]]

    def decode(self, log: Log) -> dict[str, Any]:
        """Raises AnswerMalformed."""
        if len(log.topics) != 1 + len(self._indexed):
            raise AnswerMalformed(self.name)
        try:
            values = dict(zip(self._names, decode(self._types, log.data), strict=True))
            for (name, kind), topic in zip(self._indexed, log.topics[1:], strict=True):
                (values[name],) = decode([kind], bytes.fromhex(topic[2:]))
        except (DecodingError, OverflowError, ValueError) as exc:
            raise AnswerMalformed(self.name) from exc
        return values


FACTORY, FIXED_RATE, DISPENSER, OWN = "ERC721Factory", "FixedPrice", "Dispenser", "own"

_NFT = ("MetadataCreated", "MetadataUpdated", "MetadataState", "TokenURIUpdate")
_DATATOKEN = ("AddedMinter", "RemovedMinter", "CleanedPermissions", "OrderStarted", "OrderReused", "ProviderFee")
_EXCHANGE = ("ExchangeActivated", "ExchangeDeactivated", "ExchangeRateChanged")
_DISPENSER = ("DispenserCreated", "DispenserActivated", "DispenserDeactivated")
_FEE = "PublishMarketFeeChanged"  # of a datatoken and of an exchange: two events of one name
_KINDS = {
    kind.topic: kind
    for kind in (
        _Kind("Template20Added", "ERC721Factory", FACTORY, "_templateAddress"),
        _Kind("NFTCreated", "ERC721Factory", FACTORY, "newTokenAddress"),
        _Kind("TokenCreated", "ERC721Factory", FACTORY, "newTokenAddress"),
        *(_Kind(name, "ERC721Template", OWN) for name in _NFT),
        *(_Kind(name, "ERC20Template", OWN) for name in _DATATOKEN),
        _Kind("MarketFeeChanged", "ERC20Template", OWN, event_name=_FEE),
        _Kind("ExchangeCreated", "FixedRateExchange", FIXED_RATE, "datatoken"),
        *(_Kind(name, "FixedRateExchange", FIXED_RATE, "exchangeId") for name in _EXCHANGE),
        _Kind("SwapFeeChanged", "FixedRateExchange", FIXED_RATE, "exchangeId", event_name=_FEE),
        *(_Kind(name, "Dispenser", DISPENSER, "datatokenAddress") for name in _DISPENSER),
    )
}
TOPICS = tuple(_KINDS)
MADE = ("NFTCreated", "TokenCreated")  # of a subject: from then on its own logs count
_LEFT_OUT = ("data", "decryptorUrl", "flags", "metaDataHash", "tokenURI")  # long, and nobody asks for them here


class MarketReader:
    """Reads logs of one chain. `addresses`: its entry of the address file, where a contract may be missing."""

    def __init__(self, addresses: Mapping[str, Any]) -> None:
        self._contracts = {
            name: canonical(addresses[name])
            for name in (FACTORY, FIXED_RATE, DISPENSER)
            if isinstance(addresses.get(name), str)
        }

    def read(self, log: Log) -> MarketEvent | None:
        """None for a log that says nothing here. Whether the factory made the subject is not known here."""
        kind = _KINDS.get(log.topics[0]) if log.topics else None
        if kind is None:
            return None
        if kind.emitters != OWN and self._contracts.get(kind.emitters) != log.address:
            return None
        try:
            arguments = kind.decode(log)
        except AnswerMalformed:
            return None
        values = {name: _plain(value) for name, value in arguments.items() if name not in _LEFT_OUT}
        return MarketEvent(
            block=log.block_number,
            log_index=log.index,
            tx=log.tx_hash,
            kind=kind.name,
            emitter=log.address,
            subject=values[kind.subject] if kind.subject else log.address,
            values=values,
            payer=values["payer"] if kind.name == "OrderStarted" else "",
            consumer=values["consumer"] if kind.name == "OrderStarted" else "",
            order_tx=values["orderTxId"] if kind.name == "OrderReused" else "",
        )


def seconds(values: Mapping[str, Any]) -> int:
    """The time that an event tells. A contract of somebody else may tell any."""
    return min(int(values["timestamp"]), _LARGEST_TIME)


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return "0x" + value.hex()
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value
