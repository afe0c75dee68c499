"""Sign-In with Ethereum (EIP-4361): the text that a wallet shows and signs, written and read by its grammar.

A text is read only if it is letter for letter what would be written for what was read in it: one meaning has one text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from ocean.addresses import checksum

LONGEST: Final = 4096  # characters of a text that is read

_ASKS: Final = " wants you to sign in with your Ethereum account:"
_HEAD: Final = re.compile(r"(?:(?P<scheme>[a-zA-Z][a-zA-Z0-9+.-]*)://)?(?P<domain>[^\s/?#@]+)" + re.escape(_ASKS))
_ADDRESS: Final = re.compile(r"0x[0-9a-fA-F]{40}")
_NONCE: Final = re.compile(r"[a-zA-Z0-9]{8,128}")
_CHAIN: Final = re.compile(r"[1-9][0-9]{0,77}")
_URI: Final = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*:[!-~]*")
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=:@%-]*")
_TIME: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)
_FIELDS: Final = ("URI", "Version", "Chain ID", "Nonce", "Issued At", "Expiration Time", "Not Before", "Request ID")
_REQUIRED: Final = 5  # of them, from the beginning


class SignInInvalid(ValueError):
    """The text is no EIP-4361 message. Says what is wrong without repeating the text."""


@dataclass(frozen=True, slots=True)
class SignIn:
    """One message. Times are texts of RFC 3339, `moment_of` reads them; None: the line is not there."""

    domain: str
    address: str  # checksum spelling
    uri: str
    chain_id: int
    nonce: str
    issued_at: str
    expiration_time: str | None = None
    not_before: str | None = None
    request_id: str | None = None
    statement: str | None = None
    resources: tuple[str, ...] | None = None
    scheme: str | None = None

    def text(self) -> str:
        """What is shown and signed. Raises SignInInvalid for a value that the grammar does not allow."""
        self._require_valid()
        values = (
            self.uri,
            "1",
            str(self.chain_id),
            self.nonce,
            self.issued_at,
            self.expiration_time,
            self.not_before,
            self.request_id,
        )
        scheme = "" if self.scheme is None else f"{self.scheme}://"
        lines = [f"{scheme}{self.domain}{_ASKS}", self.address, ""]
        lines += [] if self.statement is None else [self.statement]
        lines.append("")
        lines += [f"{name}: {value}" for name, value in zip(_FIELDS, values, strict=True) if value is not None]
        lines += [] if self.resources is None else ["Resources:", *(f"- {each}" for each in self.resources)]
        return "\n".join(lines)

    def _require_valid(self) -> None:
        scheme = "" if self.scheme is None else f"{self.scheme}://"
        _require(_HEAD.fullmatch(f"{scheme}{self.domain}{_ASKS}"), "it names no domain")
        known = _ADDRESS.fullmatch(self.address) and checksum(self.address) == self.address
        _require(known, "it names no account by its checksum address")
        _require(_URI.fullmatch(self.uri), "its URI is none")
        _require(_CHAIN.fullmatch(str(self.chain_id)), "its chain id is no number")
        _require(_NONCE.fullmatch(self.nonce), "its nonce is not of 8 or more letters and digits")
        for moment in (self.issued_at, self.expiration_time, self.not_before):
            _require(moment is None or moment_of(moment), "one of its times is none of RFC 3339")
        if self.statement is not None:
            _require(self.statement and self.statement.isprintable(), "its statement is not one line")
        _require(self.request_id is None or _REQUEST_ID.fullmatch(self.request_id), "its request id has other signs")
        for resource in self.resources or ():
            _require(_URI.fullmatch(resource), "one of its resources is no URI")


def parse_sign_in(text: str) -> SignIn:
    """Raises SignInInvalid."""
    _require(len(text) <= LONGEST, f"it has more than {LONGEST} characters")
    lines = text.split("\n")
    head = _HEAD.fullmatch(lines[0])
    if head is None or len(lines) < 4:
        raise SignInInvalid("it does not begin as a sign-in does")
    rest = lines[2:]
    _require(rest[0] == "", "no empty line follows the account")
    statement = rest[1] or None
    rest = rest[3:] if statement is not None and rest[2:3] == [""] else rest[2:]
    values: dict[str, str] = {}
    for place, name in enumerate(_FIELDS):
        if rest and rest[0].startswith(f"{name}: "):
            values[name] = rest.pop(0).removeprefix(f"{name}: ")
        elif place < _REQUIRED:
            raise SignInInvalid(f"the line {name} is missing")
    resources: tuple[str, ...] | None = None
    if rest and rest[0] == "Resources:":
        resources = tuple(line.removeprefix("- ") for line in rest[1:])
    chain = values["Chain ID"]
    found = SignIn(
        domain=head["domain"],
        address=lines[1],
        uri=values["URI"],
        chain_id=int(chain) if _CHAIN.fullmatch(chain) else 0,
        nonce=values["Nonce"],
        issued_at=values["Issued At"],
        expiration_time=values.get("Expiration Time"),
        not_before=values.get("Not Before"),
        request_id=values.get("Request ID"),
        statement=statement,
        resources=resources,
        scheme=head["scheme"],
    )
    _require(found.text() == text, "something in it is none of a sign-in's lines")
    return found


def moment_of(text: str) -> datetime | None:
    """The moment that a time of RFC 3339 names, aware; None for another text."""
    if _TIME.fullmatch(text) is None:
        return None
    try:
        return datetime.fromisoformat(text.upper())
    except ValueError:
        return None


def time_text(seconds: float) -> str:
    """Unix seconds as a time of RFC 3339, in whole seconds."""
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _require(good: object, reason: str) -> None:
    if not good:
        raise SignInInvalid(reason)
