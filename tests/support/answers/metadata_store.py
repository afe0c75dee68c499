"""What clients of a metadata store ask: documents, names, searches, validation, chains."""

from __future__ import annotations

import json
from typing import Any, Final

from ocean.did import did_of
from tests.support import provider_facts as facts
from tests.support.answers.book import Book
from tests.support.answers.calls import BYTES, JSON, Call, asked, mostly_unread, raw, sent, without
from tests.support.answers.places import place, publish
from tests.support.provider_neighbours import World

DDO: Final = "GET /api/aquarius/assets/ddo"
METADATA: Final = "GET /api/aquarius/assets/metadata"
NAMES: Final = "POST /api/aquarius/assets/names"
QUERY: Final = "POST /api/aquarius/assets/query"
VALIDATE: Final = "POST /api/aquarius/assets/ddo/validate"
SCHEMA: Final = "GET /api/aquarius/validation/schema"
CHAINS: Final = "GET /api/aquarius/chains"
NOWHERE: Final = "did:op:" + "9" * 64


def good_document() -> dict[str, Any]:
    """One that may be published."""
    document = without(facts.document(did_of(facts.NFT, 8996)), "nft", "purgatory")
    document["metadata"] |= {"created": "2024-01-01T00:00:00Z", "updated": "2024-01-01T00:00:00Z"}
    return document


def searched(query: Any = None, **more: Any) -> Call:
    return sent(QUERY, ({} if query is None else {"query": query}) | more)


def filtered(*filters: Any, **more: Any) -> Call:
    return searched({"bool": {"filter": list(filters)}}, **more)


async def answers(book: Book) -> None:
    async with place(book) as (world, asker):
        for number in (1, 2, 3):
            _named(world, number, f"rain {number}", ["rain", f"year {number}"])
        publish(world, 4, "algorithm", metadata=facts.document(facts.did(4), "algorithm")["metadata"] | {"name": "sum"})
        revoked = facts.did(5)
        _named(world, 5, "gone", [])
        world.chain.assets[revoked] = world.chain.assets[revoked].model_copy(update={"metadata": None})
        for line, name in ((DDO, "document"), (METADATA, "metadata")):
            await asker.table(
                {
                    "good": asked(f"{line}/{facts.did(1)}"),
                    "revoked": asked(f"{line}/{revoked}"),
                    "unknown": asked(f"{line}/{NOWHERE}"),
                    "half a DID": asked(f"{line}/did:op:12"),
                    "capital letters": asked(f"{line}/did:op:{'A' * 64}"),
                    "no DID": asked(f"{line}/"),
                    "by HEAD": asked(f"{line.replace('GET', 'HEAD')}/{facts.did(1)}"),
                },
                f"{name}, ",
            )
        await asker.table(_names(), "names, ")
        await asker.table(_searches(), "search, ")
        await asker.table(
            {
                "list": asked(f"{CHAINS}/list"),
                "status": asked(f"{CHAINS}/status/8996"),
                "status of another": asked(f"{CHAINS}/status/1"),
                "status of a word": asked(f"{CHAINS}/status/x"),
            },
            "chains, ",
        )
        await asker.table(_documents(), "validation, ")
        world.chain.away = True
        await asker.table(
            {
                "document, no chain": asked(f"{DDO}/{facts.did(1)}"),
                "metadata, no chain": asked(f"{METADATA}/{facts.did(1)}"),
                "names, no chain": sent(NAMES, {"didList": [facts.did(1)]}),
                "search, no chain": filtered({"ids": {"values": [facts.did(1)]}}),
            }
        )
    async with place(book, metadata={"max_document_bytes": 1024}) as (_, asker):
        await asker.ask("validation, too large", raw(VALIDATE, b" " * 1025, BYTES))


def _named(world: World, number: int, name: str, tags: list[str]) -> None:
    metadata = facts.document(facts.did(number))["metadata"] | {"name": name, "tags": tags}
    publish(world, number, metadata=metadata)


