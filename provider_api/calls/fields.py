"""The rules that fields of a request must pass, with Ocean Provider's texts.

Fields are checked in order. A field marked `bail` ends the validation at its first failing rule; any other one reports
all its failing rules and lets the next fields report too.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from provider_api.calls.parameters import Call, NumberText, as_text, is_present
from provider_api.http.errors import InvalidRequest

Rule = Callable[[str, Any, Call], str | None]


@dataclass(frozen=True, slots=True)
class Field:
    """`wanted`: what is allowed, where the rules do not say it themselves."""

    name: str
    rules: tuple[Rule, ...]
    bail: bool = False
    wanted: str = ""


def validate(fields: Sequence[Field], call: Call) -> None:
    """Raises InvalidRequest with every text, in the order of the fields."""
    errors: dict[str, list[str]] = {}
    wanted: dict[str, str] = {}
    for field in fields:
        value = call.get(field.name)
        for rule in field.rules:
            text = rule(field.name, value, call)
            if text is not None:
                errors.setdefault(field.name, []).append(text)
                if allowed := field.wanted or _allowed(rule):
                    wanted[field.name] = f"{allowed}; {kind_of(value)} was sent"
                if field.bail:
                    raise InvalidRequest(errors, wanted)
    if errors:
        raise InvalidRequest(errors, wanted)


def kind_of(value: Any) -> str:
    """What was sent, without itself: it may be a key, a signature, or long."""
    if value is None:
        return "nothing"
    if isinstance(value, bool | dict | list):
        return {bool: "a boolean", dict: "an object", list: "a list"}[type(value)]
    if isinstance(value, NumberText) or not isinstance(value, str):
        return "a number"
    return f"text of {len(value)} characters" if value else "an empty text"


def _allowed(rule: Rule) -> str:
    """What a rule lets pass, where its text does not say it."""
    if isinstance(rule, OneOf):
        return f"one of {', '.join(rule.choices)}"
    return _ALLOWED.get(rule, "")


def _words(name: str) -> str:
    return name.replace("_", " ")


def required(name: str, value: Any, call: Call) -> str | None:
    return None if is_present(value) else f"The {_words(name)} field is required."


@dataclass(frozen=True, slots=True)
class RequiredWithout:
    others: tuple[str, ...]

    def __call__(self, name: str, value: Any, call: Call) -> str | None:
        if is_present(value) or all(is_present(call.get(other)) for other in self.others):
            return None
        return f"The {_words(name)} field is required when {', '.join(self.others)} is not present."


@dataclass(frozen=True, slots=True)
class RequiredWithAll:
    others: tuple[str, ...]

    def __call__(self, name: str, value: Any, call: Call) -> str | None:
        if is_present(value) or not all(is_present(call.get(other)) for other in self.others):
            return None
        return f"The {_words(name)} field is required when {', '.join(self.others)} are present."


@dataclass(frozen=True, slots=True)
class RequiredIf:
    other: str
    wanted: str

    def __call__(self, name: str, value: Any, call: Call) -> str | None:
        if is_present(value) or call.get(self.other) != self.wanted:
            return None
        return f"The {_words(name)} field is required when {self.other} is {self.wanted}."


@dataclass(frozen=True, slots=True)
class OneOf:
    choices: tuple[str, ...]

    def __call__(self, name: str, value: Any, call: Call) -> str | None:
        if value in (None, "") or (isinstance(value, str) and value in self.choices):
            return None
        return f"The selected {_words(name)} is invalid."


def required_if(other: str, wanted: str) -> Rule:
    return RequiredIf(other, wanted)


def one_of(*choices: str) -> Rule:
    return OneOf(choices)


def required_without(*others: str) -> Rule:
    return RequiredWithout(others)


def required_with_all(*others: str) -> Rule:
    return RequiredWithAll(others)


LONGEST_NONCE = 255  # characters, and digits of the number
_NONCE = re.compile(r"([0-9]+)(?:\.([0-9]+))?(?:[eE]\+?([0-9]{1,3}))?", re.ASCII)


def is_nonce(text: str) -> bool:
    """A decimal number, 0 or greater, of at most 255 characters. With an exponent, as JavaScript prints numbers from
    22 digits on, it must be a whole number, and of at most 255 digits too."""
    found = _NONCE.fullmatch(text) if len(text) <= LONGEST_NONCE else None
    if found is None:
        return False
    whole, fraction, exponent = found[1], found[2] or "", found[3]
    return exponent is None or (len(fraction) <= int(exponent) and len(whole) + int(exponent) <= LONGEST_NONCE)


def nonce_number(name: str, value: Any, call: Call) -> str | None:
    """What `is_nonce` says. Stricter than Ocean Provider, which takes whatever Python's float() takes: `inf` locked an
    account for ever there."""
    if not is_present(value):
        return None
    text = "" if isinstance(value, bool | dict | list) else as_text(value)
    return None if is_nonce(text) else f"The {_words(name)} must be a number."


def job_id(name: str, value: Any, call: Call) -> str | None:
    """A job's id, or nothing: 32 hexadecimal digits. Part of a signed text, so it must not be read otherwise."""
    if value in (None, "") or (isinstance(value, str) and re.fullmatch(r"[0-9a-f]{32}", value, re.ASCII)):
        return None
    return f"The {_words(name)} format is invalid."


