"""What a step of a job has printed: live while its pod is there, afterwards as it was published.

Of an algorithm whose results pass a filter, only what was published; of one with release rules no more than they let
be shown at once.
"""

from __future__ import annotations

from argo.client.records import Workflow
from contract import names
from contract.provenance import read_start_record
from provider_api.jobs.records import Argo
from provider_api.jobs.results import ResultStore

LOG_BYTES = 1024 * 1024  # of a log that is shown


async def printed(argo: Argo, results: ResultStore, job: Workflow, step: str) -> str | None:
    """The beginning of its log, as far as logs are shown; None if it has none. Raises ArgoError, NeighbourAway,
    NeighbourFailed."""
    most = live_log_bytes(job) if step == names.ALGORITHM else LOG_BYTES
    if not job.finished and most > 0:
        found = bytearray()
        async for line in argo.follow_log(job.name, step, follow=False):
            found += line.encode() + b"\n"
            if len(found) > most:
                break
        if found:
            return found[:most].decode(errors="ignore")
    return await results.log(job, step, LOG_BYTES)


def live_log_bytes(job: Workflow) -> int:
    """How much of an algorithm's log may be shown while nothing has been judged."""
    if job.annotations.get(names.FILTERED) == "true":
        return 0
    said = job.annotations.get(names.RECORD, "")
    record = read_start_record(said)
    if record is None:
        return 0 if said else LOG_BYTES  # a record that cannot be read may hold rules
    most = record.release.live_log_bytes
    return LOG_BYTES if most is None else min(most, LOG_BYTES)
