"""Starting jobs."""

from __future__ import annotations

from typing import Any

from tests.support import provider_facts as facts
from tests.support.answers.accounts import STRANGER, creation, two_spoiled
from tests.support.answers.book import Asker, Book
from tests.support.answers.calls import Call, sent, unread, without
from tests.support.answers.job_requests import (
    ALGORITHM,
    NOWHERE,
    QUOTE,
    START,
    WHY_NOT,
    algorithms,
    assets,
    quote,
    reference,
    start,
)
from tests.support.answers.places import RecordedWorld, place
from tests.support.file_sources import FileSources
from tests.support.provider_neighbours import PAID, STRANGER_KEY, transaction


async def answers(book: Book) -> None:
    with FileSources({"algorithm.py": "print(1)"}) as sources:
        async with place(book, outgoing={"allow_private": [f"{sources.address}@*"]}) as (world, asker):
            assets(world, sources.url)
            await _starts(world, asker)
            world.chain.away = True
            await asker.ask("start, no chain", sent(START, start(900, transaction(900))))
            world.chain.away, world.argo.away = False, True
            await asker.ask("start, no Argo", sent(START, start(901, world.order())))
    async with place(book) as (world, asker):
        assets(world, "http://127.0.0.1:9")
        world.argo.refuses = True
        await asker.ask("start, Argo refuses", sent(START, start(5, world.order())))
    async with place(book, lambda world: world.argo.prices.clear()) as (world, asker):
        await asker.ask("start, no environments", sent(START, start(5, world.order())))
    async with place(book, lambda world: setattr(world.argo, "max_queued", 0)) as (world, asker):
        assets(world, "http://127.0.0.1:9")
        for nonce in (1, 2, 3):
            await asker.ask(f"start, places for two, number {nonce}", sent(START, start(nonce, world.order())))
        await asker.ask("quote, no place", sent(QUOTE, quote()))
    async with place(book, lambda world: setattr(world.argo, "per_account", 1)) as (world, asker):
        assets(world, "http://127.0.0.1:9")
        for nonce in (1, 2):
            await asker.ask(f"start, one for each account, {nonce}", sent(START, start(nonce, world.order())))
        await asker.ask("why-not, one for each account", sent(WHY_NOT, quote()))
    async with place(book, limits={"minimum_paid_seconds": 86_400}) as (world, asker):
        assets(world, "http://127.0.0.1:9")
        await asker.ask("start, paid for too short a time", sent(START, start(5, world.order())))


async def _starts(world: RecordedWorld, asker: Asker) -> None:
    order, other_order = world.order(), world.order()
    whole = start(5, order)
    free_of_fee = world.order(environment=PAID)

    def changed(**changes: Any) -> Call:
        return sent(START, start(5, order, **changes))

    await asker.table(
        {
            **{f"no {name}": sent(START, without(whole, name)) for name in whole},
            **{
                f"no {name} of the dataset": sent(START, whole | {"dataset": without(whole["dataset"], name)})
                for name in whole["dataset"]
            },
            "a dataset that is a DID": sent(START, whole | {"dataset": facts.did(1)}),
            "a service object": changed(dataset=reference(order=order, serviceId={"id": "svc"})),
            "half an address": sent(START, whole | {"consumerAddress": "0x1234"}),
            "a job that is none": changed(jobId="job"),
            "a nonce in words": sent(START, whole | {"nonce": "soon"}),
            "a nonce in a list": sent(START, whole | {"nonce": [5]}),
            **{name: changed(signature=text) for name, text in two_spoiled(whole["signature"]).items()},
            "signed by another": sent(START, start(5, order, STRANGER_KEY)),
            "an order of another": sent(START, start(5, order, STRANGER_KEY, consumerAddress=STRANGER)),
            "unknown environment": changed(environment="x"),
            "an environment of another order": changed(environment=PAID),
            "an unpaid order": sent(START, start(5, free_of_fee, environment=PAID)),
            "unknown DID": changed(dataset=reference(order=order, documentId=NOWHERE)),
            "unknown service": changed(dataset=reference(order=order, serviceId="x")),
            "unknown order": changed(dataset=reference(order=transaction(99))),
            "no raw algorithms": changed(dataset=reference(2, order)),
            "an access service": changed(dataset=reference(4, order)),
            "an asset at its end": changed(dataset=reference(5, order)),
            "an asset of others": changed(dataset=reference(6, order)),
            "parameters are missing": changed(dataset=reference(9, order)),
            "wrong parameters": changed(dataset=reference(9, order, userdata={"year": "x"})),
            "additional datasets that are none": changed(additionalDatasets="more"),
            "the same twice": changed(additionalDatasets=[reference(order=other_order)]),
            "an output that is no JSON": changed(output="{"),
            **{name: changed(algorithm=given) for name, given in list(algorithms().items())[:8]},
            **unread(START, whole),
            "a query beside the whole body": sent(START, whole, whole | {"dataset.documentId": facts.did(1),
                                                         "dataset.serviceId": "svc", "dataset.transferTxId": order,
                                                         "algorithm.meta": "{}"}),
        },
        "start, ",
    )  # fmt: skip
    await asker.table(
        {
            "good": sent(START, start(20, other_order)),
            "the same again": sent(START, start(20, other_order)),
            "the same nonce for another": sent(START, start(20, order)),
            "an older nonce": sent(START, start(19, order)),
            "a published algorithm": sent(
                START,
                start(
                    21,
                    world.order(),
                    dataset=reference(2, world.order()),
                    algorithm=reference(ALGORITHM, world.order()),
                ),
            ),
            "an order that is used": sent(START, start(22, other_order)),
            "all that may be there": sent(
                START,
                start(
                    23,
                    world.order(),
                    dataset=reference(9, world.order(), userdata={"year": 1}),
                    additionalDatasets=[reference(1, world.order())],
                    output={"publishOutput": True, "publishAlgorithmLog": True},
                ),
            ),
        },
        "start, ",
    )
    made = await asker.ask("start, a token for it", creation(30))
    token = made.json()["token"]
    by_token = without(start(31, world.order()), "signature")
    await asker.table(
        {
            "a token": sent(START, by_token, authtoken=token),
            "a token of another": sent(START, by_token | {"consumerAddress": STRANGER}, authtoken=token),
            "a token that is none": sent(START, by_token | {"nonce": 32}, authtoken="token"),
        },
        "start, ",
    )
