"""A search in the metadata store: query, order, page and sums, over documents that are given. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from provider_api.endpoints.metadata_store.matching import QueryUnsupported, Test, ids_of, test_of, values_at

MAX_WINDOW = 10_000  # from + size
DEFAULT_SIZE = 10
MAX_SORTS = 5
MAX_AGGREGATIONS = 10
MAX_BUCKETS = 1000
_KNOWN = ("aggregations", "aggs", "from", "query", "size", "sort", "track_total_hits")

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Search:
    """`ids`: the only ones that can fit, None where the query does not say."""

    fits: Test
    ids: frozenset[str] | None
    first: int
    size: int
    sorts: tuple[tuple[str, bool], ...]  # field, descending
    sums: Mapping[str, _Sum]

    @classmethod
    def of(cls, body: Any) -> Search:
        """Raises QueryUnsupported."""
        if not isinstance(body, dict):
            raise QueryUnsupported("The body must be a JSON object.")
        for name in body:
            if name not in _KNOWN:
                raise QueryUnsupported(f"`{name[:100]}` is not supported. Supported: {', '.join(_KNOWN)}.")
        query = body.get("query", {"match_all": {}})
        fits = test_of(query)
        ids = ids_of(query)
        first, size = _count(body, "from", 0), _count(body, "size", DEFAULT_SIZE)
        if first + size > MAX_WINDOW:
            raise QueryUnsupported(f"`from` and `size` may reach to {MAX_WINDOW}, not to {first + size}.")
        sums = _sums(body.get("aggs", body.get("aggregations", {})))
        return cls(fits, None if ids is None else frozenset(ids), first, size, _sorts(body.get("sort", [])), sums)

    def answer(self, documents: Iterable[Document]) -> dict[str, Any]:
        """As the metadata store writes it. Equal ones stay in the order in which they are given."""
        found = [document for document in documents if self.fits(document)]
        for field, descending in reversed(self.sorts):
            found = _sorted(found, field, descending=descending)
        hits = [
            {"_index": "assets", "_id": document["id"], "_score": None if self.sorts else 1.0, "_source": document}
            for document in found[self.first : self.first + self.size]
        ]
        answered: dict[str, Any] = {
            "took": 0,
            "timed_out": False,
            "hits": {
                "total": {"value": len(found), "relation": "eq"},
                "max_score": 1.0 if hits and not self.sorts else None,
                "hits": hits,
            },
        }
        if self.sums:
            answered["aggregations"] = {name: make(found) for name, make in self.sums.items()}
        return answered


_Sum = Callable[[Sequence[Document]], dict[str, Any]]


def _count(body: Mapping[str, Any], name: str, default: int) -> int:
    value = body.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise QueryUnsupported(f"`{name}` must be a whole number, not below 0.")
    return value


def _sorts(given: Any) -> tuple[tuple[str, bool], ...]:
    """`{field: "desc"}`, `{field: {"order": "desc"}}`, "field", or a list of these."""
    sorts: list[tuple[str, bool]] = []
    for item in given if isinstance(given, list) else [given]:
        named = {item: "asc"} if isinstance(item, str) else item
        if not isinstance(named, dict):
            raise QueryUnsupported('`sort` must be like {"nft.created": "desc"}, or a list of such.')
        for field, how in named.items():
            order = str(how.get("order", "asc") if isinstance(how, dict) else how).lower()
            if order not in ("asc", "desc"):
                raise QueryUnsupported("The order of `sort` must be `asc` or `desc`.")
            list(values_at({}, field))  # refuses what is no field
            if field not in ("_score", "_doc"):  # all that fit, fit equally well
                sorts.append((field, order == "desc"))
    if len(sorts) > MAX_SORTS:
        raise QueryUnsupported(f"`sort` may name at most {MAX_SORTS} fields.")
    return tuple(sorts)


def _sorted(documents: Sequence[Document], field: str, *, descending: bool) -> list[Document]:
    """Numbers before texts; documents without the field come last, whatever the order."""
    keyed, without = [], []
    for document in documents:
        value = next((value for value in values_at(document, field) if isinstance(value, str | int | float)), None)
        if value is None:
            without.append(document)
        else:
            keyed.append(((1, 0, value.casefold()) if isinstance(value, str) else (0, value, ""), document))
    keyed.sort(key=lambda pair: pair[0], reverse=descending)
    return [document for _, document in keyed] + without


def _sums(given: Any, depth: int = 0) -> dict[str, _Sum]:
    """`sum` of a field, and `terms`: how many documents have each value, with sums of those."""
    if not isinstance(given, dict) or len(given) > MAX_AGGREGATIONS or (given and depth > 1):
        raise QueryUnsupported(f"`aggs` must be an object with at most {MAX_AGGREGATIONS} names, two levels deep.")
    return {name: _sum(body, depth) for name, body in given.items()}


def _sum(body: Any, depth: int) -> _Sum:
    inner = _sums(body.get("aggs", body.get("aggregations", {})), depth + 1) if isinstance(body, dict) else {}
    kinds = {kind: how for kind, how in body.items() if kind not in ("aggs", "aggregations")} if inner else body
    if not isinstance(kinds, dict) or len(kinds) != 1 or not set(kinds) <= {"sum", "terms"}:
        raise QueryUnsupported("An aggregation must be one of: sum, terms.")
    ((kind, how),) = kinds.items()
    if not isinstance(how, dict) or not set(how) <= {"field", "size", "order"}:
        raise QueryUnsupported(f"`aggs.{kind}` may have: field, order, size.")
    field = how.get("field")
    list(values_at({}, field or ""))  # refuses what is no field
    if kind == "sum":
        return lambda documents: {"value": float(sum(_numbers(documents, str(field))))}
    return _buckets(str(field), min(_count(how, "size", 10), MAX_BUCKETS), _order(how.get("order"), inner), inner)


def _order(given: Any, inner: Mapping[str, _Sum]) -> tuple[str, bool]:
    """By which sum, and whether the largest comes first."""
    if given is None:
        return "_count", True
    if isinstance(given, dict) and len(given) == 1:
        ((name, how),) = given.items()
        if name in ("_count", "_key", *inner) and how in ("asc", "desc"):
            return name, how == "desc"
    raise QueryUnsupported("`order` of terms must be like {name: desc}: a sum below it, _count or _key.")


def _buckets(field: str, size: int, order: tuple[str, bool], inner: Mapping[str, _Sum]) -> _Sum:
    by, descending = order

    def make(documents: Sequence[Document]) -> dict[str, Any]:
        having: dict[str | int | float, list[Document]] = {}
        for document in documents:
            for value in {v for v in values_at(document, field) if isinstance(v, str | int | float)}:
                having.setdefault(value, []).append(document)
        buckets: list[dict[str, Any]] = [
            {"key": value, "doc_count": len(those), **{name: sum_(those) for name, sum_ in inner.items()}}
            for value, those in having.items()
        ]
        buckets.sort(key=lambda bucket: str(bucket["key"]))
        if by == "_key":
            buckets.sort(key=lambda bucket: str(bucket["key"]), reverse=descending)
        else:
            buckets.sort(key=lambda bucket: _weight(bucket, by), reverse=descending)
        left = sum(int(bucket["doc_count"]) for bucket in buckets[size:])
        return {"doc_count_error_upper_bound": 0, "sum_other_doc_count": left, "buckets": buckets[:size]}

    return make


def _weight(bucket: Mapping[str, Any], by: str) -> float:
    return float(bucket["doc_count"] if by == "_count" else bucket[by]["value"])


def _numbers(documents: Iterable[Document], field: str) -> Iterable[float]:
    for document in documents:
        for value in values_at(document, field):
            if isinstance(value, int | float) and not isinstance(value, bool):
                yield value
