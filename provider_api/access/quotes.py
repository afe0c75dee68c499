"""initializeCompute: what must still be ordered before a job can start, with signed fee quotes.

Per item one of three answers, which clients tell apart by their keys:

    {"validOrder"}                               use that transaction, nothing to pay
    {"datatoken", "providerFee", "validOrder"}   renew that order (reuseOrder) with this fee
    {"datatoken", "providerFee"}                 buy (startOrder) with this fee

A start that follows the answers is accepted: `validOrder` alone is the transaction that was checked (the peer answers
the original purchase, whose fee may be over), and whenever no valid order carries the environment's fee, one item is
asked to carry it (the peer may ask for nothing and then refuse the start).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ocean import fees
from provider_api.access import payment, rules
from provider_api.access.facts import AssetFacts, ComputeFacts
from provider_api.chains import Chains
from provider_api.errors import Refused
from provider_api.keys import ProviderKeys

_PRELIMINARY = {
    ("environment", "not_found"): "Compute environment does not exist",
    ("environment", "chain_not_allowed"): "Compute environment does not exist",
    ("algorithm", "not_algo"): "DID is not a valid algorithm",
}


def require_period(valid_until: int, facts: ComputeFacts) -> None:
    """Raises Refused for an end in the past, or later than the environment's longest job."""
    longest = facts.environment.max_job_duration if facts.environment is not None else 0
    # One minute more: clients compute "now + maximum" with their own clock.
    if not facts.now < valid_until <= facts.now + longest + 60:
        raise Refused("The validUntil value is not correct.")


def require_quotable(facts: ComputeFacts) -> None:
    """The rules of a start, without orders. Raises Refused."""
    refusal = rules.judge(facts)
    if refusal is not None:
        raise Refused(_PRELIMINARY[refusal]) if refusal in _PRELIMINARY else refusal.error()


def make_quotes(facts: ComputeFacts, valid_until: int, keys: ProviderKeys, chains: Chains) -> dict[str, Any]:
    """The whole answer, for facts that have passed `require_quotable` and `require_period`."""
    assets = [_without_stale(asset, valid_until) for asset in facts.assets()]
    carrier, end = _carrier(facts, assets, valid_until)
    answers: list[dict[str, Any]] = []
    for place, asset in enumerate(assets):
        covered = asset.order is not None and not _needs_renewal(asset, valid_until)
        if covered and place != carrier and asset.order is not None:
            answers.append({"validOrder": asset.order.tx_hash})
            continue
        quote = _quote(
            facts, asset, keys, chains, carries=place == carrier, valid_until=end if place == carrier else valid_until
        )
        answer: dict[str, Any] = {
            "datatoken": asset.service.datatoken_address if asset.service else "",
            "providerFee": quote,
        }
        if asset.order is not None:
            answer["validOrder"] = asset.order.start_tx_hash
        answers.append(answer)
    count = len(facts.datasets)
    result: dict[str, Any] = {"datasets": answers[:count]}
    if facts.algorithm is not None:
        result["algorithm"] = answers[count]
    return result


def _without_stale(asset: AssetFacts, valid_until: int) -> AssetFacts:
    """An order that can only be renewed brings no fee along: its own is over, or ends too early."""
    if asset.order is None or not _needs_renewal(asset, valid_until):
        return asset
    return replace(asset, order=replace(asset.order, fee_amount=0, valid_until=valid_until))


def _needs_renewal(asset: AssetFacts, valid_until: int) -> bool:
    order = asset.order
    return order is not None and (order.fee_expired or 0 < order.valid_until < valid_until)


def _carrier(facts: ComputeFacts, assets: list[AssetFacts], valid_until: int) -> tuple[int | None, int]:
    """(which item must carry the environment's fee, None if nobody needs to; until when the fee must reach).

    The end of a start is the latest of all its orders', so a fee must reach that far too.
    """
    environment = facts.environment
    price = environment.price_per_minute if environment is not None else 0
    end = max([valid_until, *(asset.order.valid_until for asset in assets if asset.order is not None)])
    if environment is None or price == 0:
        return None, end
    if any(payment.pays(environment.price_per_minute, asset, end, facts.now) for asset in assets):
        return None, end
    paying = [place for place, asset in enumerate(assets) if not asset.free]
    to_order = [place for place in paying if assets[place].order is None]
    return next(iter(to_order or paying), None), end


def _quote(
    facts: ComputeFacts, asset: AssetFacts, keys: ProviderKeys, chains: Chains, *, carries: bool, valid_until: int
) -> dict[str, Any]:
    environment, service = facts.environment, asset.service
    chain = chains.find(asset.chain_id)
    if environment is None or service is None or chain is None:
        raise LookupError("quotes are made for assets that have passed the rules")
    price = environment.price_per_minute
    quote = fees.make_quote(
        keys.private_key,
        environment=environment.id,
        datatoken=service.datatoken_address,
        service_id=service.id,
        fee_token=chain.fee_token,
        amount=payment.required_fee(price, asset, valid_until, facts.now) if carries else 0,
        valid_until=valid_until,
        now=facts.now,
    )
    return quote.to_json()
