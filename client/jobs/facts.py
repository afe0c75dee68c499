"""A job as the provider describes it, of any version: what it is doing, whether it is over, and how it ended."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from client.exits import Exit

Job = Mapping[str, Any]

_SENTENCES: Final = {
    "completed": "it has finished",
    "asset_not_published": "it has finished, but its results did not become an asset: see the publishing log",
    "stopped": "it was stopped; what was there is published",
    "revoked": "it was deleted; nothing was published",
    "time_limit": "the environment's longest run was over; what was there is published",
    "paid_time_over": "the paid time was over; what was there is published",
    "data_unavailable": "a dataset could not be fetched: see the configuration's log",
    "algorithm_unavailable": "the algorithm could not be fetched: see the configuration's log",
    "algorithm_failed": "the algorithm ended with exit code {exit}: see its log",
    "out_of_memory": "the algorithm needed more memory than the environment has",
    "out_of_disk": "the algorithm wrote more than it may",
    "image_unavailable": "the algorithm's image could not be had or started",
    "filtered": "the operator's filter keeps the results back",
    "withheld": "the results do not meet the release rules: see the publishing log",
    "refused": "an owner of a dataset has refused the results, or nobody decided in time",
    "upload_incomplete": "not all results could be stored; this is the operator's side",
    "lost": "it was lost on the operator's side; start it again",
    "configuration_failed": "it could not be set up, on the operator's side; start it again",
    "rejected_by_cluster": "the cluster did not take it, on the operator's side; start it again",
}


def is_over(job: Job) -> bool:
    """Whether nothing will change any more. Provider 2.1.6 and its operator say it by `dateFinished`, too."""
    return bool(job.get("dateFinished"))


def is_held(job: Job) -> bool:
    return isinstance(job.get("held"), Mapping)


def outcome(job: Job) -> Exit:
    """DONE for a job that has done what it should, HELD for one whose results wait, else FAILED."""
    if is_held(job):
        return Exit.HELD
    reason = job.get("reason")
    if reason:
        return Exit.DONE if reason in ("completed", "asset_not_published") else Exit.FAILED
    return Exit.DONE if job.get("status") == 70 else Exit.FAILED


def describe(job: Job) -> str:
    """One sentence: what it is doing, or how it ended."""
    if is_held(job):
        held = job["held"]
        until = held.get("until")
        moment = datetime.fromtimestamp(until, UTC).strftime("%Y-%m-%d %H:%M UTC") if isinstance(until, int) else ""
        last = f", until {moment} at the latest" if moment else ""
        return f"its results wait for the owners of {', '.join(str(did) for did in held.get('for', []))}{last}"
    if not is_over(job):
        place = f", place {job['queuePosition']} in the queue" if job.get("queuePosition") else ""
        return f"{job.get('statusText', '')}{place}"
    reason = str(job.get("reason") or "")
    detail = f" ({job['detail']})" if job.get("detail") else ""
    if reason not in _SENTENCES:
        return str(job.get("statusText") or "it is over") + detail
    return _SENTENCES[reason].format(exit=job.get("exitCode")) + detail


def results_of(job: Job) -> list[dict[str, Any]]:
    """Its results; [] until there are some, which the protocol says by an empty text."""
    found = job.get("results")
    return [dict(entry) for entry in found] if isinstance(found, list) else []
