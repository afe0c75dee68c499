"""What a datatoken is, costs and was ordered for, worked out from the events of it. Plain functions over what is kept.

Amounts are whole numbers of the smallest units here. An exchange's rate has 18 digits behind the point whatever the
token that is paid with: that is how the contract keeps it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ocean.addresses import ZERO
from ocean.chain.market_events import MarketEvent
from ocean.chain.market_store import MarketStore, Part

RATE_DECIMALS = 18
MOST_EXCHANGES = 50  # of one datatoken: its owner may make any number
MOST_MINTERS = 1000
_STATES = ("ExchangeActivated", "ExchangeDeactivated")
_DISPENSING = ("DispenserCreated", "DispenserActivated", "DispenserDeactivated")
_MINTERS = ("AddedMinter", "RemovedMinter", "CleanedPermissions")


@dataclass(frozen=True, slots=True)
class Datatoken:
    """`template`: its number in the factory, 0 if unknown. `fee`: the publishing market's, for each order."""

    address: str
    name: str
    symbol: str
    nft: str
    template: int
    fee_address: str
    fee_token: str
    fee_amount: int


@dataclass(frozen=True, slots=True)
class Exchange:
    contract: str
    id: str
    base_token: str
    rate: int
    swap_fee: int
    active: bool


@dataclass(frozen=True, slots=True)
class Dispenser:
    contract: str
    active: bool
    is_minter: bool
    max_balance: int


@dataclass(frozen=True, slots=True)
class Price:
    """Of one datatoken. `base_token` None: it is given away."""

    rate: int
    base_token: str | None


class Market:
    """What the events say of one chain's datatokens. Addresses are in small letters, in and out."""

    def __init__(self, store: MarketStore) -> None:
        self._store = store

    def datatoken(self, address: str) -> Datatoken | None:
        """None when the factory made none at this address."""
        made = self._store.newest(address, ("TokenCreated",))
        if made is None:
            return None
        template = self._store.newest(made.values["templateAddress"], ("Template20Added",))
        fee = self._store.newest(address, ("MarketFeeChanged",))
        said: Mapping[str, str] = fee.values if fee is not None else {}
        return Datatoken(
            address=address,
            name=made.values["name"],
            symbol=made.values["symbol"],
            nft=made.values["creator"],
            template=0 if template is None else int(template.values["nftTemplateCount"]),
            fee_address=said.get("PublishMarketFeeAddress", ZERO),
            fee_token=said.get("PublishMarketFeeToken", ZERO),
            fee_amount=int(said.get("PublishMarketFeeAmount", "0")),
        )

    def exchanges(self, datatoken: str) -> list[Exchange]:
        """Oldest first, the first `MOST_EXCHANGES`."""
        first = Part(limit=MOST_EXCHANGES, oldest_first=True)
        return [self._exchange(made) for made in self._store.of_subject(datatoken, ("ExchangeCreated",), first)]

    def dispensers(self, datatoken: str) -> list[Dispenser]:
        """At most one per contract, and one contract is known."""
        made = self._store.newest(datatoken, ("DispenserCreated",))
        if made is None:
            return []
        newest = self._store.newest(datatoken, _DISPENSING) or made
        return [
            Dispenser(
                contract=made.emitter,
                active=newest.kind != "DispenserDeactivated",
                is_minter=self._is_minter(datatoken, made.emitter),
                max_balance=int(made.values["maxBalance"]),
            )
        ]

    def price(self, datatoken: str) -> Price | None:
        """An exchange that sells goes before a dispenser that gives, as clients have it. None: it cannot be had."""
        for exchange in self.exchanges(datatoken):
            if exchange.active:
                return Price(exchange.rate, exchange.base_token)
        return Price(0, None) if any(dispenser.active for dispenser in self.dispensers(datatoken)) else None

    def _exchange(self, made: MarketEvent) -> Exchange:
        id_ = made.values["exchangeId"]
        state = self._store.newest(id_, _STATES)
        rate = self._store.newest(id_, ("ExchangeRateChanged",))
        fee = self._store.newest(id_, ("SwapFeeChanged",))
        return Exchange(
            contract=made.emitter,
            id=id_,
            base_token=made.values["baseToken"],
            rate=int(made.values["fixedRate"] if rate is None else rate.values["newRate"]),
            swap_fee=0 if fee is None else int(fee.values["swapFee"]),
            active=state is not None and state.kind == "ExchangeActivated",
        )

    def _is_minter(self, datatoken: str, contract: str) -> bool:
        for event in self._store.of_subject(datatoken, _MINTERS, Part(limit=MOST_MINTERS)):
            if event.kind == "CleanedPermissions":
                return False
            if event.values["user"] == contract:
                return event.kind == "AddedMinter"
        return False


def decimal_text(amount: int, decimals: int = RATE_DECIMALS) -> str:
    """An amount of smallest units in whole tokens, as a decimal text without zeros at its end."""
    if decimals <= 0:
        return str(amount)
    whole, rest = divmod(amount, 10**decimals)
    return f"{whole}.{rest:0{decimals}d}".rstrip("0").rstrip(".")
