"""Orders as values: what is asked of one, what a verified one says, why one is refused, which one pays for a job."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from ocean.chain.logs import Receipt


class OrderInvalid(ValueError):
    """The transaction is no valid order for this request. `reason` is one of REASONS; for logs, not for the wire."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"not a valid order: {reason}")
        self.reason = reason

    @property
    def transient(self) -> bool:
        """The same question may get another answer in a moment."""
        return self.reason in ("order_not_found", "not_confirmed")


REASONS = {
    "hash_malformed": "the transaction hash is not 32 bytes of hex",
    "order_not_found": "no such transaction is mined; it may be soon",
    "not_confirmed": "not enough blocks lie above the transaction yet",
    "not_of_factory": "the data NFT was not made by Ocean's factory",
    "not_deployed": "the datatoken was not made by the asset's data NFT",
    "transaction_failed": "the transaction was reverted",
    "no_order": "the service's datatoken logged no order in the transaction",
    "no_provider_fee": "the order carries no provider fee of the service's datatoken",
    "service_mismatch": "the order is for another service of the asset",
    "quote_malformed": "the provider data of the fee cannot be read",
    "quote_mismatch": "the fee was quoted for another datatoken or service",
    "environment_mismatch": "the fee was quoted for another environment",
    "foreign_fee": "the fee goes to another provider",
    "fee_token_mismatch": "the fee is in another token",
    "fee_signature_invalid": "the fee was not signed by this provider",
    "fee_expired": "the time that the fee covers is over",
    "reuse_of_other_order": "the reused transaction is no order of this datatoken and service",
    "reuse_by_stranger": "the order was reused by somebody who did not buy it",
    "reuse_chain_too_long": "the order was reused through too many transactions",
    "amount_too_small": "less than one datatoken was paid",
    "order_expired": "the service's time limit for an order is over",
    "sender_mismatch": "the sender neither paid for the order nor is its consumer",
    "consumer_mismatch": "the order's consumer is not the environment",
}


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """What an order must be good for. Addresses may be spelled in any letter case.

    sender: who wants to use it, `consumerAddress` of a request. fee_token: None where any will do (an order of another
    provider). environment: what the fee must be quoted for, None where it does not matter (a download).
    required_consumer: the environment's address, which will download with the order; None for no such rule. lenient:
    accept an expired fee (to renew it). timeout: seconds, 0 for ever. patient: wait some seconds for a transaction that
    is not known yet; for signed requests only.
    """

    tx_hash: str
    nft: str
    datatoken: str
    service_id: str
    service_index: int
    timeout: int
    sender: str
    fee_address: str
    fee_token: str | None
    environment: str | None
    required_consumer: str | None = None
    lenient: bool = False
    patient: bool = False


@dataclass(frozen=True, slots=True)
class Order:
    """One verified purchase. Addresses are checksum, times Unix seconds, amounts base units.

    tx_hash: the transaction asked about; start_tx_hash: the purchase itself, different when it was renewed by reuse.
    timestamp: of the purchase; block_timestamp: of tx_hash. payer: who paid, also when a bundle went through the
    factory. fee_expired can only be true for a lenient request.
    """

    tx_hash: str
    start_tx_hash: str
    datatoken: str
    service_index: int
    consumer: str
    payer: str
    amount: int
    timestamp: int
    fee_amount: int
    fee_token: str
    valid_until: int
    environment: str | None
    quote_timestamp: Decimal
    block_timestamp: int
    fee_expired: bool = False


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the chain says. `receipts`: the order's own and those that its reuses refer to; unknown ones are missing."""

    of_factory: bool
    deployed: bool
    factory: str
    receipts: Mapping[str, Receipt]


def normal_hash(text: str) -> str:
    """`0x` and 64 lower-case hex digits; clients leave out the prefix or shout. Raises OrderInvalid(hash_malformed)."""
    digits = text.lower().removeprefix("0x") if isinstance(text, str) else ""
    if len(digits) != 64 or any(digit not in "0123456789abcdef" for digit in digits):
        raise OrderInvalid("hash_malformed")
    return "0x" + digits
