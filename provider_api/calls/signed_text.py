"""Which other requests can be read in a signed text?

Texts are parts of a request without a mark between them. Addresses, DIDs and job ids have one length each, so only a
few places are left where the nonce may begin; digits of an index or of a chain's id may belong to the nonce as well:

    address [job id] [DID] nonce      start, stop, deletion, tokens
    address job id index nonce        result
    DID nonce                         download
    (transaction | NFT) address chain nonce      decryption
    "salts" address job id DID nonce  salts
    "releases" address [job id] nonce  questions of owners
    "live" address job id nonce       what a job shows while it runs
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from provider_api.calls.fields import is_nonce
from provider_api.storage.nonces import SignedText, digits_of, number_of

_ADDRESS: Final = "0[xX][0-9a-fA-F]{40}"
_DID: Final = "did:op:[0-9a-fA-F]{64}"
_JOB: Final = "[0-9a-fA-F]{32}"
_OF_JOB: Final = _ADDRESS + _JOB + _DID
_OURS: Final = ("salts" + _OF_JOB, "releases" + _ADDRESS, "releases" + _ADDRESS + _JOB, "live" + _ADDRESS + _JOB)
_FORMS: Final = (_ADDRESS, _ADDRESS + _JOB, _ADDRESS + _DID, _OF_JOB, _DID, *_OURS)
_WHOLE: Final = tuple(re.compile(form) for form in _FORMS)
# Digits of another part follow: none to thirty of an index, one to thirty of a chain's id.
_BEFORE_INDEX: Final = re.compile(_ADDRESS + _JOB)
_BEFORE_CHAIN: Final = re.compile(f"(?:0[xX][0-9a-fA-F]{{64}}|{_ADDRESS}){_ADDRESS}")
_LONGEST_NUMBER: Final = 30


def remembered(text: str, nonce: str) -> SignedText:
    """What to remember of a text that is accepted with this nonce at its end."""
    places = set(_places(text))
    if len(text) - len(nonce) not in places:  # of no form that is known here: anything may be read in it
        places = set(range(len(text)))
    greatest = max((_read(text[place:]) for place in places), default=Decimal(0))
    digits = digits_of(greatest) if greatest > number_of(nonce) else 0
    return SignedText(hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest(), digits)


def _places(text: str) -> Iterator[int]:
    """Where a nonce may begin."""
    for form in _WHOLE:
        if (found := form.match(text)) is not None:
            yield found.end()
    for form in (_BEFORE_INDEX, _BEFORE_CHAIN):
        if (found := form.match(text)) is not None:
            for place in range(found.end() + 1, found.end() + 1 + _LONGEST_NUMBER):
                if place < len(text) and text[place - 1].isascii() and text[place - 1].isdigit():
                    yield place
                else:
                    break


def _read(text: str) -> Decimal:
    """The nonce; 0 where it is none, which is never greater than another."""
    return number_of(text) if is_nonce(text) else Decimal(0)