def _names() -> dict[str, Call]:
    return {
        "good": sent(NAMES, {"didList": [facts.did(2), NOWHERE, facts.did(5), facts.did(1)]}),
        "the same twice": sent(NAMES, {"didList": [facts.did(2), facts.did(2)]}),
        "an empty list": sent(NAMES, {"didList": []}),
        "no list": sent(NAMES, {"didList": facts.did(1)}),
        "no DIDs": sent(NAMES, {"didList": ["x"]}),
        "numbers": sent(NAMES, {"didList": [5]}),
        "too many": sent(NAMES, {"didList": [facts.did(n) for n in range(101)]}),
        "nothing": sent(NAMES, {}),
        **mostly_unread(NAMES, {"didList": [facts.did(1)]}),
    }


def _searches() -> dict[str, Call]:
    first = facts.did(1)
    terms = {"terms": {"field": "metadata.tags.keyword", "size": 2}}
    return {
        "by id": filtered({"ids": {"values": [facts.did(2), first, NOWHERE]}}),
        "by a term": filtered({"term": {"metadata.tags": "RAIN"}}, size=2, sort={"metadata.name": "desc"}),
        "by terms": filtered({"terms": {"_id": [first]}}),
        "by words": searched({"match": {"metadata.name": {"query": "rain 2", "operator": "and"}}}),
        "by a field": searched({"bool": {"must_not": [{"exists": {"field": "metadata.tags"}}]}}),
        "one of two": searched({"bool": {"should": [{"term": {"id": first}}, {"term": {"id": NOWHERE}}]}}),
        "all": searched({"match_all": {}}, size=1, **{"from": 1}),
        "nothing said": searched(),
        "sums": searched(size=0, aggs={"tags": terms, "orders": {"sum": {"field": "stats.orders"}}}),
        "unknown query": searched({"query_string": {"query": "*"}}),
        "no query in it": searched({}),
        "two queries": searched({"term": {}, "ids": {}}),
        "a list for a query": searched([]),
        "unknown part of bool": searched({"bool": {"filters": []}}),
        "an id, no list": searched({"ids": {"values": first}}),
        "a field in capital letters": filtered({"term": {"NFT.owner": "x"}}),
        "unknown member": searched(_source=["id"]),
        "a size below zero": searched(size=-1),
        "a size in words": searched(size="2"),
        "too far": searched(size=1001, **{"from": 9000}),
        "sorted upwards": searched(sort={"a": "up"}),
        "sorted by too much": searched(sort=[f"a{n}" for n in range(6)]),
        "unknown sum": searched(aggs={"a": {"avg": {"field": "b"}}}),
        "too many clauses": filtered(*[{"match_all": {}}] * 300),
        "too many values": filtered({"ids": {"values": [first] * 100_000}}),
        "too large": raw(QUERY, b" " * 1_048_577),
        **mostly_unread(QUERY, {"query": {"ids": {"values": [first]}}}),
    }


def _documents() -> dict[str, Call]:
    good = good_document()

    def document(value: Any) -> Call:
        return raw(VALIDATE, json.dumps(value).encode(), BYTES)

    service = good["services"][0]
    return {
        "good": document(good),
        "no version": document(without(good, "version")),
        "another version": document(good | {"version": "3.0.0"}),
        "a number for a version": document(good | {"version": 4}),
        "no id, another NFT": document(without(good, "id") | {"nftAddress": "0x12"}),
        "another id": document(good | {"id": NOWHERE}),
        "wrong in many places": document(
            good | {"chainId": "x", "metadata": {"type": "film"}, "services": [service | {"timeout": -1, "type": 5}]}
        ),
        "two services of one id": document(good | {"services": [service, service]}),
        "no services": document(good | {"services": []}),
        "more than it may have": document(good | {"more": 1}),
        "a list": document([good]),
        "too many values": document(good | {"more": [1] * 20_001}),
        "NaN": raw(VALIDATE, b'{"version": NaN}', BYTES),
        "no JSON": raw(VALIDATE, b"{", BYTES),
        "no UTF-8": raw(VALIDATE, b'{"a": "\xff"}', BYTES),
        "nothing": raw(VALIDATE, b"", BYTES),
        "as JSON": raw(VALIDATE, json.dumps(good).encode(), JSON),
        "schema": asked(SCHEMA),
        "schema of a version": asked(SCHEMA, "version=4.1.0"),
        "schema of another version": asked(SCHEMA, "version=3.0.0"),
        "schema of no version": asked(SCHEMA, "version="),
    }
