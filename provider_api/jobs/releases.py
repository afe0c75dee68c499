"""What owners of datasets are told about jobs on their data: what waits for them, and what has left."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from argo.client.records import Workflow
from contract import names
from contract.manifest import OWN_LOGS, Manifest, Summary
from ocean.addresses import canonical
from provider_api.http.errors import Refused
from provider_api.jobs.approvals import Approval
from provider_api.jobs.ends import summary_of

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


def listed(workflow: Workflow, did: str, approval: Approval | None) -> dict[str, Any]:
    """One line of the list: a job on one of the caller's datasets. Without approval nobody is asked: then what the
    rules let go has left."""
    summary = summary_of(workflow)
    held = approval is not None and approval.standing == "held"
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
    }


def shown(workflow: Workflow, manifest: Manifest, digest: str, approval: Approval, mine: set[str]) -> dict[str, Any]:
    """Everything that an owner decides about, and the manifest itself: what is signed is its digest, so whoever signs
    can see for himself that the files are those."""
    return {
        "jobId": workflow.name,
        "standing": approval.standing,
        "until": int(approval.until),
        "manifestDigest": digest,
        "manifest": manifest.encoded().decode(),
        "datasets": [_dataset(did, approval, mine=did in mine) for did in approval.datasets],
        "files": [
            {"path": file.path, "filesize": file.filesize, "sha256": file.sha256, "type": file.type}
            for file in manifest.files
            if file.type not in OWN_LOGS
        ],
    }


def _dataset(did: str, approval: Approval, *, mine: bool) -> dict[str, Any]:
    decision = approval.decided.get(did)
    standing = "waiting" if decision is None else "released" if decision.released else "refused"
    reason = {"reason": decision.reason} if decision is not None and decision.reason else {}
    return {"documentId": did, "mine": mine, "standing": standing, **reason}


def _standing(summary: Summary | None) -> str:
    return "refused" if summary is None or summary.withheld else "released"


def _amounts(summary: Summary | None) -> dict[str, int | None]:
    """None where the list is too long to stand in Argo's record: the manifest has it."""
    if summary is None or summary.files is None:
        return {"files": None, "bytes": None}
    files = [file for file in summary.files if file.type not in OWN_LOGS]
    return {"files": len(files), "bytes": sum(file.filesize for file in files)}
