"""What each field answers, from the view of one chain. Addresses are in small letters, amounts decimal texts.

A value of GraphQL is a mapping here: from a field to what it is, or to a function of its arguments that finds it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeVar

from graphql import GraphQLError, GraphQLResolveInfo

from ocean.addresses import ZERO, canonical, is_address
from ocean.chain.market import Datatoken, Dispenser, Exchange, decimal_text
from ocean.chain.market_events import MarketEvent, seconds
from ocean.chain.market_store import Part
from ocean.chain.market_view import MarketView
from ocean.kit.compact_json import compact_json
from provider_api.endpoints.subgraph.limits import MOST_ROWS_READ
from provider_api.endpoints.subgraph.schema import MOST_ROWS

_LARGEST_INT: Final = 2**31 - 1  # of GraphQL; a consumer may write any number into an order
_FEE: Final = (
    *("providerFeeAddress", "providerFeeToken", "providerFeeAmount", "providerData", "v", "r", "s"),
    "validUntil",
)
_UPDATES: Final = {
    "MetadataCreated": "METADATA_CREATED",
    "MetadataUpdated": "METADATA_UPDATED",
    "MetadataState": "STATE_UPDATED",
    "TokenURIUpdate": "TOKENURI_UPDATED",
}

Value = Mapping[str, Any]
Info = GraphQLResolveInfo[Any]
T = TypeVar("T")


class Answers:
    """The root of one question about one chain, whose `scanned` block it is answered for."""

    def __init__(self, view: MarketView, scanned: int) -> None:
        self._view, self._scanned = view, scanned
        self._rows = 0

    def root(self) -> Value:
        return {
            "token": lambda _, id: self._datatoken(_address(id)),
            "orders": self._orders,
            "nftUpdates": self._updates,
            "opc": self._opc,
            "opcs": self._opcs,
            "_meta": {
                "block": {"number": self._scanned},
                "deployment": f"compute-to-data-{self._view.network.chain_id}",
                "hasIndexingErrors": False,
            },
        }

    # --- datatokens --------------------------------------------------------------------------------------------------

    def _datatoken(self, address: str) -> Value | None:
        token = self._view.market.datatoken(address)
        return None if token is None else self._token(token)

    def _token(self, token: Datatoken) -> Value:
        address = token.address

        async def fee(_: Info) -> str:
            return decimal_text(token.fee_amount, (await self._view.tokens.read(token.fee_token)).decimals)

        async def template(_: Info) -> int:
            number = token.template or await self._view.template_of(address)
            return min(number, _LARGEST_INT)

        def orders(_: Info, where: Value | None = None, **part: Any) -> Sequence[Value]:
            return self._orders(_, {**(where or {}), "datatoken": address}, **part)

        return {
            "id": address,
            "address": address,
            "symbol": token.symbol,
            "name": token.name,
            "decimals": 18,
            "isDatatoken": True,
            "templateId": template,
            "nft": self._nft(token.nft),
            "publishMarketFeeAddress": token.fee_address,
            "publishMarketFeeToken": token.fee_token,
            "publishMarketFeeAmount": fee,
            "orders": orders,
            "dispensers": lambda _: [self._dispenser(token, each) for each in self._view.market.dispensers(address)],
            "fixedRateExchanges": lambda _: self._exchanges(token),
        }

    async def _other_token(self, address: str) -> Value:
        """A token that is paid with."""
        facts = await self._view.tokens.read(address)
        return {
            "id": address,
            "address": address,
            "symbol": facts.symbol,
            "name": facts.name,
            "decimals": facts.decimals,
            "isDatatoken": False,
        }

    def _dispenser(self, token: Datatoken, dispenser: Dispenser) -> Value:
        return {
            "id": f"{dispenser.contract}-{token.address}",
            "contract": dispenser.contract,
            "token": lambda _: self._token(token),
            "active": dispenser.active,
            "isMinter": dispenser.is_minter,
            "maxBalance": decimal_text(dispenser.max_balance),
        }

    def _exchanges(self, token: Datatoken) -> Sequence[Value]:
        return [self._exchange(token, each) for each in self._count(self._view.market.exchanges(token.address))]

    def _exchange(self, token: Datatoken, exchange: Exchange) -> Value:
        return {
            "id": f"{exchange.contract}-{exchange.id}",
            "contract": exchange.contract,
            "exchangeId": exchange.id,
            "datatoken": lambda _: self._token(token),
            "baseToken": lambda _: self._other_token(exchange.base_token),
            "price": decimal_text(exchange.rate),
            "active": exchange.active,
            "publishMarketSwapFee": decimal_text(exchange.swap_fee),
        }

    # --- orders ------------------------------------------------------------------------------------------------------

    def _orders(self, _: Info, where: Value, **part: Any) -> Sequence[Value]:
        named = {name: _address(value) for name, value in where.items() if value is not None}
        if not named:
            raise GraphQLError("`where` must name a payer, a consumer or a datatoken.")
        wanted = _part(**part)
        if "" in named.values():
            return []  # clients without an account ask so
        found = self._view.store.orders(**named, part=wanted)
        return [self._order(order) for order in self._count(found)]

    def _order(self, order: MarketEvent) -> Value:
        market = order.values["publishMarketAddress"]

        def reuses(_: Info, **part: Any) -> Sequence[Value]:
            found = self._view.store.renewals(order, _part(**part))
            return [self._reuse(order, each) for each in self._count(found)]

        return {
            **self._mined(order),
            "datatoken": lambda _: self._datatoken(order.subject),
            "consumer": {"id": order.consumer},
            "payer": {"id": order.payer},
            "amount": decimal_text(int(order.values["amount"])),
            "serviceIndex": min(int(order.values["serviceIndex"]), _LARGEST_INT),
            "publishingMarket": None if market == ZERO else {"id": market},
            "reuses": reuses,
        }

    def _reuse(self, order: MarketEvent, reuse: MarketEvent) -> Value:
        return {**self._mined(reuse), "order": lambda _: self._order(order), "caller": reuse.values["caller"]}

    def _mined(self, event: MarketEvent) -> Value:
        """What an order and a renewal have both."""

        def fee() -> Mapping[str, Any] | None:
            self._count([event])
            paid = self._view.store.after(event, ("ProviderFee",))
            return None if paid is None else {name: paid.values[name] for name in _FEE}

        def text(_: Info) -> str | None:
            paid = fee()
            return None if paid is None else compact_json(paid)

        def until(_: Info) -> str | None:
            paid = fee()
            return None if paid is None else str(paid["validUntil"])

        return {
            "id": f"{event.tx}-{event.log_index}",
            "providerFee": text,
            "providerFeeValidUntil": until,
            "createdTimestamp": _time(event),
            "tx": event.tx,
            "eventIndex": event.log_index,
            "block": event.block,
        }

    # --- data NFTs and the router ------------------------------------------------------------------------------------

    def _updates(self, _: Info, where: Value, **part: Any) -> Sequence[Value]:
        nft = _address(where["nft"])
        found = self._view.store.of_subject(nft, tuple(_UPDATES), _part(**part))
        return [
            {
                "id": f"{nft}-{event.tx}-{event.log_index}",
                "nft": self._nft(nft),
                "type": _UPDATES[event.kind],
                "userAddress": event.values["createdBy" if event.kind == "MetadataCreated" else "updatedBy"],
                "timestamp": _time(event),
                "tx": event.tx,
                "block": event.block,
            }
            for event in self._count(found)
        ]

    def _nft(self, address: str) -> Value:
        async def owner(_: Info) -> Value | None:
            self._count([address])
            found = await self._view.owner(address)
            return None if found is None else {"id": found}

        return {"id": address, "address": address, "owner": owner}

    async def _opc(self, _: Info, id: str) -> Value | None:
        fees = await self._view.router_fees() if id == "1" else None
        if fees is None:
            return None
        return {
            "id": "1",
            "swapOceanFee": decimal_text(fees.swap_ocean),
            "swapNonOceanFee": decimal_text(fees.swap_other),
            "orderFee": decimal_text(fees.order),
            "providerFee": decimal_text(fees.provider),
            "approvedTokens": lambda _: [self._other_token(token) for token in self._count(fees.approved)],
        }

    async def _opcs(self, _: Info, **part: Any) -> Sequence[Value]:
        wanted, the_one = _part(**part), await self._opc(_, "1")
        return [the_one] if the_one is not None and wanted.skip == 0 and wanted.limit > 0 else []

    def _count(self, rows: Sequence[T]) -> Sequence[T]:
        """Raises GraphQLError when one question has read too much."""
        self._rows += len(rows)
        if self._rows > MOST_ROWS_READ:
            raise GraphQLError(f"The query reads more than {MOST_ROWS_READ} rows; ask for fewer with `first`.")
        return rows


def _part(first: int = 100, skip: int = 0, orderDirection: str = "asc", **_: Any) -> Part:
    """Every order that can be asked for is that of the blocks."""
    if not 0 <= first <= MOST_ROWS or not 0 <= skip <= 5 * MOST_ROWS:
        raise GraphQLError(f"`first` must be from 0 to {MOST_ROWS}, `skip` from 0 to {5 * MOST_ROWS}.")
    return Part(first, skip, oldest_first=orderDirection == "asc")


def _address(text: str) -> str:
    return canonical(text) if is_address(text) else ""


def _time(event: MarketEvent) -> int:
    return min(seconds(event.values), _LARGEST_INT)
