"""What a passport proves about files. No I/O: the caller reads files and, if it wants to, asks a chain.

The rules, in this order; the first that is broken ends the judgement with its number:

 1. The envelope is a DSSE envelope of an in-toto statement, with at least one signature.
 2. Every signature in it holds, and is of the account that it names.
 3. The statement is an in-toto Statement v1 of a predicate that we know, about at least one subject, none named twice.
 4. It is the passport of a job: provenance of our build type that names a job, its manifest and its orders.
 5. Its signer is one of the accounts that the caller trusts. Without such an account nothing is verified.
 6. There is at least one file.
 7. Each file has the digest of a subject.
 8. No file bears the name of one subject and the content of another.
 9. Where the caller has asked the chain: the order that the passport calls the agreement paid its fee to the signer.
    It is not a reason to trust him: whoever orders may have the fee signed by anybody, so also by himself.

What holds afterwards: the signer says that this job released these bytes. What does not follow stands in `not_proven`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from contract.provenance import OrderedAsset
from records.envelope import parse_envelope
from records.passport import job_of, manifest_digest_of, orders_of
from records.statement import Statement, StatementInvalid, Subject, parse_statement

NOT_PROVEN: Final = (
    "what the inputs were: they are salted digests, which only the owners of the datasets can open",
    "that the algorithm did what its description says",
)


class NotVerified(ValueError):
    """`rule` is the number of the rule that is broken, above."""

    def __init__(self, rule: int, text: str) -> None:
        super().__init__(text)
        self.rule = rule


@dataclass(frozen=True, slots=True)
class Signed:
    """A statement whose signatures hold. `signers`: checksum addresses."""

    statement: Statement
    signers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Passport:
    """A passport whose signatures hold. Whether its signers are trusted is a question of its own."""

    statement: Statement
    signers: tuple[str, ...]  # checksum addresses
    job_id: str


@dataclass(frozen=True, slots=True)
class Verified:
    """`files`: name as given, to the subject that it is."""

    passport: Passport
    signer: str
    files: Mapping[str, Subject]
    not_proven: tuple[str, ...] = NOT_PROVEN


def read_signed(encoded: bytes) -> Signed:
    """Rules 1 to 3, which hold for every statement. Raises NotVerified."""
    try:
        envelope = parse_envelope(encoded)
    except StatementInvalid as exc:
        raise NotVerified(1, str(exc)) from exc
    signers = envelope.signers()
    if len(signers) != len(envelope.signatures) or not signers:
        raise NotVerified(2, "a signature does not fit to the content, or is of another account than it names")
    try:
        statement = parse_statement(envelope.payload)
    except StatementInvalid as exc:
        raise NotVerified(3, str(exc)) from exc
    return Signed(statement, signers)


def read_passport(encoded: bytes) -> Passport:
    """Rules 1 to 4. Raises NotVerified."""
    signed = read_signed(encoded)
    try:
        job_id = job_of(signed.statement)
        manifest_digest_of(signed.statement)
        orders_of(signed.statement)
    except StatementInvalid as exc:
        raise NotVerified(4, str(exc)) from exc
    return Passport(signed.statement, signed.signers, job_id)


def verify(passport: Passport, files: Mapping[str, str], trusted: Collection[str]) -> Verified:
    """Rules 5 to 8. `files`: name to SHA-256, lower-case hex; `trusted`: checksum addresses. Raises NotVerified."""
    signer = next((each for each in passport.signers if each in trusted), None)
    if signer is None:
        said = ", ".join(trusted) or "nobody"
        raise NotVerified(5, f"it is signed by {', '.join(passport.signers)}; trusted is {said}")
    if not files:
        raise NotVerified(6, "there is no file to verify")
    by_digest: dict[str, list[Subject]] = {}
    for subject in passport.statement.subjects:
        by_digest.setdefault(subject.sha256, []).append(subject)
    names = {_last(subject.name) for subject in passport.statement.subjects}
    found = {}
    for name, sha256 in files.items():
        same = by_digest.get(sha256)
        if same is None:
            raise NotVerified(7, f"{name} is not among the files of the passport, or its content was changed")
        fitting = [subject for subject in same if _last(subject.name) == _last(name)]
        if not fitting and _last(name) in names:
            raise NotVerified(8, f"{name} has the content of {same[0].name}")
        found[name] = (fitting or same)[0]
    return Verified(passport, signer, found)


def require_paid(verified: Verified, fee_takers: Collection[str]) -> None:
    """Rule 9. `fee_takers`: checksum addresses to which the order `agreed_order` paid a fee. Raises NotVerified."""
    if verified.signer not in fee_takers:
        said = ", ".join(sorted(fee_takers)) or "nobody"
        raise NotVerified(9, f"the order that the passport names paid its fee to {said}, not to {verified.signer}")


def agreed_order(passport: Passport) -> OrderedAsset:
    """The order that paid for the job. Raises NotVerified."""
    request = passport.statement.predicate["buildDefinition"]["externalParameters"]
    orders = [each for each in orders_of(passport.statement) if each.order == request.get("agreementId")]
    if not orders:
        raise NotVerified(9, "the passport does not name the order that paid for the job")
    return orders[0]


def _last(path: str) -> str:
    return path.rpartition("/")[2]
