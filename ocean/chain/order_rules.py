"""When is a transaction an order? The rules, over plain values: no chain, no clock, no I/O.

A receipt proves what the service's own datatoken contract logged in it, and nothing else: anybody can make a contract
that logs what he likes, so logs of other emitters are not even looked at. The datatoken itself checks little: it takes
any fee signer, an expired fee, a quote that somebody else asked for, and a reuse of an order that never was. Those are
the rules here. They are stricter than Ocean Provider's, which takes logs of any contract, renews an order's time limit
with every reuse, and lets a long-expired algorithm order pay for new jobs; each was shown on the real contracts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ocean import fees
from ocean.addresses import ZERO, canonical, checksum
from ocean.chain.contracts import Event, event
from ocean.chain.errors import AnswerMalformed
from ocean.chain.logs import Log, Receipt
from ocean.chain.order_values import Evidence, Order, OrderInvalid, OrderRequest, normal_hash
from ocean.fees import ProviderData, Quote, QuoteMalformed
from ocean.signing import SignatureInvalid

ONE_DATATOKEN = 10**18
LONGEST_REUSE_CHAIN = 16

_ORDER_STARTED = event("ERC20Template", "OrderStarted")
_ORDER_REUSED = event("ERC20Template", "OrderReused")
_PROVIDER_FEE = event("ERC20Template", "ProviderFee")
_TRANSFER = event("ERC20Template", "Transfer")
_OPENINGS = (_ORDER_STARTED.topic, _ORDER_REUSED.topic)


def references(receipt: Receipt, datatoken: str) -> list[str]:
    """Hashes of the orders that this transaction reused."""
    token = canonical(datatoken)
    return [_reused(values) for _, values in _logs(receipt, token, _ORDER_REUSED)]


def check_order(request: OrderRequest, evidence: Evidence, now: float) -> Order:
    """The order, or OrderInvalid with the reason. `now` in Unix seconds.

    A transaction may hold several orders of one datatoken; the first that satisfies the request counts, and if none
    does, the reason is that of the last one.
    """
    if not evidence.of_factory:
        raise OrderInvalid("not_of_factory")
    if not evidence.deployed:
        raise OrderInvalid("not_deployed")
    receipt = evidence.receipts.get(normal_hash(request.tx_hash))
    if receipt is None:
        raise OrderInvalid("order_not_found")
    if not receipt.succeeded:
        raise OrderInvalid("transaction_failed")
    refusal = OrderInvalid("no_order")
    for opening, closing in _pairs(receipt, canonical(request.datatoken)):
        try:
            return _check_pair(request, evidence, receipt, opening, closing, now)
        except OrderInvalid as exc:
            refusal = exc
    raise refusal


def _check_pair(
    request: OrderRequest, evidence: Evidence, receipt: Receipt, opening: Log, closing: Log | None, now: float
) -> Order:
    if opening.topics[0] == _ORDER_REUSED.topic:
        values = _decoded(_ORDER_REUSED, opening)
        start = _original(request, evidence, receipt, opening, values)
    else:
        values = _decoded(_ORDER_STARTED, opening)
        purchase = _purchase(request, evidence, receipt, opening, values)
        if purchase is None:
            raise OrderInvalid("service_mismatch")
        start = purchase
    quote, data = _quote(request, closing)
    expired = fees.expired(
        valid_until=quote.valid_until, now=now, quoted_at=data.timestamp, block_timestamp=values["timestamp"]
    )
    if expired and not request.lenient:
        raise OrderInvalid("fee_expired")
    if start.amount < ONE_DATATOKEN:
        raise OrderInvalid("amount_too_small")
    if request.timeout != 0 and now - start.timestamp > request.timeout:
        raise OrderInvalid("order_expired")
    if canonical(request.sender) not in (start.consumer, start.payer):
        raise OrderInvalid("sender_mismatch")
    if request.required_consumer is not None and canonical(request.required_consumer) != start.consumer:
        raise OrderInvalid("consumer_mismatch")
    return Order(
        tx_hash=receipt.tx_hash,
        start_tx_hash=start.tx_hash,
        datatoken=checksum(request.datatoken),
        service_index=request.service_index,
        consumer=checksum(start.consumer),
        payer=checksum(start.payer),
        amount=start.amount,
        timestamp=start.timestamp,
        fee_amount=quote.amount,
        fee_token=checksum(quote.fee_token),
        valid_until=quote.valid_until,
        environment=data.environment,
        quote_timestamp=data.timestamp,
        block_timestamp=values["timestamp"],
        fee_expired=expired,
    )


@dataclass(frozen=True, slots=True)
class _Purchase:
    tx_hash: str
    consumer: str
    payer: str
    amount: int
    timestamp: int


def _original(
    request: OrderRequest, evidence: Evidence, receipt: Receipt, opening: Log, reuse: dict[str, Any]
) -> _Purchase:
    """Follow a reuse to the purchase: same datatoken, same service, reused by its buyer or consumer at every link."""
    token, callers = canonical(request.datatoken), {_caller(request, evidence, receipt, opening, reuse)}
    current = evidence.receipts.get(_reused(reuse))
    for _ in range(LONGEST_REUSE_CHAIN):
        if current is None or not current.succeeded:
            raise OrderInvalid("reuse_of_other_order")
        purchases = [
            purchase
            for log, values in _logs(current, token, _ORDER_STARTED)
            if (purchase := _purchase(request, evidence, current, log, values)) is not None
        ]
        for purchase in purchases:
            if callers <= {purchase.consumer, purchase.payer}:
                return purchase
        if purchases:
            raise OrderInvalid("reuse_by_stranger")
        reuses = list(_logs(current, token, _ORDER_REUSED))
        if len(reuses) != 1:  # none, or it cannot be told which one is meant
            raise OrderInvalid("reuse_of_other_order")
        log, values = reuses[0]
        callers.add(_caller(request, evidence, current, log, values))
        current = evidence.receipts.get(_reused(values))
    raise OrderInvalid("reuse_chain_too_long")


def _purchase(
    request: OrderRequest, evidence: Evidence, receipt: Receipt, opening: Log, values: dict[str, Any]
) -> _Purchase | None:
    if values["serviceIndex"] != request.service_index:
        return None
    payer = values["payer"]
    if payer == canonical(evidence.factory):
        payer = _taken_from(receipt, opening, opening.address, payer, values["amount"])
    return _Purchase(receipt.tx_hash, values["consumer"], payer, values["amount"], values["timestamp"])


def _caller(request: OrderRequest, evidence: Evidence, receipt: Receipt, opening: Log, reuse: dict[str, Any]) -> str:
    """Who reused an order. The factory takes nothing for it but the fee, so that without a fee only its signer is
    known."""
    caller: str = reuse["caller"]
    if caller != canonical(evidence.factory):
        return caller
    if request.fee_token is None:
        return receipt.sender
    return _taken_from(receipt, opening, canonical(request.fee_token), caller, None)


def _taken_from(receipt: Receipt, opening: Log, token: str, factory: str, amount: int | None) -> str:
    """Who acted in a bundle. It goes through the factory, which the datatoken takes for the caller, and it may be sent
    by anybody, for a contract wallet for example. So it is whom the factory has taken the token from, just before.

    Only what the token itself logged counts, of just this amount (None: of any but nothing, which everybody may move),
    and after the datatoken's order before: each order is paid by its own transfer. Where the factory took nothing in
    the whole transaction, it is who signed it; where it took another amount, it is nobody.
    """
    found, taken = "", False
    for log in receipt.logs:
        if log is opening:
            break
        if log.address == opening.address and log.topics and log.topics[0] in _OPENINGS:
            found = ""
        if log.address != token or not log.topics or log.topics[0] != _TRANSFER.topic:
            continue
        values = _decoded(_TRANSFER, log)
        if values["to"] == factory and values["value"] > 0:
            taken = True
            if amount is None or values["value"] == amount:
                found = values["from"]
    return found or (factory if taken and amount is not None else receipt.sender)


def _quote(request: OrderRequest, closing: Log | None) -> tuple[Quote, ProviderData]:
    """The fee of this order, made by the provider in question for just this. Raises OrderInvalid."""
    if closing is None:
        raise OrderInvalid("no_provider_fee")
    values = _decoded(_PROVIDER_FEE, closing)
    quote = Quote(
        provider_data=values["providerData"],
        fee_address=values["providerFeeAddress"],
        fee_token=values["providerFeeToken"],
        amount=values["providerFeeAmount"],
        valid_until=values["validUntil"],
        v=values["v"],
        r=values["r"],
        s=values["s"],
    )
    try:
        data = fees.read_provider_data(quote.provider_data)
    except QuoteMalformed as exc:
        raise OrderInvalid("quote_malformed") from exc
    if data.datatoken.lower() != canonical(request.datatoken) or data.service_id.lower() != request.service_id.lower():
        raise OrderInvalid("quote_mismatch")
    if request.environment is not None and data.environment != request.environment:
        raise OrderInvalid("environment_mismatch")
    if canonical(quote.fee_address) != canonical(request.fee_address) or canonical(quote.fee_address) == ZERO:
        raise OrderInvalid("foreign_fee")
    if request.fee_token is not None and canonical(quote.fee_token) != canonical(request.fee_token):
        raise OrderInvalid("fee_token_mismatch")
    try:
        signer = fees.quote_signer(quote)
    except SignatureInvalid as exc:
        raise OrderInvalid("fee_signature_invalid") from exc
    if canonical(signer) != canonical(request.fee_address):
        raise OrderInvalid("fee_signature_invalid")
    return quote, data


def _pairs(receipt: Receipt, datatoken: str) -> Iterator[tuple[Log, Log | None]]:
    """Each order of the datatoken with the provider fee that follows it before the next order."""
    opening: Log | None = None
    for log in receipt.logs:
        topic = log.topics[0] if log.address == datatoken and log.topics else ""
        if topic in _OPENINGS:
            if opening is not None:
                yield opening, None
            opening = log
        elif topic == _PROVIDER_FEE.topic and opening is not None:
            yield opening, log
            opening = None
    if opening is not None:
        yield opening, None


def _logs(receipt: Receipt, datatoken: str, kind: Event) -> Iterator[tuple[Log, dict[str, Any]]]:
    for log in receipt.logs:
        if log.address == datatoken and log.topics and log.topics[0] == kind.topic:
            yield log, _decoded(kind, log)


def _decoded(kind: Event, log: Log) -> dict[str, Any]:
    try:
        return kind.decode(log)
    except AnswerMalformed as exc:
        raise OrderInvalid("no_order") from exc


def _reused(values: dict[str, Any]) -> str:
    return "0x" + bytes(values["orderTxId"]).hex()
