"""How much a question to the subgraph may ask for, and what is said when the chain is away."""

from __future__ import annotations

import pytest
from graphql import parse, validate

from provider_api.endpoints.subgraph.limits import DEEPEST, MOST_FIELDS, too_much
from provider_api.endpoints.subgraph.schema import schema
from tests.support.market import SUBGRAPH, TOKEN_PRICE
from tests.support.provider_neighbours import World

pytestmark = pytest.mark.unit

REUSES = "reuses { order { reuses { order { reuses { order { reuses { id } } } } } } }"
WIDE = " ".join(f"a{number}: tx" for number in range(100))
DOUBLING = "".join(
    f" fragment F{number} on Order {{ x: reuses {{ order {{ ...F{number + 1} }} }} ...F{number + 1} }}"
    for number in range(3)
)


def orders(inner: str) -> str:
    return '{ orders(where: {payer: "0x"}) { ' + inner + " } }"


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        (TOKEN_PRICE, None),
        ("{ _meta { block { number } } }", None),
        (orders("id reuses { order { reuses { tx } } }"), None),
        (orders(REUSES), f"levels deep; at most {DEEPEST}"),
        (orders("...F") + f" fragment F on Order {{ {REUSES} }}", f"levels deep; at most {DEEPEST}"),
        (orders("... on Order { " + REUSES + " }"), f"levels deep; at most {DEEPEST}"),
        (orders(WIDE), None),
        (
            orders(WIDE + f" reuses {{ order {{ {WIDE} datatoken {{ orders {{ {WIDE} {WIDE} }} }} }} }}"),
            f"at most {MOST_FIELDS} are",
        ),
        (
            orders("...F0 y: reuses { order { ...F0 } }") + DOUBLING + f" fragment F3 on Order {{ {WIDE} }}",
            f"at most {MOST_FIELDS} are answered|levels deep",
        ),
        ("{ __schema { types { fields { type { ofType { ofType { ofType { ofType { name } } } } } } } } }", None),
    ],
)
def test_questions_are_bounded(query: str, reason: str | None) -> None:
    document = parse(query)
    assert validate(schema(), document) == []
    said = too_much(document)
    if reason is None:
        assert said is None
    else:
        assert said is not None
        assert any(part in said for part in reason.split("|")), said


async def test_a_chain_that_is_away_is_said_in_the_shape_of_graphql(world: World) -> None:
    answer = await world.http.post(SUBGRAPH, json={"query": "{ _meta { block { number } } }"})
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    assert answer.json() == {"errors": [{"message": "The blockchain node does not answer at the moment."}]}


async def test_a_question_that_is_refused_costs_the_chain_nothing(world: World) -> None:
    answer = await world.http.post(SUBGRAPH, json={"query": "{ nothing }"})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert "Cannot query field 'nothing'" in answer.json()["errors"][0]["message"]
