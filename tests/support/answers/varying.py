"""What is different in each run and says nothing of behaviour. Everything else of an answer is compared to the letter.

| what | becomes |
| --- | --- |
| ids that a table has named, such as those of jobs whose nonce is the clock | their names in angle brackets |
| a token (it says when it ends) | <token> |
| address of the server that has the files | <files> |
| moments as ISO 8601 | <moment> |
| Unix seconds within two days of now, with or without a fraction | <seconds> |
| `providerData` of a fee, hex of JSON with a time in it | the JSON, with <seconds> |
| the amount of a fee that is not 0: it is for the seconds that are left | <amount> |
| `r`, `s`, `v` of a fee, a signature over that time | <r>, <s>, <v> |
| an encrypted text, another one each time | <N hexadecimal digits> |
| name for a file whose own name says nothing | <name> |
| samples of metrics (which there are depends on what has happened) | are left out; names, types and helps stay |
| Retry-After of more than a minute, the time until a budget has filled | <later> |
| X-Request-ID | is left out; that it is there is asserted |
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from typing import Final

_TWO_DAYS: Final = 2 * 86_400
_SECONDS: Final = re.compile(r"(?<![\w.])[0-9]{10}(?:\.[0-9]+)?(?!\w)")
_PROVIDER_DATA: Final = re.compile(r'(?<="providerData":")0x([0-9a-f]+)')
_REPLACED: Final[tuple[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]], ...]] = (
    (re.compile(r"\beyJ[\w-]+\.[\w-]+\.[\w-]+"), "<token>"),
    (re.compile(r"(?<=\battachment;filename=)[0-9a-f]{32}(?=\.)"), "<name>"),
    (re.compile(r"\b127\.0\.0\.1:[1-9][0-9]{3,4}\b"), "<files>"),
    (re.compile(r"\b2[0-9]{3}-[0-9]{2}-[0-9]{2}T[0-9:.]{8,15}(?:\+00:00|Z)"), "<moment>"),
    (_PROVIDER_DATA, lambda found: bytes.fromhex(found[1]).decode().replace('"', "'")),
    (re.compile(r'(?<="providerFeeAmount":")[1-9][0-9]*(?=")'), "<amount>"),
    (re.compile(r'(?<="r":")0x[0-9a-f]{64}(?=")'), "<r>"),
    (re.compile(r'(?<="s":")0x[0-9a-f]{64}(?=")'), "<s>"),
    (re.compile(r'(?<="v":)2[78](?=,"validUntil")'), "<v>"),
    (re.compile(r"\b0x(04[0-9a-f]{100,})\b"), lambda found: f"<{len(found[1])} hexadecimal digits>"),
)


def constant(text: str, named: Mapping[str, str]) -> str:
    """The text without what varies. `named`: a name for each id."""
    for id_, name in named.items():
        text = text.replace(id_, f"<{name}>")
    for pattern, word in _REPLACED:
        text = pattern.sub(word, text)
    return _SECONDS.sub(_moment, text)


def without_samples(metrics: str) -> str:
    return "\n".join(line for line in metrics.splitlines() if line.startswith("#"))


def _moment(found: re.Match[str]) -> str:
    return "<seconds>" if abs(float(found[0]) - time.time()) < _TWO_DAYS else found[0]
