"""Resumes the jobs that await their turn, each when it is its turn (`places` says who and when).

Nothing is remembered: who waits and whose turn it is follows from a list of Argo's. So several processes may do this at
the same time; to resume a job again changes nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Final

import structlog

from argo.client.errors import ArgoError, ArgoRefused, WorkflowFinished, WorkflowNotFound
from argo.client.records import Workflow
from contract import names
from provider_api.environments.catalogue import Environments, Snapshot
from provider_api.environments.environment import Environment
from provider_api.jobs.places import in_turn, is_in_line, places_in_line
from provider_api.jobs.queues import AWAITING, SHARE, EnvironmentQueues
from provider_api.jobs.records import Argo

log = structlog.get_logger(__name__)

LOOK_SECONDS: Final = 1.0  # between two looks at an environment in which somebody awaits a turn
MOST_PAUSE_SECONDS: Final = 5.0  # but not longer, for a place may be empty
SWEEP_SECONDS: Final = 30.0  # between two looks at all unfinished jobs, of whatever environment
_ALL: Final = ""  # stands for a look at all of them where environments have their names


def _free(environment: Environment, in_line: int) -> int:
    """How many may be resumed now. The one that will wait in Argo's queue is chosen when all others have got their
    places, so that it does not pass one of them."""
    return max(environment.max_jobs - in_line, 0) or max(places_in_line(environment) - in_line, 0)


class Turns:
    """One for each process; no environment waits for another."""

    def __init__(self, argo: Argo, environments: Environments, queues: EnvironmentQueues) -> None:
        self._argo, self._environments, self._queues = argo, environments, queues
        self._waiting: dict[str, int] = {}  # by environment, when last looked at; those without any are left out
        self._looks: dict[str, asyncio.Task[None]] = {}
        self._next_sweep = 0.0  # monotonic

    @property
    def waiting(self) -> Mapping[str, int]:
        """How many jobs awaited their turn when last looked at, by environment."""
        return self._waiting

    def expect(self, environment: str) -> None:
        """A job of that environment awaits its turn, from just now."""
        self._waiting.setdefault(environment, 1)

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
        """Resume whose turn it is; how many these are. Raises ArgoError."""
        awaiting = await self._queues.awaiting(environment.id)
        left = await self._queues.left_to_argo(environment.id)  # asked for last: it decides
        free = _free(environment, sum(map(is_in_line, left)))
        waiting = in_turn(left, awaiting)
        self._note(environment.id, len(waiting))
        resumed = 0
        for job in waiting:
            if resumed == free:
                break
            resumed += await self._resume(job)
        self._note(environment.id, len(waiting) - resumed)
        return resumed

    async def sweep(self, snapshot: Snapshot) -> None:
        """Find what nobody here has made to wait. A job whose environment is not announced any more goes on at once:
        its workflow has a copy of the template, and Argo knows the limit. Raises ArgoError."""
        began = time.monotonic()
        found = await self._argo.brief({names.ENVIRONMENT: names.ANY, **AWAITING}, skip_unreachable=True)
        now = time.monotonic()
        self._next_sweep = now + max(SWEEP_SECONDS, SHARE * (now - began))
        for job in found:
            environment = job.labels.get(names.ENVIRONMENT, "")
            if environment in snapshot.environments:
                self.expect(environment)
            elif snapshot.complete:
                await self._resume(job)

    def _begin_looks(self, snapshot: Snapshot) -> None:
        for name, environment in snapshot.environments.items():
            if name in self._waiting or snapshot.jobs[name] > places_in_line(environment):
                self._begin(name, partial(self.look, environment))
        if time.monotonic() >= self._next_sweep:
            self._next_sweep = time.monotonic() + SWEEP_SECONDS
            self._begin(_ALL, partial(self.sweep, snapshot))

    def _begin(self, environment: str, look: Callable[[], Awaitable[object]]) -> None:
        """Look in the background, unless such a look is under way or has just been made."""
        if (before := self._looks.get(environment)) is None or before.done():
            self._looks[environment] = asyncio.create_task(_look_and_pause(environment, look))

    def _note(self, environment: str, waiting: int) -> None:
        if waiting:
            self._waiting[environment] = waiting
        else:
            self._waiting.pop(environment, None)

    async def _resume(self, job: Workflow) -> bool:
        """Raises ArgoUnavailable. One that Argo refuses to resume is told, and keeps no other from its turn."""
        try:
            self._queues.resumed(job)
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
