"""A statement about files: an in-toto Statement v1 (https://in-toto.io/Statement/v1) with SHA-256 digests.

    {"_type": …, "subject": [{"name", "digest": {"sha256"}}], "predicateType": …, "predicate": {…}}

Reading is strict, because what is read decides: no key twice, no unknown type of predicate, no digest but SHA-256, no
name twice, at least one subject.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ocean.kit.compact_json import compact_utf8
from ocean.kit.digits import is_sha256

STATEMENT: Final = "https://in-toto.io/Statement/v1"
PROVENANCE: Final = "https://slsa.dev/provenance/v1"
VERDICT: Final = "https://in-toto.io/attestation/svr/v0.1"
PREDICATES: Final = frozenset({PROVENANCE, VERDICT})  # all that this version knows
MAX_BYTES: Final = 64 * 1024 * 1024  # of a statement that is read

_KEYS: Final = {"_type", "subject", "predicateType", "predicate"}


class StatementInvalid(ValueError):
    """It is no statement that this version knows. The text says what is wrong, without repeating its content."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A file that a statement is about. `name` is its path below the job's volume; `sha256` lower-case hex."""

    name: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Statement:
    subjects: tuple[Subject, ...]
    predicate_type: str
    predicate: Mapping[str, Any]

    def encoded(self) -> bytes:
        """JSON, keys in their order; the bytes that are signed. Raises UnicodeEncodeError for text that is none."""
        return compact_utf8(
            {
                "_type": STATEMENT,
                "subject": [{"name": each.name, "digest": {"sha256": each.sha256}} for each in self.subjects],
                "predicateType": self.predicate_type,
                "predicate": self.predicate,
            }
        )


def parse_statement(encoded: bytes) -> Statement:
    """Raises StatementInvalid."""
    document = read_object(encoded, "the statement")
    if set(document) != _KEYS or document["_type"] != STATEMENT:
        raise StatementInvalid("this is no in-toto Statement v1")
    if document["predicateType"] not in PREDICATES or not isinstance(document["predicate"], dict):
        raise StatementInvalid(f"the predicate is none of {', '.join(sorted(PREDICATES))}")
    if not isinstance(document["subject"], list) or not document["subject"]:
        raise StatementInvalid("the statement is about nothing")
    subjects = tuple(_subject(entry) for entry in document["subject"])
    if len({each.name for each in subjects}) != len(subjects):
        raise StatementInvalid("two subjects have one name")
    return Statement(subjects, document["predicateType"], document["predicate"])


def read_object(encoded: bytes, what: str) -> dict[str, Any]:
    """A JSON object without a key that stands there twice. Raises StatementInvalid."""
    if len(encoded) > MAX_BYTES:
        raise StatementInvalid(f"{what} is larger than {MAX_BYTES} bytes")
    try:
        document = json.loads(encoded.decode("utf-8"), object_pairs_hook=_without_doubles, parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise StatementInvalid(f"{what} is no JSON, or names a key twice") from None
    if not isinstance(document, dict):
        raise StatementInvalid(f"{what} is no JSON object")
    return document


def _subject(entry: Any) -> Subject:
    if not isinstance(entry, dict) or set(entry) != {"name", "digest"}:
        raise StatementInvalid("a subject is not a name and a digest")
    name, digest = entry["name"], entry["digest"]
    if not isinstance(name, str) or not name or not isinstance(digest, dict) or set(digest) != {"sha256"}:
        raise StatementInvalid("a subject has no name, or another digest than sha256")
    if not isinstance(digest["sha256"], str) or not is_sha256(digest["sha256"]):
        raise StatementInvalid("a subject's sha256 is not 64 lower-case hexadecimal digits")
    return Subject(name, digest["sha256"])


def _without_doubles(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands there twice")
    return found


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is no JSON")
