"""A rule's no."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from provider_api.http.errors import Refused

# Who can change what a rule refuses.
Who = Literal["consumer", "publisher", "algorithm_publisher", "operator"]

SHOWN_TEXT, SHOWN_ITEMS = 200, 20  # of a value in an answer: documents may be megabytes long


@dataclass(frozen=True, slots=True)
class Refusal:
    """`place` and `code` are what clients see: `{"error": {place: code}}`. The rest answers "why not".

    `expected` and `found` hold nothing that the request, the asset's document and the chain do not show: no file
    URL, no content of a file. `rule` and `who` are filled in by the rule itself.
    """

    place: str
    code: str
    expected: Any = None
    found: Any = None
    who: Who | None = None
    rule: str = ""

    def error(self) -> Refused:
        return Refused({self.place: self.code})

    def named(self) -> dict[str, Any]:
        """What it is about, as an entry of a list."""
        return {"place": self.place, "code": self.code}

    def reason(self) -> dict[str, Any]:
        """As the answer to "why not" lists it."""
        return {
            "place": self.place,
            "rule": self.rule,
            "code": self.code,
            "expected": shown(self.expected),
            "found": shown(self.found),
            "who": self.who,
        }


def shown(value: Any) -> Any:
    """A value of any size, cut to what a person reads. Numbers, booleans and null stay what they are."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, list | tuple):
        return [shown(item) if isinstance(item, str) else shown(str(item)) for item in value[:SHOWN_ITEMS]]
    text = str(value)
    return text if len(text) <= SHOWN_TEXT else text[:SHOWN_TEXT] + "…"
