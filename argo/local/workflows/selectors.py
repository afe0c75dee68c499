"""Label selectors as Kubernetes reads them: `a=b`, `a!=b`, `a in (b,c)`, `a notin (b)`, `a`, `!a`, `a>1`, `a<1`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from argo.local.errors import invalid
from ocean.kit.digits import int64

_TOKEN = re.compile(r"\s*(==|!=|=|!|<|>|\(|\)|,|[^\s=!<>(),]+)")
MAX_WORDS = 1000  # a database takes so many conditions, and values, in one question
Operator = Literal["in", "notin", "exists", "absent", ">", "<"]


@dataclass(frozen=True, slots=True)
class Requirement:
    """`notin` also holds where the label is absent."""

    key: str
    operator: Operator
    values: tuple[str, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        value = labels.get(self.key)
        if self.operator == "absent":
            return value is None
        if self.operator == "notin":
            return value not in self.values
        if value is None or self.operator == "exists":
            return value is not None
        if self.operator == "in":
            return value in self.values
        have, wanted = int64(value), int64(self.values[0])
        if have is None or wanted is None:
            return False
        return have > wanted if self.operator == ">" else have < wanted


def parse_labels(text: str) -> tuple[Requirement, ...]:
    """Raises ApiError 400."""
    tokens = _TOKEN.findall(text)
    if len(tokens) > MAX_WORDS:
        raise invalid(f"the selector is longer than this server takes: at most {MAX_WORDS} words and signs")
    found: list[Requirement] = []
    while tokens:
        found.append(_requirement(tokens))
        if tokens and _take(tokens, {","}) and not tokens:
            raise _expected("", "identifier")
    return tuple(found)


def _requirement(tokens: list[str]) -> Requirement:
    if tokens[0] == "!":
        tokens.pop(0)
        return Requirement(_word(tokens), "absent")
    key = _word(tokens)
    if not tokens or tokens[0] == ",":
        return Requirement(key, "exists")
    operator = tokens.pop(0)
    if operator in ("=", "==", "!="):
        value = "" if not tokens or tokens[0] == "," else _word(tokens)
        return Requirement(key, "notin" if operator == "!=" else "in", (value,))
    if operator in ("in", "notin"):
        return Requirement(key, "in" if operator == "in" else "notin", _values(tokens))
    if operator in ("<", ">"):
        number = _word(tokens)
        if int64(number) is None:
            raise invalid(f"for 'Gt', 'Lt' operators, the value must be an integer: \"{number}\"")
        return Requirement(key, ">" if operator == ">" else "<", (number,))
    raise invalid(f"unable to parse requirement: found '{operator}', expected: in, notin, =, ==, !=, gt, lt")


def _values(tokens: list[str]) -> tuple[str, ...]:
    _take(tokens, {"("})
    values = [_word(tokens)]
    while _take(tokens, {",", ")"}) == ",":
        values.append(_word(tokens))
    return tuple(values)


def _take(tokens: list[str], wanted: set[str]) -> str:
    if not tokens or tokens[0] not in wanted:
        raise _expected(tokens[0] if tokens else "", " or ".join(sorted(wanted)))
    return tokens.pop(0)


def _word(tokens: list[str]) -> str:
    if not tokens or tokens[0] in ("==", "!=", "=", "!", "<", ">", "(", ")", ","):
        raise _expected(tokens[0] if tokens else "", "identifier")
    return tokens.pop(0)


def _expected(found: str, wanted: str) -> Exception:
    return invalid(f"unable to parse requirement: found '{found}', expected: {wanted}")
