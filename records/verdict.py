"""What an owner of a dataset says about something: the common form of decisions (`records.decision`) and trust
(`records.trust`).

An in-toto statement whose predicate is a Simple Verification Result (https://in-toto.io/attestation/svr/v0.1), with one
subject, one property, and the dataset that the owner speaks for.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from ocean.addresses import AddressInvalid, checksum
from ocean.did import is_did
from records.statement import VERDICT, Statement, StatementInvalid, Subject

_ACCOUNT: Final = "ethereum:"  # the URI scheme of EIP-681
_FORM: Final = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True, slots=True)
class Verdict:
    """`account`: checksum address of the owner; `at`: Unix seconds; `said`: the one property; `more`: further members
    of the predicate."""

    subject: Subject
    account: str
    at: int
    said: str
    did: str
    more: Mapping[str, Any] = field(default_factory=dict)


def statement_of_verdict(verdict: Verdict) -> Statement:
    return Statement(
        (verdict.subject,),
        VERDICT,
        {
            "verifier": {"id": _ACCOUNT + verdict.account},
            "timeVerified": written_time(verdict.at),
            "properties": [verdict.said],
            "c2d_dataset": verdict.did,
            **verdict.more,
        },
    )


def verdict_of(statement: Statement, subject: str, properties: Collection[str]) -> Verdict:
    """`subject`: the name of the only thing that it may be about; `properties`: one of them is said.

    Raises StatementInvalid for a statement that is something else, or leaves anything of it open.
    """
    if statement.predicate_type != VERDICT:
        raise StatementInvalid("this is no verification result")
    if len(statement.subjects) != 1 or statement.subjects[0].name != subject:
        raise StatementInvalid(f"it is not about one {subject} and nothing else")
    said = dict(statement.predicate)
    try:
        account, moment = said.pop("verifier")["id"], read_time(said.pop("timeVerified"))
        (word,) = said.pop("properties")
        did = said.pop("c2d_dataset")
        named = _ACCOUNT + checksum(account.removeprefix(_ACCOUNT))
    except (KeyError, TypeError, ValueError, AttributeError, AddressInvalid):
        raise StatementInvalid("it lacks its owner, its time, its one property or its dataset") from None
    if account != named:
        raise StatementInvalid("the owner is not named by a checksum address")
    if word not in tuple(properties):
        raise StatementInvalid(f"it says none of {', '.join(properties)}")
    if not is_did(did):
        raise StatementInvalid("it does not name its dataset")
    return Verdict(statement.subjects[0], account.removeprefix(_ACCOUNT), moment, word, did, said)


def written_time(seconds: int) -> str:
    """UTC as statements write it."""
    return datetime.fromtimestamp(seconds, UTC).strftime(_FORM)


def read_time(text: str) -> int:
    """Unix seconds. Raises ValueError, and TypeError for what is no text."""
    return int(datetime.strptime(text, _FORM).replace(tzinfo=UTC).timestamp())
