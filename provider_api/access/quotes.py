"""initializeCompute: what must still be ordered before a job can start, with signed fee quotes.

Per item one of three answers, which clients tell apart by two keys:

    "validOrder"                  use that transaction, nothing to pay
    "providerFee", "validOrder"   renew that order (reuseOrder) with this fee
    "providerFee"                 buy (startOrder) with this fee

Each has `datatoken` besides, by which clients find the answer that belongs to an asset, and the consumer's `nonce`. An
order that is still paid has no `providerFee`, although a portal looks for one without asking whether it is there: with
it every other client would renew an order that needs none, and pay for the transaction.

A start that follows the answers is accepted: `validOrder` alone is the transaction that was checked (Ocean Provider
answers the original purchase, whose fee may be over), and whenever no valid order carries the environment's fee, one
item is asked to carry it (Ocean Provider may ask for nothing and then refuse the start).

An asset of another provider is quoted by that one, as for a download by the environment. Its order carries no fee of
ours, so it is never the one that is asked to.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ocean import fees
from ocean.fees import Quote
from ocean.kit.together import together
from provider_api.access import payment, rules
from provider_api.access.accepted import Accepted, AcceptedAsset
from provider_api.access.facts import AssetFacts, ComputeFacts
from provider_api.access.other_providers import OtherProviders
from provider_api.access.request_rules import end_is_possible
from provider_api.chains.chains import Chains
from provider_api.http.errors import Refused
from provider_api.keys import ProviderKeys

_PRELIMINARY = {
    ("environment", "not_found"): "Compute environment does not exist",
    ("environment", "chain_not_allowed"): "Compute environment does not exist",
    ("algorithm", "not_algo"): "DID is not a valid algorithm",
}


def require_period(valid_until: int, facts: ComputeFacts) -> None:
    """Raises Refused for an end in the past, or later than the environment's longest job."""
    refusal = end_is_possible(facts, valid_until)
    if refusal is not None:
        raise Refused(f"{refusal.code} It must lie {refusal.expected}, and is {str(valid_until)[:40]}.")


def require_quotable(facts: ComputeFacts) -> Accepted:
    """The request as accepted by the rules of a start, without orders. Raises Refused."""
    judged = rules.judge(facts)
    if isinstance(judged, Accepted):
        return judged
    sentence = _PRELIMINARY.get((judged.place, judged.code))
    raise Refused(sentence) if sentence is not None else judged.error()


async def ask_other_providers(accepted: Accepted, others: OtherProviders) -> dict[str, Quote]:
    """What must be ordered at other providers, by the asset's place. Raises Refused if one of them does not say."""
    consumer = accepted.environment.consumer_address
    wanted = [
        (asset, other)
        for asset in accepted.assets()
        if (other := asset.facts.other_provider) is not None and asset.facts.order is None
    ]
    found = await together(*(others.quote(other, asset.ddo.id, asset.service, consumer) for asset, other in wanted))
    quotes: dict[str, Quote] = {}
    for (asset, _), quote in zip(wanted, found, strict=True):
        if quote is None:
            raise Refused({f"{asset.facts.place}.serviceId": "remote_provider_unavailable"})
        quotes[asset.facts.place] = quote
    return quotes


def make_quotes(
    accepted: Accepted,
    valid_until: int,
    nonce: str | None,
    keys: ProviderKeys,
    chains: Chains,
    of_others: Mapping[str, Quote],
) -> dict[str, Any]:
    """The whole answer, for a period that has passed `require_period`. `nonce`: the consumer's last one."""
    items = [_Item(asset, _needs_renewal(asset.facts, valid_until)) for asset in accepted.assets()]
    carrier, end = _carrier(accepted, [item.after_renewal(valid_until) for item in items], valid_until)
    answers: list[dict[str, Any]] = []
    for place, item in enumerate(items):
        order, carries = item.asset.facts.order, place == carrier
        always = {"datatoken": item.asset.service.datatoken_address, "nonce": nonce}
        if order is not None and not item.renew and not carries:
            answers.append({"validOrder": order.tx_hash} | always)
            continue
        until = end if carries else valid_until
        quote = of_others.get(item.asset.facts.place)
        if quote is None:
            quote = _quote(accepted, item.asset, keys, chains, carries=carries, valid_until=until)
        renewed = {"validOrder": order.start_tx_hash} if order is not None else {}
        answers.append({"providerFee": quote.to_json()} | renewed | always)
    count = len(accepted.datasets)
    published = {"algorithm": answers[count]} if accepted.algorithm is not None else {}
    return {"datasets": answers[:count]} | published


@dataclass(frozen=True, slots=True)
class _Item:
    asset: AcceptedAsset
    renew: bool  # its order is good, but its fee is over or ends too early

    def after_renewal(self, valid_until: int) -> AssetFacts:
        """The asset as it will be when its order has been renewed without a fee."""
        facts = self.asset.facts
        if facts.order is None or not self.renew:
            return facts
        return replace(facts, order=replace(facts.order, fee_amount=0, valid_until=valid_until))


def _needs_renewal(asset: AssetFacts, valid_until: int) -> bool:
    """Fees of other providers do not end with a job."""
    order = asset.own_order
    return order is not None and (order.fee_expired or 0 < order.valid_until < valid_until)


def _carrier(accepted: Accepted, assets: list[AssetFacts], valid_until: int) -> tuple[int | None, int]:
    """(which item must carry the environment's fee, None if nobody needs to; until when the fee must reach).

    The end of a start is the latest of all its orders', so a fee must reach that far too.
    """
    price = accepted.environment.price_per_minute
    end = max(valid_until, payment.last_valid_until(payment.own_orders(assets)))
    if price == 0 or any(payment.pays(price, asset, end, accepted.facts.now) for asset in assets):
        return None, end
    paying = [place for place, asset in enumerate(assets) if not asset.free and asset.other_provider is None]
    to_order = [place for place in paying if assets[place].order is None]
    return next(iter(to_order or paying), None), end


def _quote(
    accepted: Accepted,
    asset: AcceptedAsset,
    keys: ProviderKeys,
    chains: Chains,
    *,
    carries: bool,
    valid_until: int,
) -> Quote:
    """A quote for an asset whose files are ours. Raises LookupError for another one."""
    if asset.facts.other_provider is not None:
        raise LookupError("our fee is quoted for our assets only")
    environment, now = accepted.environment, accepted.facts.now
    price = environment.price_per_minute
    return fees.make_quote(
        keys.private_key,
        environment=environment.id,
        datatoken=asset.service.datatoken_address,
        service_id=asset.service.id,
        fee_token=chains.of(asset.facts.chain_id).fee_token,
        amount=payment.required_fee(price, asset.facts, valid_until, now) if carries else 0,
        valid_until=valid_until,
        now=now,
    )
