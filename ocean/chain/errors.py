"""What can go wrong with a chain's node.

A node that cannot be reached, does not answer in time or answers nonsense is `ChainUnavailable`; one that answers with
a JSON-RPC error is `NodeRefused`, a kind of it; only a reverted call is the caller's business, `CallReverted`.
"""

from __future__ import annotations

from typing import Any

from ocean.chain.refusals import REVERTED, text_of


class ChainUnavailable(RuntimeError):
    """The chain's node did not give a usable answer. Nothing is known; ask again later."""

    def __init__(self, chain_id: int, reason: str = "no answer") -> None:
        super().__init__(f"the node of chain {chain_id} is not available: {reason}")
        self.chain_id = chain_id
        self.reason = reason


class NodeRefused(ChainUnavailable):
    """The node answered with an error, for example because a log query spans too many blocks."""

    def __init__(self, chain_id: int, code: int, message: str) -> None:
        super().__init__(chain_id, message)
        self.code = code


class NodeBusy(NodeRefused):
    """The node was asked too often, and the wait it asks for is longer than the question can wait."""

    def __init__(self, chain_id: int, code: int, message: str, wait_seconds: float) -> None:
        super().__init__(chain_id, code, message)
        self.wait_seconds = wait_seconds


class CallReverted(RuntimeError):
    """A contract refused the call or transaction."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class AnswerMalformed(ValueError):
    """Bytes of a call's answer or of a log do not fit the ABI: the other side is not the contract it was taken for."""

    def __init__(self, name: str) -> None:
        super().__init__(f"the chain's answer does not fit {name}")
        self.name = name


def refusal(chain_id: int, error: Any) -> NodeRefused | CallReverted:
    """What the `error` of a JSON-RPC answer means."""
    details = error if isinstance(error, dict) else {"message": str(error)}
    code, message = details.get("code"), str(details.get("message"))
    if code == REVERTED or "revert" in message.lower():
        return CallReverted(message)
    return NodeRefused(chain_id, code if isinstance(code, int) else 0, text_of(details) or message)


class TransactionFailed(RuntimeError):
    """A transaction was refused or reverted; `tx_hash` is None when it was never sent."""

    def __init__(self, reason: str, tx_hash: str | None = None) -> None:
        super().__init__(f"transaction failed: {reason}")
        self.reason = reason
        self.tx_hash = tx_hash


class TransactionUnconfirmed(TimeoutError):
    """Sent, but not mined in time; it may still be."""

    def __init__(self, tx_hash: str) -> None:
        super().__init__(f"transaction {tx_hash} is not mined yet")
        self.tx_hash = tx_hash


class NetworkMisconfigured(ValueError):
    """The node serves another chain than expected, or the address file does not describe the chain."""


class NotForSale(LookupError):
    """The account has no datatoken of an asset, and nobody sells or gives it one."""

    def __init__(self, did: str, datatoken: str) -> None:
        super().__init__(
            f"{did} cannot be ordered: there is no datatoken {datatoken} in this account, and none is offered"
        )
        self.did, self.datatoken = did, datatoken
