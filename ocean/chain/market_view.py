"""Everything that is asked about the markets of one chain: the events kept of it, and what only its contracts say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ocean.chain.market import Market, decimal_text
from ocean.chain.market_store import MarketStore
from ocean.chain.network import Network
from ocean.chain.token_facts import TokenReader

MOST_APPROVED = 100


@dataclass(frozen=True, slots=True)
class RouterFees:
    """What Ocean's router takes, as fractions of 10^18, and the tokens that it takes less for."""

    swap_ocean: int
    swap_other: int
    order: int
    provider: int
    approved: Sequence[str]


class MarketView:
    def __init__(self, network: Network, store: MarketStore) -> None:
        self.network, self.store = network, store
        self.market, self.tokens = Market(store), TokenReader(network)

    async def price(self, datatoken: str) -> dict[str, object]:
        """As a metadata store writes it into `stats`: `{value, tokenAddress, tokenSymbol}` where it is sold, value 0
        alone where it is given away, nothing where it cannot be had. Raises ChainUnavailable."""
        price = self.market.price(datatoken)
        if price is None:
            return {}
        if price.base_token is None:
            return {"value": 0}
        token = await self.tokens.read(price.base_token)
        value = float(decimal_text(price.rate))
        return {
            "value": int(value) if value.is_integer() else value,
            "tokenAddress": token.address,
            "tokenSymbol": token.symbol,
        }

    async def template_of(self, datatoken: str) -> int:
        """The number that a datatoken says of itself, for templates that were added before what is scanned; 0 if it
        says none. Raises ChainUnavailable."""
        (number,) = await self.network.read(self.network.view("ERC20Template", datatoken, "getId"))
        return number if isinstance(number, int) else 0

    async def owner(self, nft: str) -> str | None:
        """Who owns a data NFT now, in small letters. Raises ChainUnavailable."""
        found = await self.network.nft_owner(nft)
        return None if found is None else found.lower()

    async def router_fees(self) -> RouterFees | None:
        """None where the address file names no router, or it answers nothing. Raises ChainUnavailable."""
        router = self.network.addresses.get("Router")
        if not isinstance(router, str):
            return None
        view = self.network.view
        swaps, order, provider, approved = await self.network.read(
            *(
                view("FactoryRouter", router, name)
                for name in ("getOPCFees", "getOPCConsumeFee", "getOPCProviderFee", "getApprovedTokens")
            )
        )
        if swaps is None or approved is None:
            return None
        tokens = [str(token).lower() for token in approved[:MOST_APPROVED]]
        return RouterFees(int(swaps[0]), int(swaps[1]), int(order or 0), int(provider or 0), tokens)