def whole_did(name: str, value: Any, call: Call) -> str | None:
    """A DID in full, or nothing. Part of a signed text, as above."""
    if value in (None, "") or (isinstance(value, str) and re.fullmatch(r"did:op:[0-9a-fA-F]{64}", value, re.ASCII)):
        return None
    return f"The {_words(name)} format is invalid."


def canonical_number(name: str, value: Any, call: Call) -> str | None:
    """Digits without a zero in front. Part of a signed text, as above."""
    if integer(name, value, call) is not None or value is None or str(value) == str(int(value)):
        return None  # `integer` says what it has to say
    return f"The {_words(name)} must be an integer without leading zeros."


def integer(name: str, value: Any, call: Call) -> str | None:
    """Decimal digits only, as text or JSON number."""
    if value is None:
        return None
    ok = not isinstance(value, bool) and isinstance(value, int | str) and re.fullmatch(r"[0-9]{1,30}", str(value))
    return None if ok else f"The {_words(name)} must be an integer."


def position(name: str, value: Any, call: Call) -> str | None:
    """The place of something in a list: an integer, of which one below 0 is told apart."""
    negative = isinstance(value, int | str) and re.fullmatch(r"-[0-9]{1,30}", str(value))
    return f"The {_words(name)} must be at least 0." if negative else integer(name, value, call)


def text_value(name: str, value: Any, call: Call) -> str | None:
    """Text, or a plain number that stands for its text. No null bytes: a database may not be able to hold them."""
    if value is None or (isinstance(value, str | int) and not isinstance(value, bool) and "\0" not in str(value)):
        return None
    return f"The {_words(name)} format is invalid."


def address(name: str, value: Any, call: Call) -> str | None:
    """An Ethereum address in any letter case. Ocean Provider crashes on others."""
    if not is_present(value):
        return None
    ok = isinstance(value, str) and re.fullmatch(r"0[xX][0-9a-fA-F]{40}", value)
    return None if ok else f"The {_words(name)} format is invalid."


def did(name: str, value: Any, call: Call) -> str | None:
    """A DID of Ocean's; whether there is such an asset is another question."""
    if value in (None, ""):
        return None
    ok = isinstance(value, str) and value.startswith("did:op") and "\0" not in value
    return None if ok else f"The {_words(name)} format is invalid."


def non_empty_list_of_objects(name: str, value: Any, call: Call) -> str | None:
    if value is None or (isinstance(value, list) and all(isinstance(item, dict) for item in value)):
        return None
    return f"The {_words(name)} format is invalid."


_ALLOWED: dict[Rule, str] = {
    nonce_number: "a decimal number, greater than the last one that GET nonce tells",
    integer: "a whole number, 0 or greater, at most 30 decimal digits",
    position: "a whole number, 0 or greater, at most 30 decimal digits",
    canonical_number: "a whole number, 0 or greater, without zeros in front",
    job_id: "a job's id, 32 hexadecimal digits in small letters",
    whole_did: "a DID, did:op: and 64 hexadecimal digits",
    text_value: "text, without null characters",
    address: "an address, 0x and 40 hexadecimal digits",
    did: "a DID, which begins with did:op:",
    non_empty_list_of_objects: "a list of objects, one for each dataset",
}


def only_with_job(name: str, value: object, call: Call) -> str | None:
    """A DID without a job would be signed as a start is: whoever has seen the start could stop or delete all jobs."""
    if not is_present(value) or is_present(call.get("jobId")):
        return None
    return f"The {name} field needs a jobId beside it; without both, all jobs are meant."


@dataclass(frozen=True, slots=True)
class NearFuture:
    """Unix seconds between now and the longest lifetime. Milliseconds are far beyond it."""

    limit_seconds: int

    def __call__(self, name: str, value: object, call: Call) -> str | None:
        now = time.time()
        return None if now < int(as_text(value)) <= now + self.limit_seconds else "Invalid timestamp provided."
