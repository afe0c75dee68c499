"""How much of an algorithm's log may be shown before its results have been judged, and why no more."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Literal

from argo.client.records import Workflow
from contract import names
from contract.provenance import read_start_record
from provider_api.jobs.ends import summary_of
from provider_api.jobs.expiry import is_expired

# complete: that was all. limit: as much as may be shown. approval, filter, rules: none, because owners decide, a filter
# judges, release rules do not allow it. withheld: results did not pass. gone: Argo has it no more.
Why = Literal["", "complete", "limit", "approval", "filter", "rules", "withheld", "gone"]


@dataclass(frozen=True, slots=True)
class LogRule:
    """At most so many bytes; where these are 0, `why`."""

    most: int
    why: Why = ""


def log_rule(job: Workflow, most: int) -> LogRule:
    """`most`: of any log."""
    if job.annotations.get(names.FILTERED) == "true":
        return LogRule(0, "filter")
    if job.labels.get(names.APPROVAL) == "owner":
        return LogRule(0, "approval")
    said = job.annotations.get(names.RECORD, "")
    record = read_start_record(said)
    if record is None and said:
        return LogRule(0, "rules")  # a record that cannot be read may hold rules
    if record is not None and record.release.approval == "owner":
        return LogRule(0, "approval")
    allowed = None if record is None else record.release.live_log_bytes
    if allowed == 0:
        return LogRule(0, "rules")
    if job.finished and (after := _after_the_end(job)):
        return LogRule(0, after)
    return LogRule(most if allowed is None else min(allowed, most))


def _after_the_end(job: Workflow) -> Why:
    """Why nothing is shown any more, although it was shown while the job ran."""
    summary = summary_of(job)
    if summary is not None and summary.withheld:
        return "withheld"
    return "gone" if is_expired(job, time.time()) else ""
