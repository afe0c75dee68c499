"""Which jobs wait in Argo's queue, and which wait suspended, where waiting costs nothing.

Argo writes every workflow that waits for a semaphore anew whenever the semaphore changes: of n jobs that wait, each one
that ends costs n writes. So one waits there, to have a place at once when one gets free (`places_in_line`). A job that
comes when there is one is made suspended, with which the controller has nothing to do until it is resumed. `Turns`
resumes it.

Nothing is remembered: which jobs are suspended and whose turn it is follows from a list of Argo's. So several processes
may do this at the same time; to resume a job again changes nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from typing import Final, Protocol

import structlog

from argo.client.errors import ArgoError, WorkflowFinished, WorkflowNotFound
from argo.client.records import Workflow
from contract import names
from provider_api.environments.catalogue import Environments, Snapshot
from provider_api.environments.environment import Environment

log = structlog.get_logger(__name__)

LOOK_SECONDS: Final = 1.0  # between two looks at an environment with suspended jobs
SHARE: Final = 20  # a look that takes long is followed by a pause of so many times its duration
SWEEP_SECONDS: Final = 30.0  # between two looks at all jobs, of whatever environment


class Queue(Protocol):
    """What is asked of Argo here."""

    async def brief(self, labels: Mapping[str, str], *, skip_unreachable: bool = False) -> Sequence[Workflow]: ...

    async def resume(self, name: str) -> None: ...


def places_in_line(environment: Environment) -> int:
    """How many jobs of an environment are left to Argo before they have computed: those that run at once, and one more,
    which gets its place as soon as there is one. Of several that wait Argo would choose the one that was made first,
    whoever's it is."""
    return environment.max_jobs + 1


def _free(environment: Environment, in_line: int) -> int:
    """How many may be resumed now. The one that will wait is chosen when all others have got their places, so that it
    does not pass one of them."""
    return max(environment.max_jobs - in_line, 0) or max(places_in_line(environment) - in_line, 0)


def in_turn(unfinished: Collection[Workflow]) -> list[Workflow]:
    """The suspended ones of an environment's unfinished jobs, in the order in which they are resumed.

    Accounts take turns: a job comes after all that have fewer jobs of their account before them, running ones included.
    Of equals the older one comes first.
    """
    before = Counter(_account(job) for job in unfinished if _in_line(job))
    order: list[tuple[int, Workflow]] = []
    for job in sorted((job for job in unfinished if job.suspended), key=_age):
        order.append((before[_account(job)], job))
        before[_account(job)] += 1
    return [job for _, job in sorted(order, key=lambda item: (item[0], *_age(item[1])))]


def _in_line(job: Workflow) -> bool:
    """It runs, or waits in Argo's queue; one that has computed and is being published is in nobody's way."""
    return not job.suspended and not job.gave_back


def _age(job: Workflow) -> tuple[float, str]:
    return job.created_at.timestamp(), job.name


def _account(job: Workflow) -> str:
    return job.labels.get(names.OWNER, "")


class Turns:
    """Resumes suspended jobs when it is their turn. One for each process; no environment waits for another."""

    def __init__(self, argo: Queue, environments: Environments) -> None:
        self._argo, self._environments = argo, environments
        self._suspended: dict[str, int] = {}  # by environment, when last looked at; those without any are left out
        self._looks: dict[str, asyncio.Task[None]] = {}

    @property
    def suspended(self) -> Mapping[str, int]:
        """How many jobs were suspended when last looked at, by environment."""
        return self._suspended

    def expect(self, environment: str) -> None:
        """A job of that environment has been suspended, just now."""
        self._suspended.setdefault(environment, 1)

    async def run(self) -> None:
        """Look for ever; what goes wrong is logged. End it by cancelling."""
        next_sweep = time.monotonic()
        try:
            while True:
                with suppress(ArgoError):  # the environments' own refreshing tells it
                    snapshot = await self._environments.current()
                    for environment in snapshot.environments.values():
                        if self._worth_a_look(environment, snapshot):
                            self._begin(environment)
                    if time.monotonic() >= next_sweep:
                        next_sweep = time.monotonic() + SWEEP_SECONDS
                        await self.sweep(snapshot)
                await asyncio.sleep(LOOK_SECONDS)
        finally:
            for look in self._looks.values():
                look.cancel()
            await asyncio.gather(*self._looks.values(), return_exceptions=True)

    async def look(self, environment: Environment) -> int:
        """Resume whose turn it is; how many these are. One that is stopped needs no place. Raises ArgoError."""
        unfinished = await self._argo.brief({names.ENVIRONMENT: environment.id})
        waiting = in_turn(unfinished)
        free = _free(environment, sum(map(_in_line, unfinished)))
        stopped = [job for job in waiting if job.shutdown]
        waiting = [job for job in waiting if not job.shutdown]
        self._note(environment.id, len(waiting))
        for done, job in enumerate((*stopped, *waiting[:free])):
            await self._resume(job)
            self._note(environment.id, len(waiting) - max(0, done + 1 - len(stopped)))
        return len(stopped) + len(waiting[:free])

    async def sweep(self, snapshot: Snapshot) -> None:
        """Find what nobody here has suspended. A job whose environment is not announced any more goes on at once: its
        workflow has a copy of the template, and Argo knows the limit. Raises ArgoError."""
        for job in await self._argo.brief({names.ENVIRONMENT: names.ANY}, skip_unreachable=True):
            environment = job.labels.get(names.ENVIRONMENT, "")
            if not job.suspended:
                continue
            if environment in snapshot.environments:
                self.expect(environment)
            elif snapshot.complete:
                await self._resume(job)

    def _worth_a_look(self, environment: Environment, snapshot: Snapshot) -> bool:
        return environment.id in self._suspended or snapshot.jobs[environment.id] > places_in_line(environment)

    def _begin(self, environment: Environment) -> None:
        """Look in the background, unless a look at this environment is under way or has just been made."""
        if (look := self._looks.get(environment.id)) is None or look.done():
            self._looks[environment.id] = asyncio.create_task(self._look_and_pause(environment))

    async def _look_and_pause(self, environment: Environment) -> None:
        began = time.monotonic()
        try:
            await self.look(environment)
        except ArgoError as exc:
            log.warning("turns_not_given", environment=environment.id, reason=type(exc).__name__)
        except Exception:
            log.exception("turns_not_given", environment=environment.id)
        await asyncio.sleep(max(0.0, SHARE * (time.monotonic() - began) - LOOK_SECONDS))

    def _note(self, environment: str, suspended: int) -> None:
        if suspended:
            self._suspended[environment] = suspended
        else:
            self._suspended.pop(environment, None)

    async def _resume(self, job: Workflow) -> None:
        with suppress(WorkflowFinished, WorkflowNotFound):  # deleted meanwhile
            await self._argo.resume(job.name)
        log.info("job_resumed", job_id=job.name, environment=job.labels.get(names.ENVIRONMENT, ""))
