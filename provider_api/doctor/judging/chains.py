"""The chains: the right one, its contracts known, at its head; and clocks, since paid time is measured by them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ocean.chain.development import CHAIN_ID as DEVELOPMENT
from provider_api.doctor.lines import Item, Line

CHAIN: Final = Item(
    "chain",
    "a chain's node",
    "answers, serves the chain that is configured, whose contracts are known",
    "correct C2D_CHAINS: the node's address, chain_id, address_file; see to it that the node can be reached from here",
)
HEAD: Final = Item(
    "chain-head",
    "the newest block of a chain",
    "not older than --head-age",
    "wait until the node has caught up, or use another one: new orders are not seen",
)
CLOCK_CLUSTER: Final = Item(
    "clock-cluster",
    "this machine's clock against the API server's",
    "no further apart than --clock",
    "let both machines keep time by NTP",
)
CLOCK_CHAIN: Final = Item(
    "clock-chain",
    "this machine's clock against a chain's newest block",
    "not behind it by more than --clock",
    "let this machine keep time by NTP: paid time is measured by its clock",
)


@dataclass(frozen=True, slots=True)
class ChainFacts:
    """What one node said. `contracts`: "", or what is wrong with the address file. Times in Unix seconds, UTC."""

    subject: str
    chain_id: int
    expected_id: int | None
    contracts: str
    block: int
    block_time: float
    asked_at: float


def judge_chain(facts: ChainFacts) -> Line:
    if facts.expected_id not in (None, facts.chain_id):
        return CHAIN.failure(f"chain {facts.chain_id}", facts.subject, expected=f"chain {facts.expected_id}")
    if facts.contracts:
        return CHAIN.failure(facts.contracts, facts.subject)
    if facts.expected_id is None:
        mend = "name chain_id in C2D_CHAINS, so that a node of another chain is noticed"
        return CHAIN.warning(f"chain {facts.chain_id}, none was expected", facts.subject, mend=mend)
    return CHAIN.ok(f"chain {facts.chain_id}", facts.subject)


def judge_head(facts: ChainFacts, limit_seconds: float) -> Line:
    age = facts.asked_at - facts.block_time
    found, expected = f"block {facts.block}, {max(0, age):.0f} s old", f"not older than {limit_seconds:g} s"
    if facts.chain_id == DEVELOPMENT:
        return HEAD.ok(f"{found}; a development chain makes blocks when there is something to put in", facts.subject)
    if age > limit_seconds:
        return HEAD.failure(found, facts.subject, expected=expected)
    return HEAD.ok(found, facts.subject, expected=expected)


def judge_cluster_clock(difference_seconds: float, limit_seconds: float) -> Line:
    """`difference_seconds`: this machine's clock minus the server's."""
    found, expected = f"{difference_seconds:+.0f} s", f"within {limit_seconds:g} s"
    if abs(difference_seconds) > limit_seconds:
        return CLOCK_CLUSTER.failure(found, expected=expected)
    return CLOCK_CLUSTER.ok(found, expected=expected)


def judge_chain_clock(facts: ChainFacts, limit_seconds: float) -> Line:
    """A block's time is never in the future for a clock that is right."""
    behind = facts.block_time - facts.asked_at
    expected = f"not more than {limit_seconds:g} s behind it"
    if behind <= limit_seconds:
        return CLOCK_CHAIN.ok("not behind it", facts.subject, expected=expected)
    found = f"{behind:.0f} s behind it"
    if facts.chain_id == DEVELOPMENT:
        mend = "somebody let the development chain's clock run ahead; start it anew"
        return CLOCK_CHAIN.warning(found, facts.subject, expected=expected, mend=mend)
    return CLOCK_CHAIN.failure(found, facts.subject, expected=expected)
