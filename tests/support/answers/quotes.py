"""What can be asked before a start: quotes, reasons, containers."""

from __future__ import annotations

import time
from typing import Final

from tests.support import provider_facts as facts
from tests.support.answers.book import Asker, Book
from tests.support.answers.calls import asked, mostly_unread, sent, without
from tests.support.answers.job_requests import (
    ALGORITHM,
    NOWHERE,
    QUOTE,
    RAW,
    WHY_NOT,
    algorithms,
    assets,
    quote,
    reference,
)
from tests.support.answers.places import RecordedWorld, place
from tests.support.file_sources import FileSources
from tests.support.provider_neighbours import FREE, PAID, transaction

CONTAINER: Final = "POST /api/services/validateContainer"


async def answers(book: Book) -> None:
    with FileSources({"algorithm.py": "print(1)"}) as sources:
        outgoing = {"allow_private": [f"{sources.address}@*"]}
        async with place(book, outgoing=outgoing) as (world, asker):
            assets(world, sources.url)
            await _quotes(world, asker)
            await _reasons(world, asker)
            world.chain.away = True
            await asker.table(
                {"quote, no chain": sent(QUOTE, quote()), "why-not, no chain": sent(WHY_NOT, quote())},
            )
            world.chain.away, world.argo.away = False, True
            await asker.ask("quote, no Argo", sent(QUOTE, quote()))
        policy = {"trusted_lists_empty": "deny", "require_checksums": True}
        async with place(book, policy=policy, outgoing=outgoing) as (world, asker):
            assets(world, sources.url)
            body = quote(datasets=[reference(2), reference(1)], algorithm=reference(ALGORITHM))
            await asker.table(
                {
                    "quote, empty lists allow nothing": sent(QUOTE, body),
                    "why-not, empty lists allow nothing": sent(WHY_NOT, body),
                }
            )
    async with place(book) as (_, asker):
        await _containers(asker)


async def _quotes(world: RecordedWorld, asker: Asker) -> None:
    order, paid = world.order(), {"env": PAID, "validUntil": int(time.time()) + 600}
    await asker.table(
        {
            "free": sent(QUOTE, quote()),
            "paid": sent(QUOTE, quote(compute=paid)),
            "an end as text": sent(QUOTE, quote(compute={"env": FREE, "validUntil": str(int(time.time()) + 600)})),
            "ordered": sent(QUOTE, quote(datasets=[reference(order=order)])),
            "an unknown order": sent(QUOTE, quote(datasets=[reference(order=transaction(99))])),
            "two datasets": sent(QUOTE, quote(datasets=[reference(), reference(9)], compute=paid)),
            "a published algorithm": sent(QUOTE, quote(datasets=[reference(3)], algorithm=reference(ALGORITHM))),
            "parameters at the start": sent(QUOTE, quote(datasets=[reference(9)])),
            "no environment": sent(QUOTE, quote(compute={"validUntil": 5})),
            "unknown environment": sent(QUOTE, quote(compute=paid | {"env": "x"})),
            "an environment that is an object": sent(QUOTE, quote(compute=paid | {"env": {}})),
            "compute that is a text": sent(QUOTE, quote(compute="small")),
            "an end in the past": sent(QUOTE, quote(-600)),
            "an end too late": sent(QUOTE, quote(99_999)),
            "an end in words": sent(QUOTE, quote("tomorrow")),
            "no datasets": sent(QUOTE, without(quote(), "datasets")),
            "an empty list": sent(QUOTE, quote(datasets=[])),
            "one dataset, no list": sent(QUOTE, quote(datasets=reference())),
            "a list of DIDs": sent(QUOTE, quote(datasets=[facts.did(1)])),
            "the same twice": sent(QUOTE, quote(datasets=[reference(), reference()])),
            "too many datasets": sent(QUOTE, quote(datasets=[reference()] * 21)),
            "unknown DID": sent(QUOTE, quote(datasets=[{"documentId": NOWHERE, "serviceId": "svc"}])),
            "unknown service": sent(QUOTE, quote(datasets=[reference(serviceId="x")])),
            "no service": sent(QUOTE, quote(datasets=[{"documentId": facts.did(1)}])),
            "no raw algorithms": sent(QUOTE, quote(datasets=[reference(2)])),
            "an access service": sent(QUOTE, quote(datasets=[reference(4)])),
            "an asset at its end": sent(QUOTE, quote(datasets=[reference(5)])),
            "an asset of others": sent(QUOTE, quote(datasets=[reference(6)])),
            "trusted publishers": sent(QUOTE, quote(datasets=[reference(8)], algorithm=reference(ALGORITHM))),
            "half an address": sent(QUOTE, quote(consumerAddress="0x1234")),
            "nothing": sent(QUOTE, {}),
            "several that are wrong": sent(QUOTE, {"datasets": 5, "compute": {"validUntil": -1}, "algorithm": {}}),
            **{name: sent(QUOTE, quote(algorithm=given)) for name, given in algorithms().items()},
            **mostly_unread(QUOTE, quote()),
        },
        "quote, ",
    )


async def _reasons(world: RecordedWorld, asker: Asker) -> None:
    await asker.table(
        {
            "none": sent(WHY_NOT, quote()),
            "none, as at a start": sent(WHY_NOT, without(quote(environment=FREE), "compute")),
            "ordered": sent(WHY_NOT, quote(datasets=[reference(order=world.order())])),
            "an unknown order": sent(WHY_NOT, quote(datasets=[reference(order=transaction(99))])),
            "many": sent(
                WHY_NOT,
                quote(
                    99_999,
                    datasets=[reference(n) for n in (2, 3, 4, 5, 6, 8, 9)] + [reference(serviceId="x"), {}],
                    algorithm={"meta": {"container": {}}},
                    output="{",
                ),
            ),
            "an algorithm that is not trusted": sent(
                WHY_NOT, quote(datasets=[reference(n) for n in (2, 3, 8)], algorithm=reference(ALGORITHM))
            ),
            "no environment": sent(WHY_NOT, quote(compute={})),
            "unknown environment": sent(WHY_NOT, quote(environment="x")),
            "an environment that is a list": sent(WHY_NOT, quote(environment=[FREE])),
            "an end in words": sent(WHY_NOT, quote("tomorrow")),
            "a list of DIDs": sent(WHY_NOT, quote(datasets=[facts.did(1)])),
            "half an address": sent(WHY_NOT, quote(consumerAddress="0x1234")),
            "nothing": sent(WHY_NOT, {}),
            **{name: sent(WHY_NOT, quote(algorithm=given)) for name, given in list(algorithms().items())[:6]},
            **mostly_unread(WHY_NOT, quote()),
        },
        "why-not, ",
    )


async def _containers(asker: Asker) -> None:
    good = dict(RAW["container"])
    await asker.table(
        {
            "good": sent(CONTAINER, good | {"tag": "3", "more": [1.50, True]}),
            "in the address": asked(CONTAINER, good),
            **{f"no {name}": sent(CONTAINER, without(good, name)) for name in ("entrypoint", "image", "checksum")},
            "a number for an image": sent(CONTAINER, good | {"image": 5}),
            "an image with a tag": sent(CONTAINER, good | {"image": "python:3"}),
            "an entrypoint without the algorithm": sent(CONTAINER, good | {"entrypoint": "python"}),
            "a tag for a digest": sent(CONTAINER, good | {"checksum": "latest"}),
            "half a digest": sent(CONTAINER, good | {"checksum": "sha256:ab"}),
            "by HEAD": asked("HEAD /api/services/validateContainer"),
            **mostly_unread(CONTAINER, good),
        },
        "container, ",
    )
