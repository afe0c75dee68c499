"""What a node means by an error: one table of the words that nodes use, for lack of codes that all of them share.

The same code (-32005, -32602, -32000) stands for a rate that is exceeded, a range that is too long or a block that is
not there, so that the words decide first. The lessons differ: a rate is waited for; a batch or a range is made smaller,
and that is remembered; too many results say something of these blocks only; an unknown block is a node that lags.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum
from typing import Any

REVERTED = 3  # the code that nodes give a reverted call
LONGEST_TEXT = 1000  # of an error that is looked at


class Meaning(Enum):
    RATE = "too many requests"
    BATCH = "too many calls in one request"
    RANGE = "too many blocks in one log query"
    RESULTS = "too many logs, or too much work, in one log query"
    NOT_THERE = "the node does not know such a block or transaction"
    OTHER = "something else"


_RATE_CODES = frozenset({429, -32005, -32007, -32016, -32029, -32090, -32097})
_WORDS: dict[Meaning, tuple[str, ...]] = {
    Meaning.BATCH: (r"batch", r"bulk"),
    Meaning.NOT_THERE: (
        r"\b(?:block|header|transaction|receipt)s?\b[^.]{0,60}(?:not found|(?:cannot|could not) be found)",
        r"\b(?:block|header|transaction|receipt)s?\b[^.]{0,60}(?:not available|does not exist|unknown|not yet)",
        r"unknown (?:block|header|transaction)\b",
        r"(?:cannot|could not) find (?:block|header|transaction)",
        r"header for hash",
        r"invalid block range param",
        r"(?:beyond|after|above|greater than|higher than|ahead of|past) (?:the )?(?:current|latest|head|chain|last)",
        r"block (?:is )?in the future",
    ),
    Meaning.RATE: (
        r"too many requests",
        r"rate.?limit",
        r"requests? (?:rate|count|limit)",
        r"rate exceeded",
        r"per (?:second|minute|hour|day)",
        r"/s(?:ec|econd)?\b",
        r"compute units|throughput|throttl|quota|credits|capacity|overload",
        r"daily request",
        r"(?:retry|try again) (?:in|after|later)",
        r"server (?:is )?busy",
    ),
    Meaning.RESULTS: (
        r"(?:more than [0-9,]+k?|too many|max(?:imum)?) (?:results|logs|events|records)",
        r"(?:response|result)s? (?:size|set|is too|too|limit|exceed)",
        r"(?:results|logs|events) (?:limit|exceed)",
        r"log response",
        r"query (?:timeout|timed out|returned|execut|exceed(?!.*\b(?:blocks?|range)))",
        r"timed out|took too long|returned more than",
    ),
    Meaning.RANGE: (
        r"range",
        r"too many (?:blocks|rounds)",
        r"(?:blocks?|rounds?) (?:span|distance|limit|count|window|interval)",
        r"(?:limited to|up to|at most|max(?:imum)?|more than|exceeds?|only)[^.]{0,40}\b(?:blocks?|rounds?)\b",
        r"limited to\b",
        r"from_?block|to_?block",
        r"query (?:is )?too (?:large|long|big|wide)",
    ),
}
_TABLE = {found: re.compile("|".join(words)) for found, words in _WORDS.items()}
_HEX = re.compile(r"0x[0-9a-f]+")
_NUMBER = re.compile(r"(?<![\w.-])([0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(k?)(?![\w.]*[0-9])")
_WAIT = re.compile(r"(?:retry|again|wait|reset)[^0-9]{0,24}?([0-9]+(?:\.[0-9]+)?)\s*(ms|milli|s|sec|m\b|min)?")
_SECONDS = {"ms": 0.001, "milli": 0.001, "s": 1.0, "sec": 1.0, "m": 60.0, "min": 60.0}


def meaning(code: Any, message: str) -> Meaning:
    """`message` as `text_of` makes it. A contract chooses the words of its revert, so that those mean nothing here."""
    text = message.lower()
    if code == REVERTED or "revert" in text:
        return Meaning.OTHER
    for found, words in _TABLE.items():
        if words.search(text):
            return found
    return Meaning.RATE if code in _RATE_CODES else Meaning.OTHER


def limit_named(message: str, below: int) -> int | None:
    """The limit that an error names: the largest number in it that is clearly less than what was asked for, which such
    texts often repeat, also counted otherwise (the last block minus the first)."""
    text = _HEX.sub(" ", message.lower())
    numbers = [int(digits.replace(",", "")) * (1000 if kilo else 1) for digits, kilo in _NUMBER.findall(text)]
    return max((number for number in numbers if 1 <= number <= below * 0.9), default=None)


def wait_named(message: str) -> float | None:
    """The seconds that an error asks to wait."""
    found = _WAIT.search(message.lower())
    return None if found is None else float(found[1]) * _SECONDS[found[2] or "s"]


def text_of(error: Any) -> str:
    """All words of a JSON-RPC error: some nodes say the reason in `data` only."""
    if not isinstance(error, Mapping):
        return str(error)[:LONGEST_TEXT]
    words = [str(error.get("message", ""))]
    details = error.get("data")
    said = [details] if isinstance(details, str) else list(details.values()) if isinstance(details, Mapping) else []
    words += [word for word in said if isinstance(word, str) and not word.startswith("0x")]
    return ": ".join(word for word in words if word)[:LONGEST_TEXT]
