"""Selling and giving away datatokens in tests, and the questions that clients ask a subgraph about it."""

from __future__ import annotations

from typing import Any, Final

import httpx
from eth_account.signers.local import LocalAccount

from ocean.addresses import canonical
from ocean.chain.logs import Log
from ocean.chain.network import Network
from ocean.chain.transactions import send

ONE: Final = 10**18
SUBGRAPH: Final = "/subgraphs/name/oceanprotocol/ocean-subgraph"

# The field tree of the one question of nautilus 1.1.0, and the portal's field `providerFee` of an order.
TOKEN_PRICE: Final = """
query TokenPriceQuery($datatokenId: ID!, $account: String) {
  token(id: $datatokenId) {
    id symbol name templateId publishMarketFeeAddress publishMarketFeeToken publishMarketFeeAmount
    orders(where: {payer: $account} orderBy: createdTimestamp orderDirection: desc) {
      tx serviceIndex createdTimestamp providerFee
      reuses(orderBy: createdTimestamp, orderDirection: desc) { id caller createdTimestamp tx block }
    }
    dispensers { id active isMinter maxBalance token { id name symbol } }
    fixedRateExchanges {
      id exchangeId price publishMarketSwapFee
      baseToken { symbol name address decimals }
      datatoken { symbol name address }
      active
    }
  }
}
"""


def log_of(entry: dict[str, Any]) -> Log:
    """A log as it was recorded with the answers of a subgraph."""
    return Log(
        address=canonical(entry["address"]),
        topics=tuple(entry["topics"]),
        data=bytes.fromhex(entry["data"][2:]),
        tx_hash=entry["transactionHash"],
        block_number=entry["blockNumber"],
        index=entry["logIndex"],
    )


async def set_rate(network: Network, key: LocalAccount, exchange: str, rate: int) -> None:
    contract = network.addresses["FixedPrice"]
    change = network.function("FixedRateExchange", contract, "setRate", bytes.fromhex(exchange[2:]), rate)
    await send(network, key, change)


async def ask(http: httpx.AsyncClient, query: str, path: str = SUBGRAPH, **variables: Any) -> Any:
    """`data` of an answer without errors."""
    answer = await http.post(path, json={"query": query, "variables": variables})
    assert answer.status_code == 200, answer.text
    assert "errors" not in answer.json(), answer.text
    return answer.json()["data"]
