"""Who pays for a job, and until when it is paid. Amounts are integers in base units, times are Unix seconds.

All orders of a job share one end, the largest `validUntil` among them. One single order must carry the fee from now to
that end: fees are not added up. The first dataset that does is the carrier, then the algorithm; in a free environment
it is the first dataset. The carrier's transaction is the job's agreement id. (Ocean Provider takes the last one that
pays, which makes the agreement id of a free environment the algorithm's order.) Orders of other providers' assets carry
the fees of those, so they neither pay here nor say how long a job is paid.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal

from ocean.addresses import canonical
from ocean.chain.orders import Order
from ocean.fees import GRACE_SECONDS, MAX_ORDERING_SECONDS, fee_amount, sufficient
from provider_api.access.facts import AssetFacts, ComputeFacts
from provider_api.access.other_providers import OtherProvider
from provider_api.access.request import ProviderTerms


@dataclass(frozen=True, slots=True)
class Carrier:
    """The order that pays for the job."""

    order: Order
    chain_id: int
    paid_until: int | None  # None: no end


def own_orders(assets: Iterable[AssetFacts]) -> Iterator[Order]:
    """The verified orders that were made with our fee."""
    return (order for asset in assets if (order := asset.own_order) is not None)


def last_valid_until(orders: Iterable[Order]) -> int:
    """The largest `validUntil`; 0 only if no order has an end."""
    return max((order.valid_until for order in orders), default=0)


def required_fee(price: Decimal, asset: AssetFacts, valid_until: int, now: float) -> int:
    """What one order on the asset's chain must carry for the time from now to `valid_until`."""
    return 0 if asset.free else fee_amount(price, max(0, valid_until - int(now)), asset.fee_decimals)


def pays(price: Decimal, asset: AssetFacts, valid_until: int, now: float) -> bool:
    """Whether the asset's own verified order carries the fee. Where a price is set, nothing is never enough."""
    order = asset.own_order
    if order is None:
        return False
    if price == 0 or asset.free:
        return True
    if valid_until == 0 or order.fee_amount == 0:
        return False
    return sufficient(order.fee_amount, required_fee(price, asset, valid_until, now), asset.fee_decimals)


def find_carrier(price: Decimal, assets: Iterable[AssetFacts], now: float, minimum_seconds: int) -> Carrier | None:
    """The order that pays for the job, None if no single one does."""
    candidates = list(assets)
    end = last_valid_until(own_orders(candidates))
    for asset in candidates:
        if (order := asset.own_order) is not None and pays(price, asset, end, now):
            return Carrier(order, asset.chain_id, _paid_until(order, end, now, minimum_seconds))
    return None


def carrier_of(facts: ComputeFacts) -> Carrier | None:
    """The order that pays for the job in its environment, None if there is none."""
    if facts.environment is None:
        return None
    if facts.request.terms is not None:
        return _carrier_on_terms(facts, facts.request.terms)
    price = facts.environment.price_per_minute
    return find_carrier(price, facts.assets(), facts.now, facts.minimum_paid_seconds)


def claimed_orders(facts: ComputeFacts) -> frozenset[tuple[int, str]]:
    """Chain and transaction of every order that the job takes for itself while it is not over: those of our assets, and
    of the provider's that starts it here. Of an order that was paid for again, the first transaction too: it is the
    same datatoken."""
    found = set[tuple[int, str]]()
    for asset in facts.assets():
        order, other = asset.order, asset.other_provider
        if order is None or (other is not None and not _is_of_caller(facts, other)):
            continue
        found |= {(asset.chain_id, order.tx_hash), (asset.chain_id, order.start_tx_hash)}
    return frozenset(found)


def _is_of_caller(facts: ComputeFacts, other: OtherProvider) -> bool:
    terms = facts.request.terms
    return terms is not None and canonical(other.address) in terms.addresses


def end_of(facts: ComputeFacts) -> int:
    """Until when the job is paid for, Unix seconds; 0: no end."""
    terms = facts.request.terms
    return terms.valid_until if terms is not None else last_valid_until(own_orders(facts.assets()))


def _carrier_on_terms(facts: ComputeFacts, terms: ProviderTerms) -> Carrier | None:
    """A provider that starts a job has taken its fee itself. What it calls the agreement must be one of the orders."""
    for asset in facts.assets():
        if asset.order is not None and asset.order.tx_hash == terms.agreement_id:
            return Carrier(asset.order, asset.chain_id, terms.valid_until or None)
    return None


def _paid_until(order: Order, end: int, now: float, minimum_seconds: int) -> int | None:
    """The second until which the job may run.

    When (nearly) nothing is left, the grace that the expiry rule grants counts too: the time that the consumer lost
    between quote and order, and 90 s. But never more than the duration that was paid for, or a quote for one second
    would buy minutes.
    """
    if end == 0:
        return None
    if end - now >= minimum_seconds:
        return end
    quoted_at = Decimal(order.quote_timestamp or 0)
    if quoted_at == 0:
        return end
    lost = min(max(Decimal(order.block_timestamp) - quoted_at, Decimal(0)), Decimal(MAX_ORDERING_SECONDS))
    paid_seconds = max(Decimal(0), order.valid_until - quoted_at)
    return max(end, min(int(order.valid_until + lost + GRACE_SECONDS), int(Decimal(now) + paid_seconds)))
