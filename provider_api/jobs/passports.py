"""A finished job's passport (`records.passport`): made of Argo's record, the list of results and the service's key.

Nothing is stored for it. It is the same at each asking, because an Ethereum signature is, and nothing else in it
changes once a job is over.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import takewhile

from argo.client.records import Workflow
from contract import names
from contract.manifest import OWN_LOGS, FileSummary, ResultFile
from contract.provenance import Provisioned, StartRecord
from ocean.keys import Key
from ocean.kit.digits import number_or_zero
from provider_api.jobs.approvals import Approval, with_approval
from provider_api.jobs.status import JobStatus, status_of
from records.envelope import envelope_bytes, sign_payload
from records.passport import PASSPORT_NAME, PASSPORT_TYPE, JobFacts, ReleasedFile, Step, passport_of

_STEPS = (names.TURN, names.CONFIGURATION, names.ALGORITHM, names.FILTERING, names.PUBLISHING)
_CONTENT_TYPE = "application/vnd.dsse.envelope.v1+json"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What publishing told of a job, with a digest for each file."""

    manifest_digest: str
    files: Sequence[ResultFile | FileSummary]
    provisioned: Provisioned | None

    def visible(self, approval: Approval | None) -> Outcome:
        """Without what waits for its owners, or was refused: only the logs of our own steps are there. They come first
        in the list of such a job, so their indices are the same."""
        if approval is None or approval.standing == "released":
            return self
        own = tuple(takewhile(lambda file: file.type in OWN_LOGS, self.files))
        return replace(self, files=own)


@dataclass(frozen=True, slots=True)
class PassportFile:
    """The passport as a result: of the same form as those that lie in the store, but with its content."""

    index: int
    filename: str
    filesize: int
    sha256: str
    type: str
    content_type: str
    content: bytes


def passport_size(workflow: Workflow, record: StartRecord, outcome: Outcome, approval: Approval | None) -> int:
    """Bytes of the passport, which is not signed for this."""
    return envelope_bytes(len(_payload(workflow, record, outcome, approval)))


def passport_file(
    workflow: Workflow, record: StartRecord, outcome: Outcome, approval: Approval | None, key: Key
) -> PassportFile:
    content = sign_payload(_payload(workflow, record, outcome, approval), key).encoded()
    return PassportFile(
        index=len(outcome.files),
        filename=PASSPORT_NAME,
        filesize=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        type=PASSPORT_TYPE,
        content_type=_CONTENT_TYPE,
        content=content,
    )


def is_over(workflow: Workflow, approval: Approval | None) -> bool:
    """Whether nothing of the job will change any more."""
    return _status(workflow, approval).finished


def _status(workflow: Workflow, approval: Approval | None) -> JobStatus:
    return with_approval(status_of(workflow, now=datetime.now(UTC)), approval)


def _payload(workflow: Workflow, record: StartRecord, outcome: Outcome, approval: Approval | None) -> bytes:
    status = _status(workflow, approval)
    notes = workflow.annotations
    return passport_of(
        JobFacts(
            job_id=workflow.name,
            start=record,
            environment=workflow.labels.get(names.ENVIRONMENT, ""),
            consumer=notes.get(names.OWNER_TEXT, ""),
            agreement_id=notes.get(names.AGREEMENT_ID, ""),
            valid_until=number_or_zero(notes.get(names.VALID_UNTIL, "")),
            image=notes.get(names.IMAGE, ""),
            filtered=notes.get(names.FILTERED) == "true",
            manifest_digest=outcome.manifest_digest,
            files=[ReleasedFile(file.path, file.sha256, file.type != "output") for file in outcome.files],
            provisioned=outcome.provisioned,
            steps=list(_steps(workflow)),
            created=workflow.created_at,
            finished=status.finished_at or workflow.created_at,
            status=status.number,
            reason=status.reason,
            exit_code=status.exit_code,
            stop_requested=status.stop_requested,
        )
    ).encoded()


def _steps(workflow: Workflow) -> list[Step]:
    nodes = [(name, workflow.node(name)) for name in _STEPS]
    return [Step(name, node.phase, node.started_at, node.finished_at) for name, node in nodes if node is not None]
