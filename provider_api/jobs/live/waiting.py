"""How long a job may have to wait for its place: an honest range, not a guess.

Any job may end in the next moment, so the least is 0. The most is what it takes if every job that has a place, and
every one that is let in before, computes for as long as it may: its environment's `maxJobDuration`, and no longer than
it is paid for. It leaves out what downloads and pulled images take, and who may come: accounts take turns, so the first
job of another account may be let in before the second one of this (docs/decisions/0043).
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from typing import Any

from argo.client.records import Workflow
from contract import names
from ocean.kit.digits import number_or_zero
from provider_api.environments.environment import Environment
from provider_api.jobs.places import Line

ROUND_SECONDS = 5  # to whole ones of these, upwards: viewers need not be told each second


def place_of(line: Line, environment: Environment | None, now: float) -> Mapping[str, Any]:
    """What viewers are told. `environment`: None where it is no longer announced, so that nothing is known of it.
    `now`: Unix seconds."""
    most = None if environment is None else _most_seconds(line, environment, now)
    return {"place": line.place, "lowSeconds": None if most is None else 0, "highSeconds": most}


def _most_seconds(line: Line, environment: Environment, now: float) -> int:
    """Each place as the moment when it is free at the latest; whoever waits takes the first one."""
    ends = [_latest_end(job, environment, now) for job in line.inside]
    free = [now] * (environment.max_jobs - len(ends))
    places = sorted(ends + free)[: max(1, environment.max_jobs)] or [now]
    heapq.heapify(places)
    for job in line.before:
        begins = places[0]
        heapq.heapreplace(places, max(begins, min(begins + environment.max_job_duration, _paid_until(job))))
    seconds = max(0.0, places[0] - now)
    return int(-(-seconds // ROUND_SECONDS) * ROUND_SECONDS)


def _latest_end(job: Workflow, environment: Environment, now: float) -> float:
    algorithm = job.node(names.ALGORITHM)
    began = None if algorithm is None else algorithm.started_at
    latest = (now if began is None else began.timestamp()) + environment.max_job_duration
    return max(now, min(latest, _paid_until(job)))


def _paid_until(job: Workflow) -> float:
    """Unix seconds; infinity where there is no end, or none is known."""
    return number_or_zero(job.annotations.get(names.VALID_UNTIL, "")) or float("inf")
