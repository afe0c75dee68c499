"""Many paid orders and signed starts, prepared before anything is timed."""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass
from typing import Any

from eth_account.signers.local import LocalAccount

from ocean.addresses import checksum
from ocean.chain.development import account
from ocean.chain.network import Network
from ocean.chain.publishing import mint
from ocean.chain.transactions import Step, send_all
from ocean.client import Consumer
from ocean.ddo import DDO
from ocean.fees import Quote
from ocean.purchase import Wish
from tests.support.chain import publisher
from tests.support.service import PAID, Service

CONSUMERS = (6, 7, 8, 9)  # development accounts that nobody else uses
PAID_SECONDS = 1800
_GAS = 1_000_000
_NO_MARKET = ("0x" + "00" * 20, "0x" + "00" * 20, 0)
_nonces = itertools.count(time.time_ns())


@dataclass(frozen=True, slots=True)
class Prepared:
    """`lanes`: for each consumer the signed bodies of its starts, each with two orders that nothing has used."""

    lanes: tuple[list[dict[str, Any]], ...]


async def prepare_starts(service: Service, network: Network, dataset: DDO, algorithm: DDO, each: int) -> Prepared:
    """`each` starts of every consumer, in the paid environment."""
    lanes = []
    for index in CONSUMERS:
        async with Consumer(service.url, account(index)) as consumer:
            lanes.append(await _lane(consumer, network, account(index), (dataset, algorithm), each))
    return Prepared(tuple(lanes))


async def _lane(
    consumer: Consumer, network: Network, key: LocalAccount, assets: tuple[DDO, DDO], count: int
) -> list[dict[str, Any]]:
    wishes = [Wish(asset, asset.services[0].id) for asset in assets]
    references = [wish.reference() for wish in wishes]
    environment = next(e for e in await consumer.environments(network.chain_id) if e["id"] == PAID)
    answer = await consumer.initialize_compute(references[:1], references[1], PAID, int(time.time()) + PAID_SECONDS)
    orders = [
        await _orders(network, key, asset, Quote.from_json(answered["providerFee"]), environment, count)
        for asset, answered in zip(assets, (*answer["datasets"], answer["algorithm"]), strict=True)
    ]
    return [
        await consumer.start_request(
            PAID, [wishes[0].reference(data_tx)], wishes[1].reference(code_tx), nonce=next(_nonces)
        )
        for data_tx, code_tx in zip(*orders, strict=True)
    ]


async def _orders(
    network: Network, key: LocalAccount, asset: DDO, quote: Quote, environment: dict[str, Any], count: int
) -> list[str]:
    """One quote may be paid many times; each payment is an order of its own."""
    token = asset.services[0].datatoken_address
    await mint(network, publisher, token, key.address, count * 10**18)
    values = (checksum(environment["consumerAddress"]), 0, quote.tuple(), _NO_MARKET)
    order = network.function("ERC20Template", token, "startOrder", *values)
    approval = network.function("ERC20Template", quote.fee_token, "approve", checksum(token), quote.amount * count)
    steps = [Step(approval, _GAS), *[Step(order, _GAS)] * count]
    return [receipt.tx_hash for receipt in (await send_all(network, key, steps))[1:]]
