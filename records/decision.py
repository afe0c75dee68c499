"""What the owner of a dataset decides on a job's results: they are released, or refused.

An in-toto statement whose predicate is a Simple Verification Result (https://in-toto.io/attestation/svr/v0.1) and whose
subject is the manifest of the job, so that it is about these results and no others. The owner signs it; the service
that keeps it signs it once more, which says that the signer owned the dataset's NFT when it was received.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from contract.manifest import MANIFEST_NAME
from ocean.addresses import AddressInvalid, checksum
from ocean.did import is_did
from records.statement import VERDICT, Statement, StatementInvalid, Subject

RELEASED: Final = "C2D_RELEASED"
REFUSED: Final = "C2D_REFUSED"
MOST_REASON: Final = 500  # characters
_ACCOUNT: Final = "ethereum:"
_FORM: Final = "%Y-%m-%dT%H:%M:%SZ"


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
    return Statement(
        (Subject(MANIFEST_NAME, decision.manifest_digest),),
        VERDICT,
        {
            "verifier": {"id": _ACCOUNT + decision.account},
            "timeVerified": datetime.fromtimestamp(decision.at, UTC).strftime(_FORM),
            "properties": [RELEASED if decision.released else REFUSED],
            "c2d_job": decision.job_id,
            "c2d_dataset": decision.did,
            **({"c2d_reason": decision.reason} if decision.reason else {}),
        },
    )


def decision_of(statement: Statement) -> Decision:
    """Raises StatementInvalid for a statement that is no decision, or leaves anything of it open."""
    if statement.predicate_type != VERDICT:
        raise StatementInvalid("this is no verification result")
    if len(statement.subjects) != 1 or statement.subjects[0].name != MANIFEST_NAME:
        raise StatementInvalid(f"a decision is about one {MANIFEST_NAME} and nothing else")
    said = statement.predicate
    try:
        account, moment = said["verifier"]["id"], datetime.strptime(said["timeVerified"], _FORM).replace(tzinfo=UTC)
        properties, job_id, did, reason = (
            said["properties"],
            said["c2d_job"],
            said["c2d_dataset"],
            said.get("c2d_reason", ""),
        )
        named = _ACCOUNT + checksum(account.removeprefix(_ACCOUNT))
    except (KeyError, TypeError, ValueError, AttributeError, AddressInvalid):
        raise StatementInvalid("a decision lacks its owner, its time, its verdict, its job or its dataset") from None
    if account != named:
        raise StatementInvalid("the owner is not named by a checksum address")
    if properties not in ([RELEASED], [REFUSED]):
        raise StatementInvalid(f"a decision is either {RELEASED} or {REFUSED}")
    if not isinstance(job_id, str) or not job_id or not is_did(did):
        raise StatementInvalid("a decision does not name its job and its dataset")
    if not isinstance(reason, str) or len(reason) > MOST_REASON:
        raise StatementInvalid(f"a reason is a text of at most {MOST_REASON} characters")
    return Decision(
        job_id=job_id,
        manifest_digest=statement.subjects[0].sha256,
        did=did,
        account=account.removeprefix(_ACCOUNT),
        released=properties == [RELEASED],
        at=int(moment.timestamp()),
        reason=reason,
    )
