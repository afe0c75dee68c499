"""`c2d run`: what is missing is bought, the job is started, followed, its results are fetched and verified.

Nothing is bought before the provider has said that nothing stands against the job, and before the caller has agreed to
the price. The start itself is sent again as it is when no answer comes: it is answered with the same job.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import typer

from client.exits import Exit, Refused, Unusable
from client.jobs.facts import Job
from client.jobs.watching import watch_and_fetch
from client.printing import Printer
from client.session import Session, said_of
from ocean.chain.network import Network
from ocean.client import ConsumerError
from ocean.ddo import DDO
from ocean.purchase import Purchase, Wish, carry_out, plan

_START_TRIES = 6
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
    """A job that can be quoted: its assets, its environment."""

    wishes: Sequence[Wish]
    environment: Mapping[str, Any]
    valid_until: int

    @property
    def references(self) -> list[dict[str, Any]]:
        return [wish.reference() for wish in self.wishes]


async def run(session: Session, printer: Printer, wanted: Wanted) -> int:
    """Raises Trouble, ConsumerError, and what the chain raises."""
    job = await prepare(session, wanted)
    await require_startable(session, job)
    orders = await _ordered(session, printer, job, wanted)
    started = await _started(session, printer, job, orders, wanted.parameters)
    job_id = str(started["jobId"])
    printer.progress(f"job {job_id} is started in {job.environment['id']}")
    if wanted.detach:
        if printer.as_json:
            printer.document(dict(started))
        else:
            printer.text(job_id)
        return Exit.DONE
    return await watch_and_fetch(session, printer, job_id, wanted.output, exit_code=wanted.exit_code)


async def prepare(session: Session, wanted: Wanted) -> Quotable:
    """The documents and the environment. Raises Refused, Unusable, Unreachable, ConsumerError."""
    documents = await asyncio.gather(*(session.asset(each) for each in (*wanted.datasets, wanted.algorithm)))
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
    wishes = [_wish(each, {}) for each in datasets] + [_wish(algorithm, wanted.parameters)]
    return Quotable(wishes, environment, int(time.time()) + 60 * minutes)


async def require_startable(session: Session, job: Quotable) -> None:
    """Raises Refused with every reason, where the provider can tell them; others tell the first one when asked for the
    price."""
    body = {
        "datasets": job.references[:-1],
        "algorithm": job.references[-1],
        "environment": job.environment["id"],
        "compute": {"env": job.environment["id"], "validUntil": job.valid_until},
        "consumerAddress": session.address,
    }
    answer = await session.addition("POST", "/api/v1/why-not", json=body)
    reasons = answer.get("reasons") if isinstance(answer, dict) else None
    if reasons:
        raise Refused("the job would not be started:", [dict(reason) for reason in reasons])


async def quoted(session: Session, job: Quotable) -> list[Purchase]:
    """What would be bought. Raises Refused (by the provider), NotForSale, and what the chain raises."""
    answer = await session.consumer.initialize_compute(
        job.references[:-1], job.references[-1], str(job.environment["id"]), job.valid_until
    )
    answers = [*answer["datasets"], answer["algorithm"]]
    return await plan(await session.network(), session.address, job.wishes, answers)


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


async def symbol(network: Network, token: str) -> str:
    """What a token calls itself; its address where it says nothing."""
    (said,) = await network.read(network.function("ERC20Template", token, "symbol"))
    return said if isinstance(said, str) and said.isprintable() and 0 < len(said) <= 20 else token


async def _ordered(session: Session, printer: Printer, job: Quotable, wanted: Wanted) -> list[dict[str, Any]]:
    """The references of a start, bought as far as they are not. Raises Refused for a price that is not agreed to."""
    purchases = await quoted(session, job)
    network = await session.network()
    cost = await prices(network, purchases)
    words = " and ".join([f"{amount:f} {await symbol(network, token)}" for token, amount in cost.items()]) or "nothing"
    new = sum(purchase.quote is not None for purchase in purchases)
    printer.progress(f"{new} of {len(purchases)} assets are to be ordered; they cost {words}, and the chain's fees")
    _agree(printer, wanted, cost, words)
    key = session.key() if new else None
    with printer.status("ordering"):
        # One after the other: a datatoken may be needed twice, and a dispenser gives one at a time.
        orders = []
        for purchase in purchases:
            consumer = str(job.environment["consumerAddress"])
            order = purchase.order if key is None else await carry_out(network, key, consumer, purchase)
            orders.append(purchase.wish.reference(str(order)))
    return orders


def _agree(printer: Printer, wanted: Wanted, cost: Mapping[str, Decimal], words: str) -> None:
    """Raises Refused."""
    if not cost:
        return
    if wanted.most is not None:
        if len(cost) > 1:
            raise Refused(f"it costs {words}: --max-price is for one token; --yes agrees to it")
        if next(iter(cost.values())) > wanted.most:
            raise Refused(f"it costs {words}, more than --max-price {wanted.most:f}; nothing was bought")
        return
    if wanted.sure:
        return
    if not printer.on_terminal:
        raise Refused(f"it costs {words}, and nobody can be asked: --max-price AMOUNT or --yes agrees to it beforehand")
    if not typer.confirm(f"Buy it for {words}?", err=True):
        raise Refused("nothing was bought")


async def _started(
    session: Session,
    printer: Printer,
    job: Quotable,
    orders: Sequence[Mapping[str, Any]],
    parameters: Mapping[str, Any],
) -> Job:
    """Send the start, and the same again while nobody answers. Raises ConsumerError, httpx.TransportError."""
    session.sign_in()
    algorithm = dict(orders[-1]) | ({"algocustomdata": dict(parameters)} if parameters else {})
    request = await session.consumer.start_request(str(job.environment["id"]), orders[:-1], algorithm)
    with printer.status("starting"):
        for attempt in range(_START_TRIES):
            try:
                return await session.consumer.start(request)
            except (httpx.TransportError, ConsumerError) as exc:
                transient = isinstance(exc, httpx.TransportError) or exc.status in (502, 503, 504)
                if not transient or attempt == _START_TRIES - 1:
                    raise
                await asyncio.sleep(2**attempt / 2)
    raise AssertionError


async def _environment(session: Session, name: str | None) -> Mapping[str, Any]:
    """The one that is named, else the first one that is free, else the cheapest. Raises Refused."""
    listed = await session.consumer.environments(await session.chain_id())
    if not listed:
        raise Refused("the provider has no environment for this chain")
    if name is None:
        return min(listed, key=lambda each: Decimal(str(each.get("priceMin") or 0)))
    for environment in listed:
        if environment["id"] == name:
            return environment
    raise Refused(f"there is no environment {name}; there are {', '.join(str(each['id']) for each in listed)}")


def _default_minutes(environment: Mapping[str, Any]) -> int:
    longest = max(1, int(environment.get("maxJobDuration") or 3600) // 60)
    return min(longest, 10 if Decimal(str(environment.get("priceMin") or 0)) else _FREE_MINUTES_MOST)


def _wish(document: DDO, userdata: Mapping[str, Any]) -> Wish:
    """Its compute service, else its first one. Raises Refused."""
    if not document.services:
        raise Refused(f"{document.id} has no service")
    services = [each for each in document.services if each.type == "compute"] or list(document.services)
    return Wish(document, services[0].id)
