"""Searches in the metadata store: what clients write, what they get, and what is refused by name."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provider_api.endpoints.metadata_store.matching import CLAUSES, QueryUnsupported
from provider_api.endpoints.metadata_store.search import Search

pytestmark = pytest.mark.unit

OWNER, OTHER = "0x14dC79964da2C08b23698B3D3cc7Ca32193d9955", "0x23618e81E3f5cdF7f54C3d65f7FBc0aBf5B21E8f"


def asset(number: int, type_: str, owner: str, **more: Any) -> dict[str, Any]:
    return {
        "id": f"did:op:{number:064x}",
        "chainId": more.pop("chain", 32456),
        "metadata": {"type": type_, "name": more.pop("name", f"asset {number}"), "tags": more.pop("tags", [])},
        "services": more.pop("services", []),
        "nft": {"address": f"0x{number:040X}", "owner": owner, "state": more.pop("state", 0)},
        "purgatory": {"state": more.pop("bad", False)},
        "stats": {"orders": more.pop("orders", 0), "price": more.pop("price", {})},
        "event": {"from": owner},
        **more,
    }


def service(type_: str, token: str) -> dict[str, Any]:
    return {"id": token[-4:], "type": type_, "datatokenAddress": token}


ASSETS = [
    asset(
        1,
        "dataset",
        OWNER,
        tags=["Rain", "wind"],
        orders=3,
        price={"value": 0},
        services=[service("access", "0x" + "aA" * 20), service("compute", "0x" + "bB" * 20)],
        name="Rain of Hamburg",
    ),
    asset(2, "dataset", OTHER, tags=["wind"], orders=7, state=5, services=[service("compute", "0x" + "cC" * 20)]),
    asset(3, "algorithm", OWNER, orders=1, price={"value": 2.5}, chain=32457, name="Sum of rain"),
    asset(4, "algorithm", OTHER, bad=True),
]
DIDS = {number: entry["id"] for number, entry in enumerate(ASSETS, 1)}


def base_query(*filters: Any, **more: Any) -> dict[str, Any]:
    """What the portal puts around all of its searches."""
    return {
        "from": 0,
        "size": 3000,
        "query": {
            "bool": {
                "filter": [
                    *filters,
                    {"terms": {"chainId": [32456, 32457]}},
                    {"term": {"_index": "v510"}},
                    {"term": {"purgatory.state": False}},
                    {"bool": {"must_not": [{"term": {"nft.state": 5}}]}},
                ]
            }
        },
        **more,
    }


def filtered(*filters: Any, **more: Any) -> dict[str, Any]:
    return {"query": {"bool": {"filter": list(filters), **more}}}


def found(body: dict[str, Any]) -> list[int]:
    hits = Search.of(body).answer(ASSETS)["hits"]["hits"]
    return [int(hit["_source"]["id"][-4:], 16) for hit in hits]


@pytest.mark.parametrize(
    ("body", "numbers"),
    [
        (filtered({"ids": {"values": [DIDS[3], DIDS[1]]}}), [1, 3]),
        (filtered({"ids": {"values": ["did:op:unknown"]}}), []),
        ({"query": {"ids": {"values": [DIDS[2]]}}}, [2]),
        ({}, [1, 2, 3, 4]),
        ({"query": {"match_all": {}}}, [1, 2, 3, 4]),
        (base_query(), [1, 3]),
        (base_query([]), [1, 3]),  # a clause that a client has switched off
        (base_query({"term": {"metadata.type": "algorithm"}}), [3]),
        (base_query({"terms": {"_id": [DIDS[3], DIDS[4]]}}, {"terms": {"nft.owner": [OWNER.lower()]}}), [3]),
        (base_query({"terms": {"services.datatokenAddress": ["0x" + "bb" * 20, "0x" + "cc" * 20]}}), [1]),
        (base_query({"term": {"services.type": "compute"}}, {"term": {"metadata.type": "dataset"}}), [1]),
        (filtered({"term": {"nft.owner": OTHER.lower()}}), [2, 4]),
        (filtered({"term": {"nft.owner.keyword": OTHER}}), [2, 4]),
        (filtered({"term": {"nft.address": ASSETS[2]["nft"]["address"].lower()}}), [3]),
        (filtered({"terms": {"metadata.tags": ["rain"]}}), [1]),
        (filtered({"terms": {"metadata.tags.keyword": ["wind", "snow"]}}), [1, 2]),
        (filtered({"term": {"chainId": "32457"}}), [3]),
        (filtered({"term": {"chainId": {"value": 32457}}}), [3]),
        (filtered({"exists": {"field": "stats.price.value"}}), [1, 3]),
        (
            {
                "query": {
                    "bool": {
                        "should": [{"term": {"id": DIDS[1]}}, {"term": {"id": DIDS[4]}}],
                        "minimum_should_match": 1,
                    }
                },
                "from": 0,
                "size": 1,
            },
            [1],
        ),
        ({"query": {"bool": {"should": [{"term": {"id": DIDS[4]}}]}}}, [4]),
        (filtered({"match_all": {}}, should=[{"term": {"id": DIDS[4]}}]), [1, 2, 3, 4]),
        (
            {
                "query": {
                    "bool": {
                        "should": [{"term": {"metadata.tags": "rain"}}, {"term": {"metadata.tags": "wind"}}],
                        "minimum_should_match": 2,
                    }
                }
            },
            [1],
        ),
        ({"query": {"match": {"metadata.name": "RAIN sum"}}}, [1, 3]),
        ({"query": {"match": {"metadata.name": {"query": "rain sum", "operator": "and", "fuzziness": "AUTO"}}}}, [3]),
        ({"query": {"bool": {"must_not": {"term": {"metadata.type": "dataset"}}}}}, [3, 4]),
        ({"size": 2}, [1, 2]),
        ({"from": 1, "size": 2}, [2, 3]),
        ({"from": 4}, []),
        ({"size": 0}, []),
        ({"sort": {"stats.orders": "desc"}}, [2, 1, 3, 4]),
        ({"sort": [{"metadata.type": {"order": "asc"}}, {"stats.orders": "asc"}]}, [4, 3, 1, 2]),
        ({"sort": {"stats.price.value": "desc"}}, [3, 1, 2, 4]),  # without a price: last, whatever the order
        ({"sort": {"stats.price.value": "asc"}}, [1, 3, 2, 4]),
        ({"sort": "_score"}, [1, 2, 3, 4]),
    ],
)
def test_what_clients_ask_for_is_found(body: dict[str, Any], numbers: list[int]) -> None:
    assert found(body) == numbers


def test_the_answer_has_the_shape_of_the_store() -> None:
    answer = Search.of({"size": 1, "from": 1}).answer(ASSETS)
    assert answer["hits"]["total"] == {"value": 4, "relation": "eq"}
    (hit,) = answer["hits"]["hits"]
    assert (hit["_id"], hit["_source"]) == (DIDS[2], ASSETS[1])


def test_sums_over_what_was_found() -> None:
    body = {
        "size": 0,
        "aggs": {
            "totalOrders": {"sum": {"field": "stats.orders"}},
            "tags": {"terms": {"field": "metadata.tags.keyword", "size": 1}},
            "topPublishers": {
                "terms": {"field": "nft.owner.keyword", "order": {"totalSales": "desc"}},
                "aggs": {"totalSales": {"sum": {"field": "stats.orders"}}},
            },
        },
    }
    sums = Search.of(body).answer(ASSETS)["aggregations"]
    assert sums["totalOrders"] == {"value": 11.0}
    assert sums["tags"]["buckets"] == [{"key": "wind", "doc_count": 2}]
    assert sums["tags"]["sum_other_doc_count"] == 1
    assert sums["topPublishers"]["buckets"] == [
        {"key": OTHER, "doc_count": 2, "totalSales": {"value": 7.0}},
        {"key": OWNER, "doc_count": 2, "totalSales": {"value": 4.0}},
    ]


@pytest.mark.parametrize(
    ("body", "ids"),
    [
        (filtered({"ids": {"values": [DIDS[1], DIDS[2]]}}, {"term": {"chainId": 1}}), {DIDS[1], DIDS[2]}),
        (filtered({"terms": {"_id": [DIDS[1], DIDS[2]]}}, {"ids": {"values": [DIDS[2]]}}), {DIDS[2]}),
        ({"query": {"bool": {"should": [{"term": {"id": DIDS[1]}}, {"term": {"_id": DIDS[2]}}]}}}, {DIDS[1], DIDS[2]}),
        ({"query": {"bool": {"should": [{"term": {"id": DIDS[1]}}, {"term": {"chainId": 1}}]}}}, None),
        (filtered({"match_all": {}}, should=[{"term": {"id": DIDS[1]}}]), None),
        ({"query": {"bool": {"must_not": [{"ids": {"values": [DIDS[1]]}}]}}}, None),
        ({}, None),
    ],
)
def test_it_is_known_when_only_named_assets_can_fit(body: dict[str, Any], ids: set[str] | None) -> None:
    assert Search.of(body).ids == ids


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ([], "JSON object"),
        ({"query": {"query_string": {"query": "*"}}}, "match_all"),
        ({"query": {"nested": {}}}, "Supported: bool"),
        ({"query": {}}, "must be an object with one of"),
        ({"query": {"term": {}, "ids": {}}}, "must be an object with one of"),
        ({"query": []}, "must be an object with one of"),
        ({"query": {"bool": {"filter": [[{"term": {"a": 1}}]]}}}, "must be an object with one of"),
        ({"query": {"bool": {"filters": []}}}, "filters` is not supported"),
        ({"query": {"bool": {"should": [{"match_all": {}}], "minimum_should_match": "75%"}}}, "whole number"),
        ({"query": {"bool": []}}, "must be an object"),
        ({"query": {"ids": {"values": DIDS[1]}}}, "must be a list"),
        ({"query": {"ids": {"values": [None]}}}, "texts, numbers"),
        ({"query": {"ids": {"type": "a"}}}, "type` is not supported"),
        ({"query": {"term": {"chainId": None}}}, "texts, numbers"),
        ({"query": {"term": {"a": 1, "b": 2}}}, "one field"),
        ({"query": {"terms": {"chainId": 1}}}, "must be a list"),
        ({"query": {"terms": {"": [1]}}}, "field"),
        ({"query": {"exists": {"field": 1}}}, "field"),
        ({"query": {"match": {"a": {"query": "b", "analyzer": "c"}}}}, "analyzer` is not supported"),
        ({"query": {"match": {"a": {"query": "b", "operator": "xor"}}}}, "`and` or `or`"),
        ({"_source": ["id"]}, "Supported: aggregations, aggs, from, query, size, sort"),
        ({"script_fields": {}}, "not supported"),
        ({"size": -1}, "whole number"),
        ({"size": True}, "whole number"),
        ({"size": "2"}, "whole number"),
        ({"from": 9_000, "size": 1_001}, "10000"),
        ({"sort": {"a": "up"}}, "asc"),
        ({"sort": [["a"]]}, "sort"),
        ({"sort": [f"a{n}" for n in range(6)]}, "at most 5"),
        ({"aggs": {"a": {"avg": {"field": "b"}}}}, "sum, terms"),
        ({"aggs": {"a": {"terms": {"field": "b", "script": "c"}}}}, "field, order, size"),
        ({"aggs": {"a": {"terms": {"field": "b", "order": {"c": "asc"}}}}}, "order"),
        ({"aggs": {"a": {"sum": {}}}}, "field"),
        ({"query": {"bool": {"filter": [{"match_all": {}}] * 300}}}, "at most 256 clauses"),
    ],
)
def test_what_is_not_understood_is_refused_by_name(body: Any, said: str) -> None:
    with pytest.raises(QueryUnsupported, match=said):
        Search.of(body)


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats(allow_nan=False) | st.sampled_from(["", "a", "id"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([*CLAUSES, "filter", "must", "should", "values", "field", "query", "id", "size", "aggs"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=12,
)


@given(body=st.dictionaries(st.sampled_from(["query", "from", "size", "sort", "aggs"]), ANY_JSON))
def test_any_json_is_answered_or_refused(body: dict[str, Any]) -> None:
    try:
        search = Search.of(body)
    except QueryUnsupported:
        return
    assert len(search.answer(ASSETS)["hits"]["hits"]) <= len(ASSETS)
