"""Which documents fit a query: the part of Elasticsearch's query language that clients of this store use.

A query is compiled into a test of one document, a plain function over values. Whatever is not understood is refused by
name, so that nobody takes a wrong list for an answer. Values are compared as texts without regard to case: a field of
text in the original holds its words in small letters, and clients write addresses in either spelling.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

MAX_CLAUSES = 256
MAX_VALUES = 20_000

CLAUSES = ("bool", "exists", "ids", "match", "match_all", "term", "terms")
_OCCURRENCES = ("filter", "must", "must_not", "should")
_BOOL = (*_OCCURRENCES, "boost", "minimum_should_match")
_MATCH = ("boost", "fuzziness", "operator", "query")
_WORDS = re.compile(r"\w+")

Test = Callable[[Mapping[str, Any]], bool]


class QueryUnsupported(ValueError):
    """The text says what was not understood, and what would be."""


def test_of(query: Any) -> Test:
    """Raises QueryUnsupported."""
    return _Compiler().test(query, "query")


def ids_of(query: Any) -> set[str] | None:
    """The only identifiers that can fit, where the query names them; None: any may. For a query that compiles."""
    kind, given = next(iter(query.items()))
    if kind == "ids":
        return set(given["values"])
    if kind in ("term", "terms"):
        field, wanted = _named(given)
        values = wanted if kind == "terms" else [_value(wanted)]
        return {str(value) for value in values} if _path(field) == ("id",) else None
    if kind != "bool":
        return None
    required = [ids_of(clause) for name in ("filter", "must") for clause in _listed(given.get(name, []))]
    named = [found for found in required if found is not None]
    if named:
        return set.intersection(*named)
    should = [ids_of(clause) for clause in _listed(given.get("should", []))]
    if should and _needed(given) > 0 and all(found is not None for found in should):
        return set().union(*(found for found in should if found is not None))
    return None


def values_at(document: Any, path: str) -> Iterator[Any]:
    """Every value at a dotted path; lists on the way are gone through."""
    return _walk(document, _path(path))


class _Compiler:
    def __init__(self) -> None:
        self._clauses = 0

    def test(self, clause: Any, place: str) -> Test:
        self._clauses += 1
        if self._clauses > MAX_CLAUSES:
            raise QueryUnsupported(f"A query may have at most {MAX_CLAUSES} clauses.")
        if not isinstance(clause, dict) or len(clause) != 1:
            raise QueryUnsupported(f"`{place}` must be an object with one of: {', '.join(CLAUSES)}.")
        ((kind, given),) = clause.items()
        if kind == "bool":
            return self._bool(given, f"{place}.bool")
        place = f"{place}.{kind}"
        if kind == "match_all":
            return lambda _: True
        if kind not in CLAUSES or not isinstance(given, dict):
            raise QueryUnsupported(f"`{place[:100]}` is not supported. Supported: {', '.join(CLAUSES)}.")
        compile_: Callable[[dict[str, Any], str], Test] = getattr(self, f"_{kind}")
        return compile_(given, place)

    def _bool(self, given: Any, place: str) -> Test:
        _only(given, _BOOL, place)
        tests = {
            name: [self.test(clause, f"{place}.{name}") for clause in _listed(given.get(name, []))]
            for name in _OCCURRENCES
        }
        all_of, none_of, any_of = tests["filter"] + tests["must"], tests["must_not"], tests["should"]
        needed = _needed(given)

        def holds(document: Mapping[str, Any]) -> bool:
            return (
                all(test(document) for test in all_of)
                and not any(test(document) for test in none_of)
                and (needed <= 0 or sum(test(document) for test in any_of) >= needed)
            )

        return holds

    def _ids(self, given: dict[str, Any], place: str) -> Test:
        _only(given, ("values",), place)
        wanted = _texts(given.get("values"), f"{place}.values")
        return lambda document: _text(document.get("id")) in wanted

    def _term(self, given: dict[str, Any], place: str) -> Test:
        field, wanted = _named(given, place)
        return _equals(field, _texts([_value(wanted)], f"{place}.{field}"))

    def _terms(self, given: dict[str, Any], place: str) -> Test:
        field, wanted = _named(given, place)
        return _equals(field, _texts(wanted, f"{place}.{field}"))

    def _exists(self, given: dict[str, Any], place: str) -> Test:
        _only(given, ("field",), place)
        path = _path(given.get("field"))
        return lambda document: any(value is not None for value in _walk(document, path))

    def _match(self, given: dict[str, Any], place: str) -> Test:
        """Whole words. `fuzziness` is taken, and words are not guessed."""
        field, wanted = _named(given, place)
        options = wanted if isinstance(wanted, dict) else {"query": wanted}
        _only(options, _MATCH, f"{place}.{field}")
        (text,) = _texts([options.get("query")], f"{place}.{field}.query")
        operator = str(options.get("operator", "or")).lower()
        if operator not in ("and", "or"):
            raise QueryUnsupported(f"`{place}.operator` must be `and` or `or`.")
        words, path, enough = set(_WORDS.findall(text)), _path(field), all if operator == "and" else any

        def holds(document: Mapping[str, Any]) -> bool:
            there = {word for value in _walk(document, path) for word in _WORDS.findall(_text(value))}
            return bool(words) and enough(word in there for word in words)

        return holds


def _equals(field: str, wanted: set[str]) -> Test:
    path = _path(field)
    if path == ("_index",):
        return lambda _: True  # there is one
    return lambda document: any(_text(value) in wanted for value in _walk(document, path))


def _walk(value: Any, path: tuple[str, ...]) -> Iterator[Any]:
    if isinstance(value, list):
        for item in value:
            yield from _walk(item, path)
    elif not path:
        yield value
    elif isinstance(value, Mapping) and path[0] in value:
        yield from _walk(value[path[0]], path[1:])


def _path(field: Any) -> tuple[str, ...]:
    if not isinstance(field, str) or not 0 < len(field) <= 200:
        raise QueryUnsupported("A field must be named by a text, with dots between its parts.")
    return ("id",) if field == "_id" else tuple(field.removesuffix(".keyword").split("."))


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).casefold() if isinstance(value, str | int | float) else ""


def _texts(values: Any, place: str) -> set[str]:
    if not isinstance(values, list) or len(values) > MAX_VALUES:
        raise QueryUnsupported(f"`{place[:200]}` must be a list of at most {MAX_VALUES} values.")
    if not all(isinstance(value, str | int | float) for value in values):
        raise QueryUnsupported(f"`{place[:200]}` must hold texts, numbers, true or false.")
    return {_text(value) for value in values}


def _named(given: dict[str, Any], place: str = "query") -> tuple[str, Any]:
    """The one field of a clause, and what it says of it."""
    fields = {name: value for name, value in given.items() if name != "boost"}
    if len(fields) != 1:
        raise QueryUnsupported(f"`{place}` must name one field.")
    ((field, wanted),) = fields.items()
    _path(field)
    return field, wanted


def _value(wanted: Any) -> Any:
    """A term may be written as a value or as `{"value": value}`."""
    return wanted.get("value") if isinstance(wanted, dict) else wanted


def _listed(clauses: Any) -> list[Any]:
    """One clause or a list of them. Clients leave empty lists where a clause of theirs is switched off."""
    listed = clauses if isinstance(clauses, list) else [clauses]
    return [clause for clause in listed if clause != []]


def _needed(given: dict[str, Any]) -> int:
    """How many of `should` must hold: one where nothing else is required."""
    should = _listed(given.get("should", []))
    least = given.get("minimum_should_match", 0 if "filter" in given or "must" in given or not should else 1)
    try:
        return min(int(least), 2**31) if not isinstance(least, bool) else _not_a_number()
    except (TypeError, ValueError, OverflowError):
        return _not_a_number()


def _not_a_number() -> int:
    raise QueryUnsupported("`minimum_should_match` must be a whole number.")


def _only(given: Any, known: tuple[str, ...], place: str) -> None:
    if not isinstance(given, dict):
        raise QueryUnsupported(f"`{place[:200]}` must be an object.")
    for name in given:
        if name not in known:
            raise QueryUnsupported(f"`{place[:200]}.{name[:100]}` is not supported. Supported: {', '.join(known)}.")
