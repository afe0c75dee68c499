"""What a job would use and cost, before anything is bought."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from client.answers import Reasons, required
from client.exits import Refused, Unreachable, Unusable
from client.jobs.orders import Orders, is_made
from client.session import Session, said_of
from ocean.ddo import DDO
from ocean.kit.together import together

if TYPE_CHECKING:
    from ocean.chain.network import Network
    from ocean.purchase import Purchase, Wish

_FREE_MINUTES_MOST = 24 * 60


@dataclass(frozen=True, slots=True)
class Wanted:
    """What shall run. `minutes`: None for the longest that costs nothing, or ten. `most`: what it may cost altogether,
    in whole tokens; None asks. `parameters`: of the algorithm."""

    datasets: Sequence[str]
    algorithm: str
    environment: str | None = None
    minutes: int | None = None
    most: Decimal | None = None
    sure: bool = False
    parameters: Mapping[str, Any] = field(default_factory=dict)
    detach: bool = False
    output: Path | None = None
    exit_code: bool = False


@dataclass(frozen=True, slots=True)
class Quotable:
    """A job that can be quoted: its assets, the algorithm last, its environment, and the algorithm's parameters."""

    wishes: Sequence[Wish]
    environment: Mapping[str, Any]
    valid_until: int
    parameters: Mapping[str, Any]

    def references(self, orders: Sequence[str | None] = ()) -> list[dict[str, Any]]:
        """As requests name the assets, with the transactions of their orders."""
        transactions = orders or [wish.transfer_tx for wish in self.wishes]
        found = [wish.reference(tx) for wish, tx in zip(self.wishes, transactions, strict=True)]
        if self.parameters:
            found[-1]["algocustomdata"] = dict(self.parameters)
        return found


async def prepare(session: Session, wanted: Wanted) -> Quotable:
    """The documents and the environment. Raises Refused, Unusable, Unreachable, ConsumerError."""
    documents = await together(*(session.asset(each) for each in (*wanted.datasets, wanted.algorithm)))
    *datasets, algorithm = documents
    if said_of(algorithm).type != "algorithm":
        raise Unusable(
            f"the last asset must be the algorithm, and {algorithm.id} is a {said_of(algorithm).type or '?'}"
        )
    for dataset in datasets:
        if said_of(dataset).type == "algorithm":
            raise Unusable(f"{dataset.id} is an algorithm; one algorithm runs, and it is named last")
    environment = await _environment(session, wanted.environment)
    minutes = wanted.minutes or _default_minutes(environment)
    wishes = [_wish(each) for each in documents]
    return Quotable(wishes, environment, int(time.time()) + 60 * minutes, wanted.parameters)


async def require_startable(session: Session, job: Quotable) -> None:
    """Raises Refused with every reason, where the provider can tell them; others tell the first one when asked for the
    price."""
    *datasets, algorithm = job.references()
    body = {
        "datasets": datasets,
        "algorithm": algorithm,
        "environment": job.environment["id"],
        "compute": {"env": job.environment["id"], "validUntil": job.valid_until},
        "consumerAddress": session.address,
    }
    answer = await session.addition("POST", "/api/v1/why-not", json=body)
    if answer is not None:
        _require_nothing_against(required(Reasons, answer, session.profile.provider))


def _require_nothing_against(answer: Mapping[str, Any]) -> None:
    """Raises Refused. A parameter that is missing would be noticed only after the purchase."""
    reasons = [*answer.get("reasons", ()), *answer.get("startNeeds", ())]
    if reasons:
        raise Refused("the job would not be started:", [dict(reason) for reason in reasons])


async def with_orders_of_before(session: Session, job: Quotable, orders: Orders) -> Quotable:
    """The same job, with what a run that died has paid for it. Raises OSError, and what the chain raises."""
    network = await session.network()
    wishes = []
    for wish in job.wishes:
        tx = orders.take(wish.ddo.id, wish.service_id, str(job.environment["consumerAddress"]))
        if tx is not None and not await is_made(network, tx):
            orders.drop(tx)
            tx = None
        wishes.append(replace(wish, transfer_tx=tx))
    return replace(job, wishes=wishes)


async def quoted(session: Session, job: Quotable) -> list[Purchase]:
    """What would be bought. Raises Refused (by the provider), NotForSale, and what the chain raises."""
    from ocean.purchase import plan

    *datasets, algorithm = job.references()
    answer = await session.consumer.initialize_compute(datasets, algorithm, str(job.environment["id"]), job.valid_until)
    _require_nothing_against(answer)
    answers = [*answer["datasets"], answer.get("algorithm") or {}]
    try:
        return await plan(await session.network(), session.address, job.wishes, answers)
    except ValueError as exc:
        raise Unreachable(f"{session.profile.provider} does not say what is to be ordered: {exc}") from exc


async def prices(network: Network, purchases: Sequence[Purchase]) -> dict[str, Decimal]:
    """Whole tokens by token's address, what is free left out."""
    found: dict[str, int] = {}
    for purchase in purchases:
        for token, amount in purchase.costs.items():
            found[token] = found.get(token, 0) + amount
    return {
        token: Decimal(amount).scaleb(-await network.token_decimals(token)).normalize()
        for token, amount in found.items()
    }


async def in_words(network: Network, costs: Mapping[str, Decimal]) -> str:
    """Prices for people."""
    return " and ".join([f"{amount:f} {await _symbol(network, token)}" for token, amount in costs.items()]) or "nothing"


async def _symbol(network: Network, token: str) -> str:
    """What a token calls itself; its address where it says nothing."""
    (said,) = await network.read(network.function("ERC20Template", token, "symbol"))
    return said if isinstance(said, str) and said.isprintable() and 0 < len(said) <= 20 else token


async def _environment(session: Session, name: str | None) -> Mapping[str, Any]:
    """The one that is named, else the first one that is free, else the cheapest. Raises Refused."""
    listed = await session.consumer.environments(await session.chain_id())
    if not listed:
        raise Refused("the provider has no environment for this chain")
    if name is None:
        return min(listed, key=lambda each: float(each.get("priceMin") or 0))
    for environment in listed:
        if environment["id"] == name:
            return environment
    raise Refused(f"there is no environment {name}; there are {', '.join(str(each['id']) for each in listed)}")


def _default_minutes(environment: Mapping[str, Any]) -> int:
    longest = max(1, int(environment.get("maxJobDuration") or 3600) // 60)
    return min(longest, 10 if environment.get("priceMin") else _FREE_MINUTES_MOST)


def _wish(document: DDO) -> Wish:
    """Its compute service, else its first one. Raises Refused."""
    from ocean.purchase import Wish

    if not document.services:
        raise Refused(f"{document.id} has no service")
    services = [each for each in document.services if each.type == "compute"] or list(document.services)
    return Wish(document, services[0].id)
