"""What the owner of a dataset says about an algorithm, once for many jobs: its results are released until a day that he
names, or, from now on, are not.

A verdict (`records.verdict`) whose subject is the digest of what runs: image, entrypoint and files
(`contract.provenance.program_digest`), so that one changed byte of it is another algorithm. What consumers send along
with a job, its parameters, is not part of it. The owner signs it; the service that keeps it signs it once more, which
says that the signer owned the dataset's NFT when it was received.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from records.statement import Statement, StatementInvalid, Subject
from records.verdict import Verdict, read_time, statement_of_verdict, verdict_of, written_time

TRUSTED: Final = "C2D_TRUSTED"
WITHDRAWN: Final = "C2D_WITHDRAWN"
SUBJECT: Final = "algorithm"
MOST_SECONDS: Final = 366 * 86_400  # from the statement to its end


@dataclass(frozen=True, slots=True)
class Trust:
    """`program`: lower-case hex; `account`: checksum address of the owner; `at` and `until`: Unix seconds; `job_id`:
    the job of this algorithm that the owner has seen. `until` None: trust in it is withdrawn, and no job is named."""

    program: str
    did: str
    account: str
    at: int
    until: int | None
    job_id: str = ""

    def covers(self, did: str, program: str, ended: float) -> bool:
        """Whether results of a job of this algorithm on this dataset that ended then are released by it."""
        return (
            self.until is not None
            and program != ""
            and (self.did, self.program) == (did, program)
            and self.at <= ended <= self.until
        )


def statement_of_trust(trust: Trust) -> Statement:
    return statement_of_verdict(
        Verdict(
            Subject(SUBJECT, trust.program),
            trust.account,
            trust.at,
            WITHDRAWN if trust.until is None else TRUSTED,
            trust.did,
            {} if trust.until is None else {"c2d_until": written_time(trust.until), "c2d_job": trust.job_id},
        )
    )


def is_trust(statement: Statement) -> bool:
    """Whether it is meant as one, well formed or not."""
    return [each.name for each in statement.subjects] == [SUBJECT]


def trust_of(statement: Statement) -> Trust:
    """Raises StatementInvalid for a statement that is none, or leaves anything of it open."""
    said = verdict_of(statement, SUBJECT, (TRUSTED, WITHDRAWN))
    trust = Trust(said.subject.sha256, said.did, said.account, said.at, None)
    if said.said == WITHDRAWN:
        if "c2d_until" in said.more:
            raise StatementInvalid("what is withdrawn has no end")
        return trust
    try:
        until, job_id = read_time(said.more["c2d_until"]), said.more["c2d_job"]
    except (KeyError, TypeError, ValueError):
        raise StatementInvalid("trust does not say until when, or on sight of which job") from None
    if not isinstance(job_id, str) or not job_id:
        raise StatementInvalid("trust does not name the job on whose sight it is given")
    if not said.at < until <= said.at + MOST_SECONDS:
        raise StatementInvalid(f"trust ends after it begins, and at most {MOST_SECONDS // 86_400} days later")
    return replace(trust, until=until, job_id=job_id)
