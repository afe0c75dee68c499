"""What owners of datasets are told about jobs on their data: what waits for them, and what has left."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from argo.client.records import Workflow
from contract import names
from contract.manifest import OWN_LOGS, Manifest, Summary
from ocean.addresses import canonical
from provider_api.http.errors import Refused
from provider_api.jobs.approvals import Approval
from provider_api.jobs.ends import summary_of
from provider_api.jobs.start_record import record_of

Owns = Callable[[str], Awaitable[bool]]  # whether the caller owns the asset of a DID


def owner_check(owner_of: Callable[[str], Awaitable[str]], caller: str) -> Owns:
    """Each asset is asked for once. One that is no longer found belongs to nobody here."""
    known: dict[str, bool] = {}

    async def owns(did: str) -> bool:
        if did not in known:
            try:
                known[did] = canonical(await owner_of(did)) == caller
            except Refused:
                known[did] = False
        return known[did]

    return owns


def listed(workflow: Workflow, did: str, approval: Approval | None, program: str) -> dict[str, Any]:
    """One line of the list: a job on one of the caller's datasets. Without approval nobody is asked: then what the
    rules let go has left. `program`: the digest of what ran, "" for what cannot be trusted by it."""
    summary = summary_of(workflow)
    held = approval is not None and approval.standing == "held"
    word = None if approval is None else approval.decided.get(did)
    return {
        "jobId": workflow.name,
        "documentId": did,
        "standing": _standing(summary) if approval is None else approval.standing,
        "until": int(approval.until) if approval is not None and held else None,
        "environment": workflow.labels.get(names.ENVIRONMENT, ""),
        "consumer": workflow.annotations.get(names.OWNER_TEXT, ""),
        "algorithm": workflow.annotations.get(names.ALGORITHM_DID, ""),
        "finishedAt": None if workflow.finished_at is None else str(int(workflow.finished_at.timestamp())),
        **_amounts(summary),
        "program": program,
        "byTrust": word is not None and word.by == "trust",
    }


@dataclass(frozen=True, slots=True)
class Release:
    """Results that owners decide about, as one of them sees them. `trusted_until`: by DID of his datasets, until when
    he trusts the algorithm."""

    workflow: Workflow
    manifest: Manifest
    digest: str  # of the manifest
    approval: Approval
    program: str  # as above
    mine: frozenset[str]
    trusted_until: Mapping[str, int]

    def document(self) -> dict[str, Any]:
        """Everything that is decided about, and the manifest itself: what is signed is its digest, so whoever signs
        can see for himself that the files are those."""
        return {
            "jobId": self.workflow.name,
            "standing": self.approval.standing,
            "until": int(self.approval.until),
            "manifestDigest": self.digest,
            "manifest": self.manifest.encoded().decode(),
            "program": self.program,
            "ownersLook": may_look(self.workflow),
            "datasets": [self._dataset(did) for did in self.approval.datasets],
            "files": [
                {
                    "index": file.index,
                    "path": file.path,
                    "filesize": file.filesize,
                    "sha256": file.sha256,
                    "type": file.type,
                }
                for file in self.manifest.files
                if file.type not in OWN_LOGS
            ],
        }

    def _dataset(self, did: str) -> dict[str, Any]:
        word = self.approval.decided.get(did)
        standing = "waiting" if word is None else "released" if word.released else "refused"
        return {
            "documentId": did,
            "mine": did in self.mine,
            "standing": standing,
            **({"reason": word.reason} if word is not None and word.reason else {}),
            **({"byTrust": True} if word is not None and word.by == "trust" else {}),
            **({"trustedUntil": self.trusted_until[did]} if did in self.trusted_until else {}),
        }


def may_look(workflow: Workflow) -> bool:
    """Whether owners who decide on the results of a job may get the files while they wait."""
    record = record_of(workflow)
    return record is not None and record.release.owners_look is True


def _standing(summary: Summary | None) -> str:
    return "refused" if summary is None or summary.withheld else "released"


def _amounts(summary: Summary | None) -> dict[str, int | None]:
    """None where the list is too long to stand in Argo's record: the manifest has it."""
    if summary is None or summary.files is None:
        return {"files": None, "bytes": None}
    files = [file for file in summary.files if file.type not in OWN_LOGS]
    return {"files": len(files), "bytes": sum(file.filesize for file in files)}
