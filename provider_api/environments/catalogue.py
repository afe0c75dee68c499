"""Compute environments: Argo's templates, read in the background and served from memory.

Adding, changing or removing an environment is a change of templates; nothing here is configured. A template without a
consumer address or a box key is not announced: no order could name its consumer, no job spec could be sealed for it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

import structlog

from argo.client.errors import ArgoError, ArgoUnavailable
from argo.client.records import FIRST_SERVER, Template, Workflow
from contract import names
from ocean.addresses import canonical
from ocean.kit.single_flight import SingleFlight
from ocean.kit.together import together
from provider_api.environments.announced import TemplateUnusable
from provider_api.environments.environment import Environment

log = structlog.get_logger(__name__)

REFRESH_SECONDS = 2.0
MAX_AGE_SECONDS = 5.0


class TemplateReader(Protocol):
    """What is asked of Argo here."""

    @property
    def unreachable_servers(self) -> Collection[str]: ...  # servers that did not answer that

    async def templates(self) -> list[Template]: ...

    async def count(self, labels: Mapping[str, str], *, unfinished_only: bool = False) -> int: ...


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What Argo said at `taken_at` (Unix seconds). `environments`: in the order in which they are announced. `jobs`:
    unfinished jobs by environment. `complete`: all servers have answered, so there are no other environments."""

    environments: Mapping[str, Environment]
    jobs: Mapping[str, int]
    complete: bool
    taken_at: float
    _clock: float  # monotonic

    def age_seconds(self) -> float:
        return time.monotonic() - self._clock


class Environments:
    """The snapshot and its keeping. `run` refreshes for ever; a reader that finds it too old refreshes itself."""

    def __init__(self, argo: TemplateReader, good_round: Callable[[], None] = lambda: None) -> None:
        self._argo, self._good_round = argo, good_round
        self._snapshot: Snapshot | None = None
        self._refreshing = SingleFlight[None, Snapshot]()
        self._unusable: set[tuple[str, str]] = set()

    @property
    def last(self) -> Snapshot | None:
        """What was known when last asked, however old."""
        return self._snapshot

    async def current(self) -> Snapshot:
        """At most MAX_AGE_SECONDS old. Raises ArgoError."""
        if self._snapshot is not None and self._snapshot.age_seconds() <= MAX_AGE_SECONDS:
            return self._snapshot
        return await self.refresh()

    async def find(self, environment: str) -> Environment | None:
        """Raises ArgoError, also for an environment that may be there, on a server that is away."""
        snapshot = await self.current()
        found = snapshot.environments.get(environment)
        if found is None and not snapshot.complete:
            raise ArgoUnavailable("a server that may have the environment is away", definite=True)
        return found

    async def server_of(self, environment: str) -> str:
        """Where jobs of that environment go; the first server for one that is not there. Raises ArgoError."""
        found = await self.find(environment)
        return FIRST_SERVER if found is None else found.server

    async def places_of(self, workflow: Workflow) -> int:
        """How many jobs run at once where this one runs; 0 where that is no longer known. Raises ArgoError."""
        found = (await self.current()).environments.get(workflow.labels.get(names.ENVIRONMENT, ""))
        return 0 if found is None else found.max_jobs

    async def is_consumer_address(self, address: str) -> bool:
        """Whether this is the address of an environment of ours, in any letter case. Raises ArgoError."""
        known = {canonical(found.consumer_address) for found in (await self.current()).environments.values()}
        return canonical(address) in known

    async def unfinished_jobs(self, environment: str, account: str | None = None) -> int:
        """How many jobs run or wait there, of all or of one account (canonical), asked now. Raises ArgoError."""
        of_account = {} if account is None else {names.OWNER: account}
        return await self._argo.count({names.ENVIRONMENT: environment, **of_account}, unfinished_only=True)

    async def refresh(self) -> Snapshot:
        """Ask now; all who ask at the same time share one question. Raises ArgoError."""
        return await self._refreshing.run(None, self._read)

    async def run(self) -> None:
        """Refresh for ever; a bad round is logged. End it by cancelling."""
        while True:
            try:
                await self.refresh()
                self._good_round()
            except ArgoError as exc:
                log.warning("environments_not_refreshed", reason=type(exc).__name__)
            except Exception:
                log.exception("environments_not_refreshed")
            await asyncio.sleep(REFRESH_SECONDS)

    async def close(self) -> None:
        await self._refreshing.close()

    async def _read(self) -> Snapshot:
        clock, taken_at = time.monotonic(), time.time()
        usable: dict[str, Environment] = {}
        templates = await self._argo.templates()
        complete = not self._argo.unreachable_servers
        for template in templates:
            try:
                environment = Environment.of_template(template)
            except TemplateUnusable as exc:
                if (template.name, str(exc)) not in self._unusable:
                    self._unusable.add((template.name, str(exc)))
                    log.warning("environment_not_announced", template=template.name, annotation=str(exc))
                continue
            usable[environment.id] = environment
        usable = dict(
            sorted(usable.items(), key=lambda item: (item[1].position, item[1].price_per_minute > 0, item[0]))
        )
        counts = await together(*(self.unfinished_jobs(name) for name in usable))
        self._snapshot = Snapshot(usable, dict(zip(usable, counts, strict=True)), complete, taken_at, clock)
        return self._snapshot
