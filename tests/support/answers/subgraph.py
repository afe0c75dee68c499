"""Questions to the subgraph."""

from __future__ import annotations

from typing import Any, Final

from tests.support.answers.book import Book
from tests.support.answers.calls import Call, asked, raw, sent
from tests.support.answers.places import MARKET, place
from tests.support.market import SUBGRAPH, TOKEN_PRICE

ASK: Final = f"POST {SUBGRAPH}"
OF_CHAIN: Final = f"POST /chains/8996{SUBGRAPH}"
META: Final = "{ _meta { block { number hash timestamp } deployment hasIndexingErrors } }"
ORDER: Final = (
    "id consumer { id } payer { id } amount serviceIndex publishingMarket { id } providerFee providerFeeValidUntil"
    " createdTimestamp tx eventIndex block reuses(first: 1) { id caller createdTimestamp tx order { id } }"
    " datatoken { address decimals isDatatoken nft { id owner { id } } }"
)


def question(query: Any, line: str = ASK, **more: Any) -> Call:
    return sent(line, {"query": query, **more})


async def answers(book: Book) -> None:
    cases = {case["name"]: case for case in MARKET["cases"]}

    def with_market(name: str) -> Any:
        return lambda world: setattr(world.chain, "market_case", name)

    for name, case in cases.items():
        async with place(book, with_market(name)) as (_, asker):
            await asker.ask(f"price, {name}", question(TOKEN_PRICE, variables=case["variables"]))
    renewed = cases["dispenser asset whose order was reused twice"]
    token, account = renewed["variables"]["datatokenId"], renewed["variables"]["account"]
    async with place(book, with_market(renewed["name"])) as (world, asker):
        await asker.table(
            {
                "_meta": question(META),
                "_meta, of a chain": question(META, OF_CHAIN),
                "orders of a payer": question(f'{{ orders(where: {{payer: "{account}"}}) {{ {ORDER} }} }}'),
                "orders of a datatoken, skipped": question(
                    f'{{ orders(skip: 9, where: {{datatoken: "{token}"}}) {{ id }} }}'
                ),
                "orders of nobody": question('{ orders(where: {payer: ""}) { id } }'),
                "orders of all": question("{ orders(where: {}) { id } }"),
                "too many orders": question(f'{{ orders(first: 5000, where: {{payer: "{account}"}}) {{ id }} }}'),
                "no such token": question('{ token(id: "0x12") { id } }'),
                "router": question(
                    '{ opc(id: "1") { id swapOceanFee swapNonOceanFee orderFee providerFee '
                    "approvedTokens { symbol } } }"
                ),
                "another router": question('{ opc(id: "2") { id } }'),
                "routers": question("{ opcs { id } }"),
                "updates": question(f'{{ nftUpdates(where: {{nft: "{token}"}}) {{ id type timestamp }} }}'),
                "types": question("{ __schema { queryType { name fields { name } } } }"),
                "two operations, one named": question("query a { opcs { id } } query b { _meta { deployment } }",
                                                       operationName="b"),
                "two operations, none named": question("query a { opcs { id } } query b { opcs { id } }"),
                "a variable that is missing": question("query ($id: ID!) { token(id: $id) { id } }"),
                "an unknown field": question("{ token(id: 1) { cost } nothing }"),
                "no GraphQL": question("{ token("),
                "a mutation": question("mutation { token { id } }"),
                "nested too deep": question("{ orders(where: {payer: \"0x\"}) " + "{ reuses { order " * 5 + "{ id }"
                                             + "} } " * 5 + "}"),
                "too long": question("{ _meta { deployment } }" + " #" * 40_000),
                "too many words": question("{ " + "_meta { deployment } " * 1000 + "}"),
                "a number for a query": question(5),
                "no query": sent(ASK, {"variables": {}}),
                "a list for variables": question(META, variables=[1]),
                "a number for a name": question(META, operationName=5),
                "a list": sent(ASK, [META]),
                "no JSON": raw(ASK, b"{"),
                "nothing": raw(ASK, b"", ""),
                "JSON without its type": raw(ASK, b'{"query":"{ opcs { id } }"}', ""),
                "by GET": asked(f"GET {SUBGRAPH}", {"query": META}),
                "another chain": question(META, f"POST /chains/1{SUBGRAPH}"),
                "no chain": question(META, f"POST /chains/x{SUBGRAPH}"),
            }
        )  # fmt: skip
        world.chain.away = True
        await asker.table({"no node": question(META), "no node of the chain": question(META, OF_CHAIN)})
