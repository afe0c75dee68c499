"""The job as consumers see it. Keys in the order of Ocean Provider's answer, then ours, which old clients ignore."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from argo.client.records import Workflow
from contract import names
from ocean.kit.digits import number_or_zero
from provider_api.jobs.status import JobStatus

ResultEntries = Sequence[dict[str, Any]]


def job_object(
    workflow: Workflow,
    status: JobStatus,
    results: ResultEntries,
    queue_position: int | None,
    results_did: str | None = None,
) -> dict[str, Any]:
    """`results` is "" (text) until something is published; never a URL. Dates are Unix seconds as text. `resultsDid` is
    there only if the outputs have become an asset: clients' tests want no such key in other jobs. So is `detail` only
    where there is more to say: what the job waits for, which image it did not get, which limit it exceeded.

    `queue_position`: 1 is next; None for a job that does not wait.
    """
    notes = workflow.annotations
    answer: dict[str, Any] = {
        "agreementId": notes.get(names.AGREEMENT_ID, ""),
        "jobId": workflow.name,
        "owner": notes.get(names.OWNER_TEXT) or workflow.labels.get(names.OWNER, ""),
        "status": status.number,
        "statusText": f"{status.text}: {status.detail}" if status.detail and not status.finished else status.text,
        "dateCreated": _seconds(workflow.created_at),
        "dateFinished": _seconds(status.finished_at),
        "results": list(results) if results else "",
        "stopreq": status.stop_requested,
        "removed": status.removed,
        "algoDID": notes.get(names.ALGORITHM_DID, ""),
        "inputDID": _list(notes.get(names.INPUT_DIDS, "")),
        "environment": workflow.labels.get(names.ENVIRONMENT, ""),
        "chainId": number_or_zero(workflow.labels.get(names.CHAIN, "")),
        "validUntil": number_or_zero(notes.get(names.VALID_UNTIL, "")),
        "startedAt": _seconds(status.started_at),
        "exitCode": status.exit_code,
        "reason": status.reason,
    }
    if status.detail:
        answer["detail"] = status.detail
    if results_did:
        answer["resultsDid"] = results_did
    if status.waiting and queue_position is not None:
        answer["queuePosition"] = queue_position
    return answer


def _seconds(moment: datetime | None) -> str | None:
    return None if moment is None else f"{moment.timestamp():.6f}"


def _list(text: str) -> list[str]:
    try:
        found = json.loads(text) if text else []
    except ValueError:
        return []
    return [str(item) for item in found] if isinstance(found, list) else []
