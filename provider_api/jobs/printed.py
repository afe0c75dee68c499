"""What a step of a job has printed: live while its pod is there, afterwards as it was published.

Of an algorithm whose results pass a filter, only what was published; of one with release rules no more than they let
be shown at once.
"""

from __future__ import annotations

from argo.client.records import Workflow
from contract import names
from provider_api.jobs.live.log_rule import log_rule
from provider_api.jobs.records import Argo
from provider_api.jobs.results import ResultStore

LOG_BYTES = 1024 * 1024  # of a log that is shown


async def printed(argo: Argo, results: ResultStore, job: Workflow, step: str) -> str | None:
    """The beginning of its log, as far as logs are shown; None if it has none. Raises ArgoError, NeighbourAway,
    NeighbourFailed."""
    most = log_rule(job, LOG_BYTES).most if step == names.ALGORITHM else LOG_BYTES
    if not job.finished and most > 0:
        found = bytearray()
        async for line in argo.follow_log(job.name, step, follow=False):
            found += line.encode() + b"\n"
            if len(found) > most:
                break
        if found:
            return found[:most].decode(errors="ignore")
    return await results.log(job, step, LOG_BYTES)
