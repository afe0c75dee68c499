"""Names, symbols and decimals of tokens: what no event says, read from the contract once."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from ocean.addresses import ZERO
from ocean.chain.node import Node

KEPT = 1024
LONGEST = 256  # of a name
MOST_DECIMALS = 77  # a whole number of 256 bits has no more digits


@dataclass(frozen=True, slots=True)
class TokenFacts:
    address: str
    name: str
    symbol: str
    decimals: int


class TokenReader:
    """Remembers the last `KEPT`. Whoever is no token has no name, and 18 decimals."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._known: OrderedDict[str, TokenFacts] = OrderedDict({ZERO: TokenFacts(ZERO, "", "", 18)})

    async def read(self, address: str) -> TokenFacts:
        """Of the token at an address in small letters. Raises ChainUnavailable."""
        if address not in self._known:
            view = self._node.view
            name, symbol, decimals = await self._node.read(
                *(view("ERC20Template", address, field) for field in ("name", "symbol", "decimals"))
            )
            known = isinstance(decimals, int) and decimals <= MOST_DECIMALS
            self._known[address] = TokenFacts(address, _text(name), _text(symbol), decimals if known else 18)
            if len(self._known) > KEPT:
                self._known.popitem(last=False)
        self._known.move_to_end(address)
        return self._known[address]


def _text(answer: object) -> str:
    return str(answer or "")[:LONGEST]
