"""`c2d run`: what is missing is bought, the job is started, followed, its results are fetched and verified.

Nothing is bought before the provider has said that nothing stands against the job, and before the caller has agreed to
the price. What is bought is written down until a job has it, see `client.jobs.orders`. The start itself is sent again
as it is when no answer comes: it is answered with the same job.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any

import httpx

from client.exits import Exit, Refused
from client.jobs.facts import Job
from client.jobs.orders import Order, Orders
from client.jobs.quoting import (
    Quotable,
    Wanted,
    in_words,
    prepare,
    prices,
    quoted,
    require_startable,
    with_orders_of_before,
)
from client.jobs.watching import watch_and_fetch
from client.printing import Printer, confirmed
from client.provider import signed_anew
from client.session import Session
from client.text import said_in
from ocean.client import ConsumerError

if TYPE_CHECKING:
    from ocean.purchase import Purchase

_START_TRIES = 6


async def run(session: Session, printer: Printer, wanted: Wanted) -> int:
    """Raises Trouble, ConsumerError, and what the chain raises."""
    job = await prepare(session, wanted)
    await require_startable(session, job)
    orders = Orders(await session.chain_id(), session.address)
    try:
        bought = await _ordered(session, printer, job, wanted, orders)
        started = await _started(session, printer, job, bought, orders)
        orders.settle()
    finally:
        orders.close()
    job_id = str(started["jobId"])
    printer.progress(f"job {job_id} is started in {job.environment['id']}")
    if wanted.detach:
        if printer.as_json:
            printer.document(started)
        else:
            printer.text(job_id)
        return Exit.DONE
    return await watch_and_fetch(session, printer, job_id, wanted.output, exit_code=wanted.exit_code)


async def _ordered(
    session: Session, printer: Printer, job: Quotable, wanted: Wanted, orders: Orders
) -> list[str | None]:
    """The transactions of the orders, bought as far as they are not. Raises Refused for a price that is not agreed
    to."""
    from ocean.purchase import carry_out

    purchases = await quoted(session, await with_orders_of_before(session, job, orders))
    network = await session.network()
    cost = await prices(network, purchases)
    words = await in_words(network, cost)
    new = sum(purchase.quote is not None for purchase in purchases)
    printer.progress(f"{new} of {len(purchases)} assets are to be ordered; they cost {words}, and the chain's fees")
    _agree(printer, wanted, cost, words)
    key = session.key() if new else None
    consumer = str(job.environment["consumerAddress"])
    found: list[str | None] = []
    printer.way_back = "what has been ordered is kept for the next c2d run of these assets"
    with printer.status("ordering"):
        async with await session.turn():
            # One after the other: a datatoken may be needed twice, and a dispenser gives one at a time.
            for purchase in purchases:
                if key is None or purchase.quote is None:
                    found.append(purchase.order)
                    continue
                note = partial(_note, orders, purchase, consumer)
                found.append(await carry_out(network, key, consumer, purchase, signed=note))
    return found


def _note(orders: Orders, purchase: Purchase, consumer: str, tx: str) -> None:
    orders.note(Order(purchase.wish.ddo.id, purchase.wish.service_id, consumer, tx))


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
    if not confirmed(f"Buy it for {words}?", err=True):
        raise Refused("nothing was bought")


async def _started(
    session: Session, printer: Printer, job: Quotable, bought: Sequence[str | None], orders: Orders
) -> Job:
    """Raises Refused, ConsumerError, httpx.TransportError."""
    session.sign_in()
    *datasets, algorithm = job.references(bought)
    printer.way_back = "whether the job was started is not known: c2d jobs lists yours"

    async def start() -> Job:
        request = await session.consumer.start_request(str(job.environment["id"]), datasets, algorithm)
        return await _sent(session, request)

    with printer.status("starting"):
        try:
            return await signed_anew(start)
        except ConsumerError as exc:
            if _is_in_use(exc):
                orders.settle()  # a run of before started a job with them and died before it knew
                raise Refused(
                    "an order is of a job that was started before: c2d jobs lists yours; run it anew"
                ) from exc
            raise


def _is_in_use(error: ConsumerError) -> bool:
    """Whether the provider says that another job has one of the orders; it has two ways to say so."""
    said = said_in(error.body)
    return error.status == 400 and ("in use for other job" in said or "in_use" in said)


async def _sent(session: Session, request: Mapping[str, Any]) -> Job:
    """Send a start, and the same again while nobody answers. Raises ConsumerError, httpx.TransportError."""
    for attempt in range(_START_TRIES - 1):
        try:
            return await session.consumer.start(request)
        except (httpx.TransportError, ConsumerError) as exc:
            if not isinstance(exc, httpx.TransportError) and exc.status not in (502, 503, 504):
                raise
            await asyncio.sleep(2**attempt / 2)
    return await session.consumer.start(request)
