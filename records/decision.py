"""What the owner of a dataset decides on a job's results: they are released, or refused.

A verdict (`records.verdict`) whose subject is the manifest of the job, so that it is about these results and no others.
The owner signs it; the service that keeps it signs it once more, which says that the signer owned the dataset's NFT
when it was received.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from contract.manifest import MANIFEST_NAME
from records.statement import Statement, StatementInvalid, Subject
from records.verdict import Verdict, statement_of_verdict, verdict_of

RELEASED: Final = "C2D_RELEASED"
REFUSED: Final = "C2D_REFUSED"
MOST_REASON: Final = 500  # characters


@dataclass(frozen=True, slots=True)
class Decision:
    """`account`: checksum address of the owner; `at`: Unix seconds; `manifest_digest`: lower-case hex."""

    job_id: str
    manifest_digest: str
    did: str
    account: str
    released: bool
    at: int
    reason: str = ""


def statement_of(decision: Decision) -> Statement:
    return statement_of_verdict(
        Verdict(
            Subject(MANIFEST_NAME, decision.manifest_digest),
            decision.account,
            decision.at,
            RELEASED if decision.released else REFUSED,
            decision.did,
            {"c2d_job": decision.job_id, **({"c2d_reason": decision.reason} if decision.reason else {})},
        )
    )


def decision_of(statement: Statement) -> Decision:
    """Raises StatementInvalid for a statement that is no decision, or leaves anything of it open."""
    said = verdict_of(statement, MANIFEST_NAME, (RELEASED, REFUSED))
    job_id, reason = said.more.get("c2d_job"), said.more.get("c2d_reason", "")
    if not isinstance(job_id, str) or not job_id:
        raise StatementInvalid("a decision does not name its job")
    if not isinstance(reason, str) or len(reason) > MOST_REASON:
        raise StatementInvalid(f"a reason is a text of at most {MOST_REASON} characters")
    return Decision(job_id, said.subject.sha256, said.did, said.account, said.said == RELEASED, said.at, reason)
