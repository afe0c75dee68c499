"""The three small languages of a template: `depends`, `when`, and `retryStrategy.expression`.

One grammar serves all: `||`, `&&`, `!`, parentheses, comparisons (`==` `!=` `<` `<=` `>` `>=` `contains`), text in
quotes, whole numbers, names, and the call `asInt(x)`. What a name means, its user says. Everything else is refused when
the template is read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

_TOKEN = re.compile(
    r"""\s*(?:(?P<op>\|\||&&|==|!=|<=|>=|<|>|!|\(|\)|contains\b)|(?P<text>'[^'\\]*'|"[^"\\]*")|(?P<number>-?[0-9]+(?![\w.-]))"""
    r"""|(?P<name>[A-Za-z_][\w-]*(?:\.[A-Za-z_][\w-]*)*))"""
)
_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "==": lambda a, b: bool(a == b),
    "!=": lambda a, b: bool(a != b),
    "<": lambda a, b: bool(a < b),
    "<=": lambda a, b: bool(a <= b),
    ">": lambda a, b: bool(a > b),
    ">=": lambda a, b: bool(a >= b),
    "contains": lambda a, b: bool(b in a),
}


class ExpressionInvalid(ValueError):
    """Not an expression of this grammar, or not evaluable with these values."""


@dataclass(frozen=True, slots=True)
class Expression:
    """`kind`: name, literal, not, and, or, asInt, or a comparison operator."""

    kind: str
    value: Any = None
    parts: tuple[Expression, ...] = ()

    def names(self) -> Iterator[str]:
        if self.kind == "name":
            yield self.value
        for part in self.parts:
            yield from part.names()

    def evaluate(self, lookup: Callable[[str], Any]) -> Any:
        """Raises ExpressionInvalid, and what `lookup` raises."""
        if self.kind == "name":
            return lookup(self.value)
        if self.kind == "literal":
            return self.value
        if self.kind == "or":
            return any(bool(part.evaluate(lookup)) for part in self.parts)
        if self.kind == "and":
            return all(bool(part.evaluate(lookup)) for part in self.parts)
        if self.kind == "not":
            return not self.parts[0].evaluate(lookup)
        try:
            if self.kind == "asInt":
                return int(self.parts[0].evaluate(lookup))
            left, right = (part.evaluate(lookup) for part in self.parts)
            return _COMPARISONS[self.kind](left, right)
        except (TypeError, ValueError) as exc:
            raise ExpressionInvalid(str(exc)) from exc


def parse(text: str) -> Expression:
    """Raises ExpressionInvalid."""
    parser = _Parser(text)
    found = parser.disjunction()
    if parser.token is not None:
        raise ExpressionInvalid(f"unexpected {parser.token[1]!r} in expression {text!r}")
    return found


class _Parser:
    def __init__(self, text: str) -> None:
        self._text, self._position = text, 0
        self.token: tuple[str, str] | None = None
        self._advance()

    def _advance(self) -> None:
        rest = self._text[self._position :]
        if not rest.strip():
            self.token = None
            return
        found = _TOKEN.match(rest)
        if not found or found.lastgroup is None:
            raise ExpressionInvalid(f"cannot read expression {self._text!r} at {rest.strip()[:20]!r}")
        self._position += found.end()
        self.token = (found.lastgroup, found[found.lastgroup])

    def _accept(self, *operators: str) -> str | None:
        if self.token and self.token[0] == "op" and self.token[1] in operators:
            operator = self.token[1]
            self._advance()
            return operator
        return None

    def disjunction(self) -> Expression:
        parts = [self._conjunction()]
        while self._accept("||"):
            parts.append(self._conjunction())
        return parts[0] if len(parts) == 1 else Expression("or", parts=tuple(parts))

    def _conjunction(self) -> Expression:
        parts = [self._comparison()]
        while self._accept("&&"):
            parts.append(self._comparison())
        return parts[0] if len(parts) == 1 else Expression("and", parts=tuple(parts))

    def _comparison(self) -> Expression:
        left = self._unary()
        operator = self._accept(*_COMPARISONS)
        return left if operator is None else Expression(operator, parts=(left, self._unary()))

    def _unary(self) -> Expression:
        if self._accept("!"):
            return Expression("not", parts=(self._unary(),))
        if self._accept("("):
            inner = self.disjunction()
            self._close()
            return inner
        if self.token is None or self.token[0] == "op":
            raise ExpressionInvalid(f"a value is missing in expression {self._text!r}")
        kind, text = self.token
        self._advance()
        if kind == "text":
            return Expression("literal", text[1:-1])
        if kind == "number":
            return Expression("literal", int(text))
        if self._accept("("):
            if text != "asInt":
                raise ExpressionInvalid(f"function {text} is not supported by this server")
            inner = self.disjunction()
            self._close()
            return Expression("asInt", parts=(inner,))
        return Expression("name", text)

    def _close(self) -> None:
        if not self._accept(")"):
            raise ExpressionInvalid(f"a ) is missing in expression {self._text!r}")
