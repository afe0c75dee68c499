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
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Final, Protocol

import structlog

from argo.client.errors import ArgoError, ArgoRefused, WorkflowFinished, WorkflowNotFound
from argo.client.records import Workflow
from contract import names
from provider_api.environments.catalogue import Environments, Snapshot
from provider_api.environments.environment import Environment

log = structlog.get_logger(__name__)

LOOK_SECONDS: Final = 1.0  # between two looks at an environment with suspended jobs
SHARE: Final = 10  # a look that takes long is followed by a pause of so many times its duration
MOST_PAUSE_SECONDS: Final = 5.0  # but not longer, for a place may be empty
SWEEP_SECONDS: Final = 30.0  # between two looks at all jobs, of whatever environment
_ALL: Final = ""  # stands for a look at all of them where environments have their names


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
        self._next_sweep = 0.0  # monotonic

    @property
    def suspended(self) -> Mapping[str, int]:
        """How many jobs were suspended when last looked at, by environment."""
        return self._suspended

    def expect(self, environment: str) -> None:
        """A job of that environment has been suspended, just now."""
        self._suspended.setdefault(environment, 1)

    async def run(self) -> None:
        """Look for ever; what goes wrong is logged. End it by cancelling."""
        try:
            while True:
                with suppress(ArgoError):  # the environments' own refreshing tells it
                    self._begin_looks(await self._environments.current())
                await asyncio.sleep(LOOK_SECONDS)
        finally:
            for look in self._looks.values():
                look.cancel()
            await asyncio.gather(*self._looks.values(), return_exceptions=True)

    async def look(self, environment: Environment) -> int:
        """Resume whose turn it is; how many these are. One that is stopped needs no place. Raises ArgoError."""
        unfinished = await self._argo.brief({names.ENVIRONMENT: environment.id})
        free = _free(environment, sum(map(_in_line, unfinished)))
        suspended = in_turn(unfinished)
        self._note(environment.id, len(suspended))
        resumed = 0
        for job in suspended:
            if (job.shutdown or free > 0) and await self._resume(job):
                resumed += 1
                free -= not job.shutdown
        self._note(environment.id, len(suspended) - resumed)
        return resumed

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

    def _begin_looks(self, snapshot: Snapshot) -> None:
        for name, environment in snapshot.environments.items():
            if name in self._suspended or snapshot.jobs[name] > places_in_line(environment):
                self._begin(name, partial(self.look, environment))
        if time.monotonic() >= self._next_sweep:
            self._next_sweep = time.monotonic() + SWEEP_SECONDS
            self._begin(_ALL, partial(self.sweep, snapshot))

    def _begin(self, environment: str, look: Callable[[], Awaitable[object]]) -> None:
        """Look in the background, unless such a look is under way or has just been made."""
        if (before := self._looks.get(environment)) is None or before.done():
            self._looks[environment] = asyncio.create_task(_look_and_pause(environment, look))

    def _note(self, environment: str, suspended: int) -> None:
        if suspended:
            self._suspended[environment] = suspended
        else:
            self._suspended.pop(environment, None)

    async def _resume(self, job: Workflow) -> bool:
        """Raises ArgoUnavailable. One that Argo refuses to resume is told, and keeps no other from its turn."""
        try:
            await self._argo.resume(job.name)
        except (WorkflowFinished, WorkflowNotFound):
            return True  # it was deleted meanwhile
        except ArgoRefused as exc:
            log.warning("job_not_resumed", job_id=job.name, status=exc.status, message=exc.message)
            return False
        log.info("job_resumed", job_id=job.name, environment=job.labels.get(names.ENVIRONMENT, ""))
        return True


def pause_after(seconds: float) -> float:
    """How long no other look begins after one that took so long."""
    return min(max(LOOK_SECONDS, SHARE * seconds), MOST_PAUSE_SECONDS)


async def _look_and_pause(environment: str, look: Callable[[], Awaitable[object]]) -> None:
    began = time.monotonic()
    try:
        await look()
    except ArgoError as exc:
        log.warning("turns_not_given", environment=environment, reason=type(exc).__name__)
    except Exception:
        log.exception("turns_not_given", environment=environment)
    await asyncio.sleep(pause_after(time.monotonic() - began) - LOOK_SECONDS)
